import assert from "node:assert/strict";
import { dirname, join, relative } from "node:path";
import { makeOnnx } from "../testing/onnx_file.ts";
import { digestOf, inFolder, listIds, makeModel, openLibrary, write } from "./testing_library.ts";

const commit = "0123456789abcdef0123456789abcdef01234567";
const config = JSON.stringify({ model_type: "bert", architectures: ["BertModel"] });

/** As the hub's clients write it: large files by SHA-256, small ones by git's hash, snapshots as links. */
async function writeRepo(
  cache: string,
  repo: string,
  files: Readonly<Record<string, Uint8Array | string>>,
  revision = commit,
): Promise<string> {
  const folder = join(cache, `models--${repo.replace("/", "--")}`);
  for (const [name, content] of Object.entries(files)) {
    const bytes = typeof content === "string" ? new TextEncoder().encode(content) : content;
    const digest = digestOf(bytes).slice("sha256:".length);
    const blob = join("blobs", typeof content === "string" ? digest.slice(0, 40) : digest);
    await write(folder, { [blob]: bytes });
    await link(join(folder, blob), join(folder, "snapshots", revision, name));
  }
  await write(folder, { "refs/main": revision });
  return folder;
}

async function link(target: string, path: string): Promise<void> {
  await Deno.mkdir(dirname(path), { recursive: true });
  await Deno.symlink(relative(dirname(path), target), path);
}

Deno.test("a Hugging Face cache: links that leave the repository's blobs are refused, and nothing behind them is read", async () => {
  await inFolder(async (folder) => {
    const cache = join(folder, "hub");
    await write(folder, { "secret.gguf": makeModel("secret") });
    const other = await writeRepo(cache, "o/other", { "x-Q8_0.gguf": makeModel("other") });
    const repo = await writeRepo(cache, "o/evil", { "good-Q4_0.gguf": makeModel("good") });
    const [blob] = await Array.fromAsync(Deno.readDir(join(other, "blobs")));
    const snapshot = join(repo, "snapshots", commit);
    await Deno.symlink(join(folder, "secret.gguf"), join(snapshot, "a-F16.gguf"));
    await link(join(other, "blobs", blob?.name ?? ""), join(snapshot, "b-F16.gguf"));
    await link(join(repo, "refs", "main"), join(snapshot, "c-F16.gguf"));
    await link(join(repo, "blobs", "gone"), join(snapshot, "d-F16.gguf"));
    await Deno.symlink(join(folder, "secret.gguf"), join(repo, "blobs", "linked"));
    await link(join(repo, "blobs", "linked"), join(snapshot, "e-F16.gguf"));
    await Deno.symlink(folder, join(snapshot, "folder"));
    await Deno.symlink(other, join(cache, "models--o--alias"));
    const library = await openLibrary(folder, { caches: [cache] });
    assert.deepEqual(await listIds(library), ["o/evil:Q4_0", "o/other:Q8_0"]);
    assert.deepEqual((await library.problems()).map(({ path }) => path).sort(), [
      join(cache, "models--o--alias"),
      ...["a", "b", "c", "e"].map((name) => join(snapshot, `${name}-F16.gguf`)),
      join(snapshot, "folder"),
    ]);
  });
});

Deno.test("a Hugging Face cache: GGUF by quantisation, ONNX with what goes with it, in the snapshot of main", async () => {
  await inFolder(async (folder) => {
    const cache = join(folder, "hub");
    const q8 = makeModel("q8");
    await writeRepo(cache, "q/gguf", { "old-Q8_0.gguf": makeModel("old") }, "abcdef0");
    await writeRepo(cache, "q/gguf", {
      "m-q8_0.gguf": q8,
      "m-fp16.gguf": makeModel("f16"),
      "config.json": config,
      "odd.gguf": makeModel("odd"),
    });
    await writeRepo(cache, "x/onnx", {
      "onnx/model.onnx": makeOnnx(),
      "onnx/model_quantized.onnx": makeOnnx(),
      "model.safetensors": new Uint8Array(9),
      "config.json": config,
      "tokenizer.json": "{}",
      "1_Pooling/config.json": "{}",
      "README.md": "text",
    });
    await writeRepo(cache, "one", { "det.onnx": makeOnnx() });
    await write(cache, { "version.txt": "1", "datasets--a--b/refs/main": "x" });
    const library = await openLibrary(folder, { caches: [cache, join(folder, "none")] });
    const records = await library.list();
    assert.deepEqual(records.map(({ id, origin }) => `${origin} ${id}`), [
      "huggingface one",
      "huggingface q/gguf:F16",
      "huggingface q/gguf:Q8_0",
      "huggingface q/gguf:odd",
      "huggingface x/onnx",
      "huggingface x/onnx:quantized",
    ]);
    const onnx = await library.get("x/onnx");
    assert.deepEqual([onnx.format, onnx.task, onnx.architecture], ["onnx", "embedding", "bert"]);
    assert.deepEqual(onnx.files.map(({ name }) => name), [
      "onnx/model.onnx",
      "1_Pooling/config.json",
      "config.json",
      "tokenizer.json",
    ]);
    await assert.rejects(library.get("x/onnx:safetensors"), { code: "INVALID_MODEL" });

    // What the name claims is told only once it was read.
    const [file] = (await library.get("q/gguf:Q8_0")).files;
    assert.equal(file?.digest, undefined);
    const [verified] = await library.verify("q/gguf:Q8_0");
    assert.equal(verified?.expected, digestOf(q8));
    assert.ok(verified?.ok);
    await assert.rejects(library.remove("q/gguf:Q8_0"), { code: "CONFLICT" });
    assert.deepEqual(library.readFolders.includes(cache), true);
  });
});

Deno.test("a Hugging Face cache: a blob that is not what its name claims is not served", async () => {
  await inFolder(async (folder) => {
    const cache = join(folder, "hub");
    await writeRepo(cache, "o/m", { "m-Q8_0.gguf": makeModel("m") });
    const library = await openLibrary(folder, {
      caches: [cache],
      now: () => Date.now() + 60_000,
    });
    const [file] = (await library.get("o/m")).files;
    assert.ok(file);
    await Deno.writeFile(file.path, makeModel("n"));
    await assert.rejects(library.digest(file), { code: "INVALID_MODEL", message: /altered/ });
    const [verified] = await library.verify("o/m:Q8_0");
    assert.equal(verified?.ok, false);
    await assert.rejects(library.get("o/m"), { code: "INVALID_MODEL" });
    assert.deepEqual(await library.list(), []);
  });
});
