import assert from "node:assert/strict";
import { parseLlmModels } from "./llm_models.ts";

Deno.test("parseLlmModels: what is no list is refused, what is malformed in one is left out", () => {
  for (const answer of [undefined, null, 7, "models", {}, { models: {} }]) {
    assert.throws(() => parseLlmModels(answer), { code: "INVALID_OUTPUT" });
  }
  const answer = {
    models: [
      null,
      { id: 5, loaded: [] },
      { id: "a" },
      {
        id: "b",
        loaded: [{ use: "nothing" }, { use: "text", threads: -1, users: "1", bytes: NaN }],
      },
    ],
    queue: { active: 1 },
    memory: { usedBytes: "1", budgetBytes: 2 },
  };
  assert.deepEqual(parseLlmModels(answer), {
    usable: 4,
    loaded: [{ id: "b", use: "text", engine: "", backend: "", users: 0 }],
  });
});

Deno.test("parseLlmModels: each use of a model in memory, with all that is told of it", () => {
  const facts = {
    engine: "wllama",
    backend: "wasm",
    threads: 1,
    loadMs: 90,
    maxTokens: 512,
    users: 1,
  };
  const more = { waiting: 2, pinned: true, bytes: 4096, tokensPerSecond: 30.5 };
  const native = {
    ...facts,
    use: "vectors",
    backend: "native",
    variant: "cpu",
    idleMs: 10,
    users: 0,
  };
  const answer = {
    models: [
      {
        id: "m",
        format: "gguf",
        size: 1,
        uses: ["text"],
        loaded: [{ use: "text", ...facts, ...more }, native],
      },
      { id: "n", format: "gguf", size: 1, uses: ["text"], loaded: [] },
    ],
    queue: { active: 1, waiting: 2 },
    memory: { usedBytes: 4096, budgetBytes: 8192 },
  };
  assert.deepEqual(parseLlmModels(answer), {
    usable: 2,
    loaded: [{ id: "m", use: "text", ...facts, ...more }, { id: "m", ...native }],
    queue: { active: 1, waiting: 2 },
    memory: { usedBytes: 4096, budgetBytes: 8192 },
  });
});
