import assert from "node:assert/strict";
import { join } from "node:path";
import { AppError } from "../../plugins/runtime/contract/error.ts";
import { encodeU32, u16Value } from "../gguf/encode.ts";
import { valueType } from "../gguf/metadata.ts";
import { externalTensor, makeOnnx, node } from "../testing/onnx_file.ts";
import { walkFolder } from "./folder_walk.ts";
import type { ModelLibraryOptions } from "./library.ts";
import { inFolder, listIds, makeModel, openLibrary, write } from "./testing_library.ts";

function makePart(index: number, count: number, tensorCount = count): Uint8Array {
  return makeModel("Split", [
    ["split.no", u16Value(index)],
    ["split.count", u16Value(count)],
    ["split.tensors.count", { type: valueType.i32, bytes: encodeU32(tensorCount) }],
  ]);
}

function openFolders(
  folders: readonly string[],
  options: Partial<ModelLibraryOptions> = {},
) {
  return openLibrary(folders.at(-1) ?? "", { modelPaths: folders, ...options });
}

Deno.test("openModelLibrary, of folders: keeps invalid files out of list and says why in get and problems", async () => {
  await inFolder(async (folder) => {
    const bad = makeModel();
    bad.fill(0xff, 8, 16);
    await write(folder, {
      "bad.gguf": bad,
      "good.gguf": makeModel(),
      "cut.gguf": new Uint8Array(3),
    });
    const warnings: unknown[] = [];
    const log = { warn: (...line: unknown[]) => warnings.push(line) };
    const store = await openFolders([folder], { log });
    assert.deepEqual(await listIds(store), ["good"]);
    const problems = await store.problems();
    assert.deepEqual(problems.map(({ path, error }) => [path, error.code]), [
      [join(folder, "bad.gguf"), "INVALID_MODEL"],
      [join(folder, "cut.gguf"), "INVALID_MODEL"],
    ]);
    await assert.rejects(store.get("bad"), {
      code: "INVALID_MODEL",
      message: /Model "bad" was refused: GGUF tensor count at byte 8 is 18446744073709551615/,
    });
    assert.equal(warnings.length, 2, "each refused file is logged once");
  });
});

Deno.test("openModelLibrary, of folders: answers NOT_FOUND with close ids", async () => {
  await inFolder(async (folder) => {
    await write(folder, { "tiny-llama-q8_0.gguf": makeModel(), "other.gguf": makeModel() });
    const store = await openFolders([folder]);
    await assert.rejects(store.get("tiny-lama-q8"), (error) => {
      assert.ok(error instanceof AppError);
      assert.equal(error.code, "NOT_FOUND");
      assert.deepEqual(error.details, { close: ["tiny-llama-q8_0"] });
      assert.match(error.message, /"tiny-lama-q8".*close: "tiny-llama-q8_0"/);
      return true;
    });
    await assert.rejects(store.get("\u001b[2J"), {
      message: /no model "\\u\{1b\}\[2J" on this host$/,
    });
  });
});

Deno.test("openModelLibrary, of folders: refuses symbolic links to files and folders, not a linked root", async () => {
  await inFolder(async (folder) => {
    await write(folder, { "outside/secret.gguf": makeModel(), "root/real.gguf": makeModel() });
    await Deno.symlink(join(folder, "outside/secret.gguf"), join(folder, "root/link.gguf"));
    await Deno.symlink(join(folder, "outside"), join(folder, "root/linked"));
    await Deno.symlink(join(folder, "root"), join(folder, "alias"));
    const store = await openFolders([join(folder, "alias")]);
    assert.deepEqual(await listIds(store), ["real"]);
    assert.equal((await store.get("real")).files[0]?.path, join(folder, "root/real.gguf"));
    const problems = await store.problems();
    assert.deepEqual(problems.map(({ path }) => path), [
      join(folder, "root/link.gguf"),
      join(folder, "root/linked"),
    ]);
    for (const { error } of problems) assert.match(error.message, /is a symbolic link/);
    // The root is what it was when first seen.
    await Deno.remove(join(folder, "alias"));
    await Deno.symlink(join(folder, "outside"), join(folder, "alias"));
    assert.deepEqual(await listIds(store), ["real"]);
  });
});

