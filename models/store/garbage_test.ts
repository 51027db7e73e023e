import assert from "node:assert/strict";
import { join } from "node:path";
import {
  adopt,
  digestOf,
  inFolder,
  listIds,
  makeModel,
  openLibrary,
  write,
} from "./testing_library.ts";

const hourMs = 3_600_000;
const bytes = makeModel();

Deno.test("collectGarbage leaves what may be arriving: young blobs, young and wanted partials, models", async () => {
  await inFolder(async (folder) => {
    let nowMs = Date.now();
    const library = await openLibrary(folder, { now: () => nowMs });
    await library.put(await adopt(library, "kept", { "a.gguf": bytes }));
    const lost = makeModel("lost");
    await adopt(library, "lost", { "b.gguf": lost });
    const partial = await library.blobs.openPartial("job-1");
    await write(partial, { "a.gguf": new Uint8Array(10), "deep/b": new Uint8Array(5) });
    await library.blobs.openPartial("job-2");
    const nothing = { freedBytes: 0, models: [], blobs: 0, partials: 0 };
    assert.deepEqual(await library.collectGarbage(), nothing);

    nowMs += 2 * hourMs;
    // In this process it was adopted and waits for its manifest, however long that takes.
    const waiting = await library.collectGarbage({ keepPartial: new Set(["job-1", "job-2"]) });
    assert.deepEqual(waiting, nothing);

    const restarted = await openLibrary(folder, { now: () => nowMs });
    const expected = { freedBytes: lost.length + 15, models: [], blobs: 1, partials: 1 };
    const options = { keepPartial: new Set(["job-2"]) };
    assert.deepEqual(await restarted.collectGarbage({ ...options, dryRun: true }), expected);
    assert.deepEqual(await restarted.collectGarbage(options), expected);
    assert.deepEqual(await restarted.collectGarbage(options), nothing);
    assert.equal(await restarted.blobs.find(digestOf(lost)), undefined);
    assert.deepEqual(await listIds(restarted), ["kept"]);
    const left = await Array.fromAsync(Deno.readDir(join(folder, ".own/models/partial")));
    assert.deepEqual(left.map(({ name }) => name), ["job-2"]);
  });
});

Deno.test("collectGarbage takes models that were not opened for long, but open and pinned ones", async () => {
  await inFolder(async (folder) => {
    let nowMs = Date.now();
    const library = await openLibrary(folder, { now: () => nowMs });
    const pulledAtMs = nowMs;
    for (const id of ["unused", "used", "open", "pinned"]) {
      const model = makeModel(id);
      await library.put(await adopt(library, id, { "a.gguf": model }, { pulledAtMs }));
    }
    await library.pin("pinned", true);
    const { release } = await library.open("open");
    nowMs += 20 * 24 * hourMs;
    (await library.open("used")).release();
    nowMs += 15 * 24 * hourMs;
    const expected = { freedBytes: makeModel("unused").length, models: ["unused"] };
    const told = await library.collectGarbage({ unusedDays: 30, dryRun: true });
    assert.deepEqual({ freedBytes: told.freedBytes, models: told.models }, expected);
    assert.equal((await library.list()).length, 4);
    const done = await library.collectGarbage({ unusedDays: 30 });
    assert.deepEqual(done, told);
    assert.deepEqual(await listIds(library), ["open", "pinned", "used"]);
    release();
    assert.deepEqual((await library.collectGarbage({ unusedDays: 30 })).models, ["open"]);
  });
});

Deno.test("collectGarbage during puts takes no blob of theirs", async () => {
  await inFolder(async (folder) => {
    // Long after, so that nothing is young.
    const library = await openLibrary(folder, { now: () => Date.now() + 48 * hourMs });
    const ids = Array.from({ length: 12 }, (_, at) => `m${at}`);
    const sweeping = (async () => {
      const keepPartial = new Set(["a-job"]);
      for (let round = 0; round < 12; round++) await library.collectGarbage({ keepPartial });
    })();
    for (const id of ids) {
      await library.put(await adopt(library, id, { "a.gguf": makeModel(id) }));
    }
    await sweeping;
    assert.deepEqual(await listIds(library), [...ids].sort());
  });
});

Deno.test("blobs: keys, digests and half-done moves", async () => {
  await inFolder(async (folder) => {
    const { blobs } = await openLibrary(folder);
    for (const key of ["", "..", "../x", "a/b", "A", "a".repeat(81), "a\0"]) {
      await assert.rejects(blobs.openPartial(key), { code: "INVALID_INPUT" });
      await assert.rejects(blobs.removePartial(key), { code: "INVALID_INPUT" });
    }
    const hex = "0".repeat(64);
    for (
      const digest of ["", hex, `sha256-${hex}`, `sha256:${hex}0`, "sha256:../../x", `md5:${hex}`]
    ) {
      await assert.rejects(blobs.find(digest), { code: "INVALID_INPUT" });
      await assert.rejects(blobs.adopt(join(folder, "x"), digest), { code: "INVALID_INPUT" });
    }
    await blobs.removePartial("never-there");
    const path = join(await blobs.openPartial("a"), "x");
    await Deno.writeFile(path, bytes);
    await blobs.adopt(path, digestOf(bytes));
    const found = await blobs.find(digestOf(bytes));
    const { ino } = await Deno.lstat(found?.path ?? "");
    // A blob that is there and sound wins.
    await Deno.writeFile(path, bytes);
    await blobs.adopt(path, digestOf(bytes));
    assert.equal((await Deno.lstat(found?.path ?? "")).ino, ino);
    await assert.rejects(Deno.lstat(path), Deno.errors.NotFound);
    // A link in its place is none.
    await Deno.remove(found?.path ?? "");
    await Deno.symlink("/etc/hostname", found?.path ?? "");
    assert.equal(await blobs.find(digestOf(bytes)), undefined);
  });
});
