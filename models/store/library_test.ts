import assert from "node:assert/strict";
import { join } from "node:path";
import type { ModelManifest } from "../model.ts";
import { describeStat } from "./found.ts";
import {
  adopt,
  digestOf,
  inFolder,
  listIds,
  makeManifest,
  makeModel,
  openLibrary,
  readNames,
  write,
} from "./testing_library.ts";

const id = "owner/name:Q8_0";
const bytes = makeModel();
const later = 60_000;

Deno.test("put keeps nothing of a model that is not whole, not valid or not its digest's", async () => {
  await inFolder(async (folder) => {
    const library = await openLibrary(folder);
    const files = { "a.gguf": bytes };
    await assert.rejects(library.put(makeManifest(id, files)), { code: "INVALID_MODEL" });

    const manifest = await adopt(library, id, files);
    const [file] = manifest.files;
    assert.ok(file);
    const broken: Partial<ModelManifest>[] = [
      { files: [{ ...file, size: 1 }] },
      { files: [file, { ...file, name: "b.gguf", digest: digestOf(new Uint8Array(1)) }] },
    ];
    for (const part of broken) {
      await assert.rejects(library.put({ ...manifest, ...part }), { code: "INVALID_MODEL" });
    }
    const malformed: Partial<ModelManifest>[] = [
      { id: "../name" },
      { files: [] },
      { files: [file, file] },
      { files: [{ ...file, name: "../a.gguf" }] },
      { files: [{ ...file, digest: "sha256:../../../etc/passwd" }] },
      { files: [{ ...file, digest: `sha256:${"A".repeat(64)}` }] },
      { files: [{ ...file, size: -1 }] },
    ];
    for (const part of malformed) {
      await assert.rejects(library.put({ ...manifest, ...part }), { code: "INVALID_INPUT" });
    }
    const hostile = makeModel();
    hostile.fill(0xff, 8, 16);
    for (
      const files of [
        { "bad.gguf": hostile },
        { "good.gguf": bytes, "mmproj.gguf": hostile },
        { "a.onnx": new Uint8Array([0xff]) },
        { "a.safetensors": new Uint8Array(9) },
        { "notes.txt": new Uint8Array(1) },
      ]
    ) {
      await assert.rejects(library.put(await adopt(library, "x", files)), {
        code: "INVALID_MODEL",
      });
    }
    assert.deepEqual(await library.list(), []);
    assert.deepEqual(await Array.fromAsync(readNames(join(folder, ".own/models/manifests"))), []);
    assert.equal((await library.blobs.find(digestOf(bytes)))?.size, bytes.length);
  });
});

Deno.test("a blob that is altered after it was hashed is refused by list, get, open, digest and find, until it is pulled again", async () => {
  await inFolder(async (folder) => {
    const library = await openLibrary(folder);
    const record = await library.put(await adopt(library, id, { "a.gguf": bytes }));
    const [file] = record.files;
    assert.ok(file);
    assert.equal((await library.digest(file)).digest, digestOf(bytes));

    const altered = bytes.slice();
    altered[altered.length - 1]! ^= 1;
    await Deno.chmod(file.path, 0o644);
    await Deno.writeFile(file.path, altered);
    const refusal = {
      code: "INVALID_MODEL",
      message: /"a\.gguf" was altered.*pull the model again/,
    };
    await assert.rejects(library.digest(file), refusal);
    await assert.rejects(library.get(id), refusal);
    await assert.rejects(library.open(id), refusal);
    assert.deepEqual(await library.list(), []);
    assert.match((await library.problems())[0]?.error.message ?? "", /altered/);
    assert.equal(await library.blobs.find(digestOf(bytes)), undefined);
    // A restart does not forget it.
    assert.deepEqual(await listIds(await openLibrary(folder)), []);

    const verified = await library.verify(id);
    assert.deepEqual(verified.map(({ ok, expected, digest }) => ({ ok, expected, digest })), [
      { ok: false, expected: digestOf(bytes), digest: digestOf(altered) },
    ]);

    const again = await library.put(await adopt(library, id, { "a.gguf": bytes }));
    assert.deepEqual(again.files.map(({ digest }) => digest), [digestOf(bytes)]);
    assert.deepEqual(await listIds(library), [id]);
    assert.deepEqual(await Deno.readFile(file.path), bytes);
  });
});