Deno.test("openModelLibrary, of folders: refuses names with control or bidi characters, or too long", async () => {
  await inFolder(async (folder) => {
    const names = ["a\u202eb", "a\nb", "a\u200bb", " a", "a\\b", "n".repeat(201)];
    await write(folder, { "\u00fcber modell.gguf": makeModel(), ".hidden.gguf": makeModel() });
    for (const name of names) {
      await Deno.writeFile(`${folder}/${name}.gguf`, makeModel());
    }
    const store = await openFolders([folder]);
    assert.deepEqual(await listIds(store), ["\u00fcber modell"]);
    const problems = await store.problems();
    assert.equal(problems.length, names.length);
    for (const { path, error } of problems) {
      assert.equal(error.code, "INVALID_MODEL");
      assert.doesNotMatch(path + error.message, /[\p{Cc}\p{Cf}]/u);
    }
  });
});

Deno.test("openModelLibrary, of folders: takes the first folder on a duplicate id and lists the other", async () => {
  await inFolder(async (folder) => {
    await write(folder, {
      "one/m.gguf": makeModel("first"),
      "two/m.gguf": makeModel("second"),
      "two/sub/m.gguf": makeModel("third"),
    });
    const folders = [join(folder, "one"), join(folder, "two"), join(folder, "one")];
    const store = await openFolders(folders);
    assert.deepEqual((await store.list()).map(({ name }) => name), ["first"]);
    assert.deepEqual((await store.problems()).map(({ path, error }) => [path, error.code]), [
      [join(folder, "two/m.gguf"), "CONFLICT"],
      [join(folder, "two/sub/m.gguf"), "CONFLICT"],
    ]);
  });
});

Deno.test("openModelLibrary, of folders: joins the parts of a split model", async () => {
  await inFolder(async (folder) => {
    const bytes = makePart(0, 2);
    await write(folder, {
      "big-00001-of-00002.gguf": bytes,
      "big-00002-of-00002.gguf": makePart(1, 2),
    });
    const record = await (await openFolders([folder])).get("big");
    assert.deepEqual(record.files.map(({ name }) => name), [
      "big-00001-of-00002.gguf",
      "big-00002-of-00002.gguf",
    ]);
    assert.deepEqual([record.size, record.parameterCount], [2 * bytes.length, 16]);
  });
});

Deno.test("openModelLibrary, of folders: refuses split models with parts missing, swapped or misnamed", async () => {
  const cases: { [reason: string]: { [name: string]: Uint8Array } } = {
    "lacks part 1 of 2": { "m-00002-of-00002.gguf": makePart(1, 2) },
    "lacks part 2 of 3": {
      "m-00001-of-00003.gguf": makePart(0, 3),
      "m-00003-of-00003.gguf": makePart(2, 3),
    },
    "says in part 1 of 2 that it is 2 of 2": {
      "m-00001-of-00002.gguf": makePart(1, 2),
      "m-00002-of-00002.gguf": makePart(0, 2),
    },
    "has 2 tensors, and says it has 5": {
      "m-00001-of-00002.gguf": makePart(0, 2, 5),
      "m-00002-of-00002.gguf": makePart(1, 2, 5),
    },
    "is part 1 of 2, but its name does not say so": { "m.gguf": makePart(0, 2) },
    "has a part that is not one of 1": {
      "m-00001-of-00001.gguf": makeModel(),
      "m-00002-of-00001.gguf": makeModel(),
    },
    "magic": {
      "m-00001-of-00002.gguf": makePart(0, 2),
      "m-00002-of-00002.gguf": new Uint8Array(100),
    },
  };
  for (const [reason, files] of Object.entries(cases)) {
    await inFolder(async (folder) => {
      await write(folder, files);
      const store = await openFolders([folder]);
      assert.deepEqual(await store.list(), []);
      await assert.rejects(store.get("m"), (error) => {
        assert.ok(error instanceof AppError);
        assert.equal(error.code, "INVALID_MODEL");
        assert.ok(error.message.includes(reason), `${error.message} for ${reason}`);
        return true;
      });
      assert.equal((await store.problems()).length, 1);
    });
  }
});

