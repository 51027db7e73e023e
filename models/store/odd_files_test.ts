import assert from "node:assert/strict";
import { basename, join } from "node:path";
import {
  adopt,
  digestOf,
  inFolder,
  listIds,
  makeManifest,
  makeModel,
  openLibrary,
  write,
} from "./testing_library.ts";

const bytes = makeModel();

Deno.test("a manifest of any length, and one that cannot be read, costs the other models nothing", async () => {
  await inFolder(async (folder) => {
    const later = { now: () => Date.now() + 100 * 3_600_000 };
    const first = await openLibrary(folder, later);
    for (const id of ["ada/one", "bob/two"]) {
      await first.put(await adopt(first, id, { "a.gguf": makeModel(id) }));
    }
    const manifests = join(folder, ".own/models/manifests");
    const check = async (reason: RegExp) => {
      const library = await openLibrary(folder, later);
      assert.deepEqual(await listIds(library), ["bob/two"]);
      const [{ path, error } = assert.fail(), ...more] = await library.problems();
      assert.ok(path.startsWith(join(manifests, "ada")) && more.length === 0, path);
      assert.match(error.message, reason);
      // Said to who only reads, too.
      assert.ok(!error.message.includes(folder), error.message);
      // What it names is not known: nothing goes.
      await assert.rejects(library.collectGarbage(), { code: "INVALID_MODEL", message: reason });
      await assert.rejects(library.remove("bob/two"), { code: "INVALID_MODEL" });
      assert.equal((await library.get("bob/two")).id, "bob/two");
    };
    const file = join(manifests, "ada/one.json");
    const text = await Deno.readTextFile(file);
    await Deno.truncate(file, 5 * 1024 * 1024);
    await check(/is damaged/);
    await Deno.writeTextFile(file, text);
    for (const path of [file, join(manifests, "ada")]) {
      const { mode } = await Deno.lstat(path);
      await Deno.chmod(path, 0);
      // Nothing is refused to a superuser.
      const isRefused = await Deno.open(path).then((open) => open.close(), () => true) ?? false;
      if (isRefused) await check(/cannot be read: PermissionDenied/);
      await Deno.chmod(path, mode! & 0o777);
    }
    assert.deepEqual(await listIds(first), ["ada/one", "bob/two"]);
    assert.ok((await first.remove("ada/one")).freedBytes > 0);
  });
});

Deno.test("what is named like a blob and is none is neither read, removed nor written over", async () => {
  await inFolder(async (folder) => {
    const library = await openLibrary(folder);
    const manifest = makeManifest("a", { "a.gguf": bytes });
    const blob = join(folder, ".own/models/blobs", digestOf(bytes).replace(":", "-"));
    await write(folder, {
      ".own/models/manifests/a.json": JSON.stringify(manifest),
      [`.own/models/blobs/${basename(blob)}/mine.txt`]: "mine",
    });
    await assert.rejects(library.get("a"), { code: "INVALID_MODEL" });
    await assert.rejects(library.verify("a"), { code: "INVALID_MODEL", message: /no regular/ });
    await assert.rejects(adopt(library, "b", { "b.gguf": bytes }), {
      code: "CONFLICT",
      message: /^"blobs\/sha256-[0-9a-f]{64}" in the store is a folder/,
    });
    assert.deepEqual(await library.remove("a"), { freedBytes: 0 });
    assert.equal(await Deno.readTextFile(join(blob, "mine.txt")), "mine");
    if (Deno.build.os === "windows") return;
    // A pipe: whoever opens it waits for one who writes.
    await Deno.remove(blob, { recursive: true });
    assert.ok((await new Deno.Command("mkfifo", { args: [blob] }).output()).success);
    await write(folder, { ".own/models/manifests/a.json": JSON.stringify(manifest) });
    await assert.rejects(library.get("a"), { code: "INVALID_MODEL" });
    await assert.rejects(library.verify("a"), { code: "INVALID_MODEL", message: /no regular/ });
  });
});

Deno.test("a store that can only be read is served, though no use of it can be noted", async () => {
  await inFolder(async (folder) => {
    const library = await openLibrary(folder);
    await library.put(await adopt(library, "a", { "a.gguf": bytes }));
    // As the system answers for another's file; for a superuser nothing is refused.
    const { utime } = Deno;
    Deno.utime = () => Promise.reject(new Deno.errors.PermissionDenied("utime"));
    try {
      (await library.open("a")).release();
    } finally {
      Deno.utime = utime;
    }
    assert.equal((await library.get("a")).usedAtMs, undefined);
  });
});
