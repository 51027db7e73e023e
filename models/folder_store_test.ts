import assert from "node:assert/strict";
import { join } from "node:path";
import { AppError } from "../plugins/runtime/contract/error.ts";
import { createFolderStore } from "./folder_store.ts";
import { walkFolder } from "./folder_walk.ts";
import {
  encodeHeader,
  encodeU32,
  type HeaderParts,
  joinBytes,
  padding,
  stringValue,
  u16Value,
  u32Value,
} from "./gguf/encode.ts";
import { valueType } from "./gguf/metadata.ts";

function makeModel(name = "A model", metadata: HeaderParts["metadata"] = []): Uint8Array {
  const header = encodeHeader({
    metadata: [
      ["general.architecture", stringValue("llama")],
      ["general.name", stringValue(name)],
      ["llama.context_length", u32Value(64)],
      ...metadata,
    ],
    tensors: [{ name: "w", dims: [8], type: 0, offset: 0 }],
  });
  return joinBytes([header, padding(header.length, 32), new Uint8Array(32)]);
}

function makePart(index: number, count: number, tensorCount = count): Uint8Array {
  return makeModel("Split", [
    ["split.no", u16Value(index)],
    ["split.count", u16Value(count)],
    ["split.tensors.count", { type: valueType.i32, bytes: encodeU32(tensorCount) }],
  ]);
}

async function inFolder(run: (folder: string) => Promise<void>): Promise<void> {
  const folder = await Deno.realPath(await Deno.makeTempDir({ prefix: "bkg_store_" }));
  try {
    await run(folder);
  } finally {
    await Deno.remove(folder, { recursive: true });
  }
}

/** Writes files below `folder` and returns their paths. */
async function write(folder: string, files: { [name: string]: Uint8Array }): Promise<void> {
  for (const [name, bytes] of Object.entries(files)) {
    const path = join(folder, name);
    await Deno.mkdir(join(path, ".."), { recursive: true });
    await Deno.writeFile(path, bytes);
  }
}

async function listIds(store: ReturnType<typeof createFolderStore>): Promise<string[]> {
  return (await store.list()).map(({ id }) => id);
}

Deno.test("createFolderStore keeps invalid files out of list and says why in get and problems", async () => {
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
    const store = createFolderStore({ folders: [folder], log });
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

Deno.test("createFolderStore answers NOT_FOUND with close ids", async () => {
  await inFolder(async (folder) => {
    await write(folder, { "tiny-llama-q8_0.gguf": makeModel(), "other.gguf": makeModel() });
    const store = createFolderStore({ folders: [folder] });
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

Deno.test("createFolderStore refuses symbolic links to files and folders, not a linked root", async () => {
  await inFolder(async (folder) => {
    await write(folder, { "outside/secret.gguf": makeModel(), "root/real.gguf": makeModel() });
    await Deno.symlink(join(folder, "outside/secret.gguf"), join(folder, "root/link.gguf"));
    await Deno.symlink(join(folder, "outside"), join(folder, "root/linked"));
    await Deno.symlink(join(folder, "root"), join(folder, "alias"));
    const store = createFolderStore({ folders: [join(folder, "alias")] });
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

Deno.test("createFolderStore refuses names with control or bidi characters, or too long", async () => {
  await inFolder(async (folder) => {
    const names = ["a\u202eb", "a\nb", "a\u200bb", " a", "a\\b", "n".repeat(201)];
    await write(folder, { "\u00fcber modell.gguf": makeModel(), ".hidden.gguf": makeModel() });
    for (const name of names) {
      await Deno.writeFile(`${folder}/${name}.gguf`, makeModel());
    }
    const store = createFolderStore({ folders: [folder] });
    assert.deepEqual(await listIds(store), ["\u00fcber modell"]);
    const problems = await store.problems();
    assert.equal(problems.length, names.length);
    for (const { path, error } of problems) {
      assert.equal(error.code, "INVALID_MODEL");
      assert.doesNotMatch(path + error.message, /[\p{Cc}\p{Cf}]/u);
    }
  });
});

Deno.test("createFolderStore takes the first folder on a duplicate id and lists the other", async () => {
  await inFolder(async (folder) => {
    await write(folder, {
      "one/m.gguf": makeModel("first"),
      "two/m.gguf": makeModel("second"),
      "two/sub/m.gguf": makeModel("third"),
    });
    const folders = [join(folder, "one"), join(folder, "two"), join(folder, "one")];
    const store = createFolderStore({ folders });
    assert.deepEqual((await store.list()).map(({ name }) => name), ["first"]);
    assert.deepEqual((await store.problems()).map(({ path, error }) => [path, error.code]), [
      [join(folder, "two/m.gguf"), "CONFLICT"],
      [join(folder, "two/sub/m.gguf"), "CONFLICT"],
    ]);
  });
});

Deno.test("createFolderStore joins the parts of a split model", async () => {
  await inFolder(async (folder) => {
    const bytes = makePart(0, 2);
    await write(folder, {
      "big-00001-of-00002.gguf": bytes,
      "big-00002-of-00002.gguf": makePart(1, 2),
    });
    const record = await createFolderStore({ folders: [folder] }).get("big");
    assert.deepEqual(record.files.map(({ name }) => name), [
      "big-00001-of-00002.gguf",
      "big-00002-of-00002.gguf",
    ]);
    assert.deepEqual([record.size, record.parameterCount], [2 * bytes.length, 16]);
  });
});

Deno.test("createFolderStore refuses split models with parts missing, swapped or misnamed", async () => {
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
      const store = createFolderStore({ folders: [folder] });
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

Deno.test("createFolderStore validates a file again when it changes, vanishes or appears", async () => {
  await inFolder(async (folder) => {
    const path = join(folder, "m.gguf");
    const missing = join(folder, "later");
    const store = createFolderStore({ folders: [missing, folder] });
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

Deno.test("createFolderStore returns whole records that callers may change", async () => {
  await inFolder(async (folder) => {
    const bytes = makeModel("Tiny");
    await write(folder, { "a/b.gguf": bytes, "a.gguf": bytes, "notes.txt": new Uint8Array(1) });
    const store = createFolderStore({ folders: [folder] });
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
      createdAtMs: mtime?.getTime(),
    });
    records[1]?.files.pop();
    assert.equal((await store.get("b")).files.length, 1);
  });
});

Deno.test("createFolderStore lists 1,000 models fast the second time", async () => {
  await inFolder(async (folder) => {
    const bytes = makeModel();
    const names = Array.from({ length: 1000 }, (_, at) => `${at % 10}/m${at}.gguf`);
    await write(folder, Object.fromEntries(names.map((name) => [name, bytes])));
    // An hour later, so that the files count as settled.
    const store = createFolderStore({ folders: [folder], now: () => Date.now() + 3_600_000 });
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
    const shallow = await walkFolder(folder, { depth: 1, entries: 100 });
    assert.deepEqual(shallow.files.map(({ name }) => name), ["x.gguf"]);
    assert.match(shallow.problems[0]?.error.message ?? "", /more than 1 folders deep/);
    const few = await walkFolder(folder, { depth: 8, entries: 2 });
    assert.match(few.problems.at(-1)?.error.message ?? "", /more than 2 files/);
  });
});
