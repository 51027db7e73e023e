import assert from "node:assert/strict";
import { join } from "node:path";
import { AppError } from "../../plugins/runtime/contract/error.ts";
import { describeStat, type FoundModel } from "./found.ts";
import { openHeaderCache } from "./header_cache.ts";
import { createHeaders } from "./headers.ts";
import { createModelIndex } from "./model_index.ts";
import { inFolder, makeModel, write } from "./testing_library.ts";

Deno.test("list does not wait for a large blob to be read again, nor offers it; get waits", async () => {
  await inFolder(async (folder) => {
    await write(folder, { "blob": makeModel() });
    const path = join(folder, "blob");
    const model: FoundModel = {
      id: "m",
      origin: "store",
      format: "gguf",
      weights: [{ name: "m.gguf", path, ...describeStat(await Deno.lstat(path)) }],
      sidecars: [],
      beside: [],
      facts: {},
    };
    const reading = Promise.withResolvers<void>();
    let condition: "changed" | "sound" = "changed";
    const index = createModelIndex({
      places: [{ find: () => Promise.resolve({ models: [model], refused: [], problems: [] }) }],
      headers: createHeaders({ cache: await openHeaderCache(), now: Date.now }),
      blobs: { condition: () => condition, check: () => reading.promise },
      knownDigest: () => undefined,
    });
    assert.deepEqual(await index.list(), []);
    const getting = index.get("m");
    const [problem] = await index.problems();
    assert.deepEqual(problem?.error.code, "UNAVAILABLE");
    assert.ok(problem?.error instanceof AppError && problem.error.retryable);
    condition = "sound";
    reading.resolve();
    assert.equal((await getting).id, "m");
    assert.deepEqual((await index.list()).map(({ id }) => id), ["m"]);
    assert.deepEqual(await index.problems(), []);
  });
});

Deno.test("list and problems, asked in one turn, look at the disk once", async () => {
  let looks = 0;
  const index = createModelIndex({
    places: [{
      find() {
        looks++;
        return Promise.resolve({ models: [], refused: [], problems: [] });
      },
    }],
    headers: createHeaders({ cache: await openHeaderCache(), now: Date.now }),
    blobs: { condition: () => "sound", check: () => Promise.resolve() },
    knownDigest: () => undefined,
  });
  await Promise.all([index.list(), index.problems()]);
  assert.equal(looks, 1);
  // Whoever asks while it looks does not get what was there before.
  const looking = index.list();
  await Promise.resolve().then(() => {});
  await Promise.all([looking, index.list(), index.problems()]);
  assert.equal(looks, 3);
});