Deno.test("openModelLibrary, of folders: validates a file again when it changes, vanishes or appears", async () => {
  await inFolder(async (folder) => {
    const path = join(folder, "m.gguf");
    const missing = join(folder, "later");
    const store = await openFolders([missing, folder]);
    assert.deepEqual(await store.list(), []);
    await write(folder, { "m.gguf": makeModel("old") });
    assert.equal((await store.get("m")).name, "old");

    const { mtime, atime } = await Deno.stat(path);
    await write(folder, { "m.gguf": makeModel("new") });
    await Deno.utime(path, atime ?? 0, mtime ?? 0); // dated back, and of the same size
    assert.equal((await store.get("m")).name, "new");

    await write(folder, { "m.gguf": new Uint8Array(10) });
    await assert.rejects(store.get("m"), { code: "INVALID_MODEL" });
    await Deno.remove(path);
    await assert.rejects(store.get("m"), { code: "NOT_FOUND" });
    await write(missing, { "m.gguf": makeModel("appeared") });
    assert.equal((await store.get("m")).name, "appeared");
    assert.deepEqual(await store.problems(), []);
  });
});

Deno.test("openModelLibrary, of folders: returns whole records that callers may change", async () => {
  await inFolder(async (folder) => {
    const bytes = makeModel("Tiny");
    await write(folder, { "a/b.gguf": bytes, "a.gguf": bytes, "notes.txt": new Uint8Array(1) });
    const store = await openFolders([folder]);
    const records = await store.list();
    const path = join(folder, "a/b.gguf");
    const { mtime } = await Deno.stat(path);
    assert.deepEqual(records[1], {
      id: "b",
      format: "gguf",
      size: bytes.length,
      files: [{ name: "b.gguf", path, size: bytes.length }],
      name: "Tiny",
      architecture: "llama",
      parameterCount: 8,
      quantization: "F32",
      contextLength: 64,
      chatTemplate: false,
      origin: "folder",
      task: undefined,
      shape: undefined,
      pinned: false,
      createdAtMs: mtime?.getTime(),
    });
    records[1]?.files.pop();
    assert.equal((await store.get("b")).files.length, 1);
  });
});

Deno.test("openModelLibrary, of folders: ONNX data must be a regular file in the model's own folder", async () => {
  await inFolder(async (folder) => {
    const model = (location: string) =>
      makeOnnx({ graph: [node("Add"), externalTensor({ location, length: "32" })] });
    await write(folder, {
      "secret": new Uint8Array(32),
      "up/m.onnx": model("../secret"),
      "root/n.onnx": model(`${folder}/secret`),
      "linked/o.onnx": model("data"),
      "short/p.onnx": model("data"),
      "short/data": new Uint8Array(31),
      "gone/q.onnx": model("data"),
      "good/r.onnx": model("data"),
      "good/data": new Uint8Array(32),
      "good/other": new Uint8Array(1),
    });
    await Deno.symlink(join(folder, "secret"), join(folder, "linked/data"));
    const store = await openFolders([folder]);
    assert.deepEqual(await listIds(store), ["r"]);
    for (const id of ["m", "n", "o", "p", "q"]) {
      await assert.rejects(store.get(id), { code: "INVALID_MODEL" });
    }
    const { files, size } = await store.get("r");
    assert.deepEqual(files.map(({ name }) => name), ["r.onnx", "data"]);
    assert.equal(size, model("data").length + 32);
    // Data that becomes shorter makes another verdict of the same header.
    await write(folder, { "good/data": new Uint8Array(31) });
    await assert.rejects(store.get("r"), { code: "INVALID_MODEL" });
    await write(folder, { "gone/data": new Uint8Array(32) });
    assert.equal((await store.get("q")).files.length, 2);
  });
});

