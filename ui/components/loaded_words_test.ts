import assert from "node:assert/strict";
import type { LoadedModel } from "../stores/llm_models.ts";
import { describeActivity, formatSpeed } from "./loaded_words.ts";

const model: LoadedModel = { id: "m", use: "text", engine: "wllama", backend: "wasm", users: 0 };

Deno.test("describeActivity: busy, idle, waiting and pinned, as far as the plugin tells", () => {
  const words: [changes: Partial<LoadedModel>, text: string][] = [
    [{}, "Idle: "],
    [{ idleMs: 400 }, "Idle: just now"],
    [{ idleMs: 72_000, pinned: true }, "Idle: for 1 min 12 s, pinned"],
    [{ users: 1 }, "In use: 1 call"],
    [{ users: 2, waiting: 1 }, "In use: 2 calls, 1 waits"],
    [{ users: 4, waiting: 3, pinned: true }, "In use: 4 calls, 3 wait, pinned"],
  ];
  for (const [changes, text] of words) {
    const { word, more, isBusy } = describeActivity({ ...model, ...changes });
    assert.equal(`${word}: ${more}`, text);
    assert.equal(isBusy, word === "In use");
  }
});

Deno.test("formatSpeed has its unit, and a dash for what is not known", () => {
  assert.equal(formatSpeed(31.44), "31.4 tokens/s");
  assert.equal(formatSpeed(undefined), "–");
});