Deno.test("a blob of the same bytes in another state is read once and believed: a restored backup", async () => {
  await inFolder(async (folder) => {
    const library = await openLibrary(folder, { now: () => Date.now() + later });
    const { files } = await library.put(await adopt(library, id, { "a.gguf": bytes }));
    const path = files[0]?.path ?? "";
    await Deno.rename(path, `${path}.old`);
    await Deno.writeFile(path, bytes);
    assert.deepEqual(await listIds(library), [id]);
    // The same without a memory of it.
    await Deno.remove(join(folder, ".own/cache"), { recursive: true });
    const other = await openLibrary(folder, { now: () => Date.now() + later });
    assert.deepEqual(await listIds(other), [id]);
    assert.equal((await other.get(id)).id, id);
    await Deno.remove(path);
    await assert.rejects(other.get(id), { code: "INVALID_MODEL", message: /not in the store/ });
    assert.deepEqual(await listIds(other), []);
    // A model that is broken can be removed.
    assert.deepEqual(await other.remove(id), { freedBytes: 0 });
    await assert.rejects(other.get(id), { code: "NOT_FOUND" });
  });
});

Deno.test("verify notices bytes that rotted under unchanged dates, and says so of the model from then on", async () => {
  await inFolder(async (folder) => {
    const options = { now: () => Date.now() + later };
    let library = await openLibrary(folder, options);
    const record = await library.put(await adopt(library, id, { "a.gguf": bytes }));
    const path = record.files[0]?.path ?? "";
    // As if the disk had forgotten a bit: what is remembered is another digest for the very same state.
    const wrong = bytes.slice();
    wrong[wrong.length - 1]! ^= 1;
    await Deno.chmod(path, 0o644);
    await Deno.writeFile(path, wrong);
    const { fingerprint } = describeStat(await Deno.lstat(path));
    await write(folder, {
      ".own/cache/digests.json": JSON.stringify({ [fingerprint]: digestOf(bytes) }),
    });
    library = await openLibrary(folder, options);
    assert.deepEqual(await listIds(library), [id]);
    let told: unknown[] = [];
    const [file] = await library.verify(id, { progress: (...counts) => told = counts });
    assert.equal(file?.ok, false);
    assert.deepEqual(told, [bytes.length, bytes.length]);
    await assert.rejects(library.get(id), { code: "INVALID_MODEL" });
    assert.deepEqual(await library.list(), []);
  });
});

Deno.test("remove is refused while a model is open, verified or pinned, for others' models and unknown ones", async () => {
  await inFolder(async (folder) => {
    await write(folder, { "mine.gguf": makeModel("mine") });
    const library = await openLibrary(folder, { modelPaths: [folder] });
    // Large enough that it is still being read when its removal is asked for.
    const large = new Uint8Array(48 * 1024 * 1024);
    large.set(bytes);
    await library.put(await adopt(library, id, { "a.gguf": large }));
    const one = await library.open(id);
    const two = await library.open("OWNER/name");
    for (const { release } of [one, one, two]) {
      await assert.rejects(library.remove(id), { code: "CONFLICT", message: /is open/ });
      release();
    }
    const verifying = library.verify(id, {
      progress: () => removing ??= library.remove(id),
    });
    let removing: Promise<unknown> | undefined;
    await verifying;
    await assert.rejects(removing ?? Promise.resolve(), { code: "CONFLICT" });

    assert.equal((await library.pin(id, true)).pinned, true);
    await assert.rejects(library.remove(id), { code: "CONFLICT", message: /pinned/ });
    await assert.rejects(library.remove("mine"), { code: "CONFLICT", message: /mine\.gguf/ });
    await assert.rejects(library.pin("mine", true), { code: "CONFLICT" });
    await assert.rejects(library.remove("owner/nane:Q8_0"), {
      code: "NOT_FOUND",
      details: { close: [id] },
    });
    assert.deepEqual(await library.remove(id, { force: true }), { freedBytes: large.length });
    assert.deepEqual(await listIds(library), ["mine"]);
    assert.deepEqual(await Array.fromAsync(readNames(join(folder, ".own/models/blobs"))), []);
    assert.deepEqual(await Array.fromAsync(readNames(join(folder, ".own/models/manifests"))), []);
  });
});