Deno.test("openModelLibrary, of folders: a folder with a configuration is one model, each variant of its own", async () => {
  await inFolder(async (folder) => {
    const onnx = makeOnnx();
    const config = {
      model_type: "bert",
      architectures: ["BertForSequenceClassification"],
      id2label: { 0: "LABEL_0" },
      max_position_embeddings: 512,
    };
    await write(folder, {
      "ranker/config.json": JSON.stringify(config),
      "ranker/onnx/model.onnx": onnx,
      "ranker/onnx/model_quantized.onnx": onnx,
      "ranker/tokenizer.json": "{}",
      "ranker/README.md": "text",
      "pair/config.json": "[]",
      "pair/encoder_model_fp16.onnx": onnx,
      "pair/decoder_model_fp16.onnx": onnx,
      "single/config.json": JSON.stringify({ ...config, architectures: ["BertModel"] }),
      "single/tokenizer_config.json": '{"chat_template": "x"}',
      "single/model_int8.onnx": onnx,
      "lone/face.onnx": onnx,
      "lone/onnx/hand.onnx": onnx,
    });
    const store = await openFolders([folder]);
    assert.deepEqual(await store.problems(), []);
    const records = await store.list();
    assert.deepEqual(records.map(({ id, task, files }) => [id, task, files.length]), [
      ["face", undefined, 1],
      ["hand", undefined, 1],
      ["pair", undefined, 3],
      ["ranker", "rerank", 3],
      ["ranker:quantized", "rerank", 3],
      ["single", "embedding", 3],
    ]);
    const ranker = await store.get("ranker");
    assert.deepEqual(ranker.files.map(({ name }) => name), [
      "onnx/model.onnx",
      "config.json",
      "tokenizer.json",
    ]);
    assert.deepEqual([ranker.architecture, ranker.contextLength], ["bert", 512]);
    assert.equal((await store.get("single")).chatTemplate, true);
  });
});

Deno.test("openModelLibrary, of folders: lists 1,000 models fast the second time", async () => {
  await inFolder(async (folder) => {
    const bytes = makeModel();
    const names = Array.from({ length: 1000 }, (_, at) => `${at % 10}/m${at}.gguf`);
    await write(folder, Object.fromEntries(names.map((name) => [name, bytes])));
    // An hour later, so that the files count as settled.
    const store = await openFolders([folder], { now: () => Date.now() + 3_600_000 });
    assert.equal((await store.list()).length, 1000);
    const started = performance.now();
    const lists = await Promise.all([store.list(), store.list(), store.list()]);
    const elapsedMs = performance.now() - started;
    for (const list of lists) assert.equal(list.length, 1000);
    assert.ok(elapsedMs < 2000, `${elapsedMs} ms`);
  });
});

Deno.test("walkFolder is bounded in depth and count", async () => {
  await inFolder(async (folder) => {
    await write(folder, { "a/b/c/deep.gguf": makeModel(), "x.gguf": makeModel() });
    const shallow = await walkFolder(folder, { limits: { depth: 1, entries: 100 } });
    assert.deepEqual(shallow.folders[0]?.files.map(({ name }) => name), ["x.gguf"]);
    assert.match(shallow.problems[0]?.error.message ?? "", /more than 1 folders deep/);
    const few = await walkFolder(folder, { limits: { depth: 8, entries: 2 } });
    assert.match(few.problems.at(-1)?.error.message ?? "", /more than 2 files/);
  });
});
