import assert from "node:assert/strict";
import { join } from "node:path";
import { digestOf, inFolder, listIds, makeModel, openLibrary, write } from "./testing_library.ts";

const type = (name: string) => `application/vnd.ollama.image.${name}`;

async function writeBlob(store: string, bytes: Uint8Array) {
  const digest = digestOf(bytes);
  await write(store, { [`blobs/${digest.replace(":", "-")}`]: bytes });
  return { digest, size: bytes.length };
}

Deno.test("an Ollama store: only whole blobs in its own folder are opened", async () => {
  await inFolder(async (folder) => {
    const store = join(folder, "ollama");
    const good = await writeBlob(store, makeModel("good"));
    await write(folder, { "secret.gguf": makeModel("secret") });
    const linked = digestOf(new Uint8Array(3));
    await Deno.symlink(join(folder, "secret.gguf"), join(store, "blobs", linked.replace(":", "-")));
    const manifest = (...layers: unknown[]) => JSON.stringify({ layers });
    const model = { mediaType: type("model"), ...good };
    await write(join(store, "manifests/reg/library"), {
      "good/latest": manifest(model),
      "cut/latest": manifest({ ...model, size: good.size + 1 }),
      "gone/latest": manifest({ ...model, digest: digestOf(new Uint8Array(1)) }),
      "link/latest": manifest({ ...model, digest: linked, size: makeModel("secret").length }),
      "path/latest": manifest({ ...model, digest: "sha256:../../secret.gguf" }),
      "two/latest": manifest(model, model),
      "none/latest": manifest({ ...model, mediaType: type("license") }),
      "text/latest": "not JSON",
      "huge/latest": " ".repeat(2 * 1024 * 1024),
      "evil\u202e/latest": manifest(model),
    });
    await Deno.symlink(folder, join(store, "manifests/reg/elsewhere"));
    const library = await openLibrary(folder, { caches: [store] });
    assert.deepEqual(await listIds(library), ["good:latest"]);
    const problems = await library.problems();
    assert.equal(problems.length, 8);
    for (const { path, error } of problems) {
      assert.equal(error.code, "INVALID_MODEL");
      assert.doesNotMatch(path + error.message, /\u202e/);
    }
  });
});

Deno.test("an Ollama store: ids, licence and digests, and changes are seen", async () => {
  await inFolder(async (folder) => {
    const store = join(folder, "ollama");
    const bytes = makeModel("Tiny");
    const model = await writeBlob(store, bytes);
    const license = await writeBlob(
      store,
      new TextEncoder().encode(`\n  MIT\u202e License\n${"x".repeat(10_000)}`),
    );
    const manifest = JSON.stringify({
      schemaVersion: 2,
      config: { digest: model.digest },
      layers: [
        { mediaType: type("model"), ...model },
        { mediaType: type("license"), ...license },
        { mediaType: type("template"), ...license },
      ],
    });
    await write(join(store, "manifests/reg"), {
      "library/tiny/0.5b": manifest,
      "someone/tiny/latest": manifest,
    });
    const library = await openLibrary(folder, { caches: [store] });
    assert.deepEqual(await listIds(library), ["someone/tiny:latest", "tiny:0.5b"]);
    const record = await library.get("tiny");
    assert.deepEqual(record.files.map(({ name, digest }) => [name, digest]), [[
      "tiny-0.5b.gguf",
      undefined,
    ]]);
    assert.deepEqual([record.origin, record.license, record.name], [
      "ollama",
      "MIT License",
      "Tiny",
    ]);
    assert.equal((await library.digest(record.files[0]!)).digest, model.digest);
    await Deno.remove(join(store, "manifests/reg/library/tiny/0.5b"));
    assert.deepEqual(await listIds(library), ["someone/tiny:latest"]);
    await Deno.remove(store, { recursive: true });
    assert.deepEqual(await library.list(), []);
  });
});