Deno.test("open and remove of one model at once: one of them wins, whole", async () => {
  await inFolder(async (folder) => {
    const library = await openLibrary(folder);
    for (let round = 0; round < 20; round++) {
      const manifest = await adopt(library, id, { "a.gguf": bytes });
      await library.put(manifest);
      const [opened, removed] = await Promise.allSettled([
        library.open(id).then(async ({ model, release }) => {
          await new Promise((resolve) => setTimeout(resolve, 1));
          await Deno.readFile(model.files[0]?.path ?? "");
          release();
        }),
        new Promise((resolve) => setTimeout(resolve, round % 4)).then(() => library.remove(id)),
      ]);
      // Whoever opened it could read it, and a removal that was refused said why.
      if (opened.status === "rejected") {
        assert.ok(["NOT_FOUND", "CONFLICT"].includes(opened.reason.code), `${opened.reason}`);
      }
      if (removed.status === "rejected") assert.equal(removed.reason.code, "CONFLICT");
      assert.ok(opened.status === "fulfilled" || removed.status === "fulfilled");
    }
  });
});

Deno.test("remove leaves the blobs that another model has, and those that a pull just brought", async () => {
  await inFolder(async (folder) => {
    const library = await openLibrary(folder);
    const sidecar = new TextEncoder().encode("{}");
    const other = makeModel("other");
    await library.put(await adopt(library, "one", { "a.gguf": bytes, "config.json": sidecar }));
    await library.put(await adopt(library, "two", { "b.gguf": other, "config.json": sidecar }));
    // Of a third, which is not a model yet.
    const third = await adopt(library, "three", { "a.gguf": bytes });
    assert.deepEqual(await library.remove("one"), { freedBytes: 0 });
    assert.equal((await library.put(third)).id, "three");
    assert.deepEqual(await library.remove("two"), { freedBytes: other.length + sidecar.length });
    assert.deepEqual(await listIds(library), ["three"]);
  });
});

Deno.test("put of two equal models at once is one; another's id is refused, also in other letters", async () => {
  await inFolder(async (folder) => {
    await write(folder, { "mine.gguf": makeModel("mine") });
    const library = await openLibrary(folder, { modelPaths: [folder] });
    const manifest = await adopt(library, id, { "a.gguf": bytes });
    const [one, two] = await Promise.all([library.put(manifest), library.put(manifest)]);
    assert.deepEqual(one, two);
    assert.deepEqual(await listIds(library), ["mine", id]);
    const other = await adopt(library, id, { "a.gguf": makeModel("other") }, { source: "x" });
    for (const taken of [id, "OWNER/Name:q8_0", "mine"]) {
      await assert.rejects(library.put({ ...other, id: taken }), { code: "CONFLICT" });
    }
    // A newer state of the same source takes its place, but not under one who has it open.
    const { release } = await library.open(id);
    await assert.rejects(library.put({ ...other, source: id }), { code: "CONFLICT" });
    release();
    await library.pin(id, true);
    const newer = await library.put({ ...other, source: id });
    assert.deepEqual([newer.name, newer.pinned], ["other", true]);
    assert.equal((await library.get(id)).name, "other");
  });
});

Deno.test("get finds a model by less than its id where that is unambiguous, and names the variants else", async () => {
  await inFolder(async (folder) => {
    const library = await openLibrary(folder);
    await library.put(await adopt(library, id, { "a.gguf": bytes }));
    for (const text of [id, "owner/name", "Owner/NAME", "OWNER/name:q8_0"]) {
      assert.equal((await library.get(text)).id, id);
    }
    await library.put(await adopt(library, "owner/name:F16", { "b.gguf": makeModel("b") }));
    await assert.rejects(library.get("Owner/name"), {
      code: "NOT_FOUND",
      details: { close: ["owner/name:F16", id] },
    });
    await library.put(await adopt(library, "owner/name", { "c.gguf": makeModel("c") }));
    assert.equal((await library.get("owner/name")).name, "c");
  });
});

Deno.test("a record says what its manifest and files say, and is kept across a restart", async () => {
  await inFolder(async (folder) => {
    const now = () => 1_700_003_601_000;
    const library = await openLibrary(folder, { now });
    const manifest = await adopt(library, id, { "a.gguf": bytes }, {
      source: "owner/name@main:Q8_0",
      revision: "0123abc",
      task: "embedding",
      license: "apache-2.0",
    });
    const record = await library.put(manifest);
    const path = join(folder, ".own/models/blobs", digestOf(bytes).replace(":", "-"));
    assert.deepEqual(record, {
      id,
      format: "gguf",
      origin: "store",
      task: "embedding",
      size: bytes.length,
      files: [{ name: "a.gguf", path, size: bytes.length, digest: digestOf(bytes) }],
      name: "A model",
      license: "apache-2.0",
      architecture: "llama",
      parameterCount: 8,
      quantization: "F32",
      contextLength: 64,
      chatTemplate: false,
      shape: undefined,
      source: "owner/name@main:Q8_0",
      pinned: false,
      createdAtMs: manifest.pulledAtMs,
    });
    const text = await Deno.readTextFile(
      join(folder, ".own/models/manifests/owner/name/Q8_0.json"),
    );
    assert.deepEqual(JSON.parse(text), manifest);
    assert.match(text, /^\{\n {2}"version": 1,\n {2}"id": "owner\/name:Q8_0",\n/);
    (await library.open(id)).release();
    await library.pin(id, true);
    const used = { ...record, pinned: true, usedAtMs: 1_700_002_800_000 };
    assert.deepEqual(await library.get(id), used);
    assert.deepEqual(await (await openLibrary(folder)).list(), [used]);
  });
});

Deno.test("a manifest that a person damaged, moved or deleted is told of, and costs no blob", async () => {
  await inFolder(async (folder) => {
    const library = await openLibrary(folder, { now: () => Date.now() + 100 * 3_600_000 });
    await library.put(await adopt(library, "a", { "a.gguf": bytes }));
    const manifests = join(folder, ".own/models/manifests");
    const text = await Deno.readTextFile(join(manifests, "a.json"));
    for (const odd of ["\u001b[2J", "\u202e"]) {
      for (const field of ["license", "source"]) {
        await write(manifests, { "a.json": JSON.stringify({ ...JSON.parse(text), [field]: odd }) });
        assert.deepEqual(await library.list(), []);
        await assert.rejects(library.get("a"), { code: "INVALID_MODEL", message: /is damaged/ });
      }
    }
    await write(manifests, { "b.json": text, "a.json": text.slice(0, -9), "notes.txt": "x" });
    await Deno.symlink("/etc/hostname", join(manifests, "link.json"));
    assert.deepEqual(await library.list(), []);
    const problems = await library.problems();
    assert.deepEqual(problems.map(({ path }) => path).sort(), [
      join(manifests, "a.json"),
      join(manifests, "b.json"),
    ]);
    await assert.rejects(library.get("a"), { code: "INVALID_MODEL", message: /is damaged/ });
    assert.equal((await library.collectGarbage()).blobs, 0);
    await Deno.writeTextFile(join(manifests, "a.json"), text);
    assert.equal((await library.get("a")).id, "a");
    await Deno.remove(join(manifests, "a.json"));
    await assert.rejects(library.get("a"), { code: "NOT_FOUND" });
  });
});

Deno.test("a damaged cache of headers is begun anew, and a kept one spares the reading", async () => {
  await inFolder(async (folder) => {
    const options = { modelPaths: [folder], now: () => Date.now() + later };
    const bad = makeModel();
    bad.fill(0xff, 8, 16);
    await write(folder, { "m.gguf": bytes, "bad.gguf": bad });
    await (await openLibrary(folder, options)).list();
    const path = join(folder, ".own/cache/headers.json");
    const kept = await Deno.readTextFile(path);
    // Shown to be believed by a name that no file says.
    await Deno.writeTextFile(path, kept.replace("A model", "Kept"));
    const library = await openLibrary(folder, options);
    assert.deepEqual((await library.list()).map(({ name }) => name), ["Kept"]);
    await assert.rejects(library.get("bad"), { code: "INVALID_MODEL", message: /tensor count/ });
    for (const damaged of ["", "[]", '{"validators":1}', kept.replace('"validators":', '"v":')]) {
      await Deno.writeTextFile(path, damaged);
      const library = await openLibrary(folder, options);
      assert.deepEqual((await library.list()).map(({ name }) => name), ["A model"]);
    }
  });
});
