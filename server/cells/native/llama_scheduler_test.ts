// The scheduler over an engine that answers at once: turns that the real one takes too rarely to be seen.

import assert from "node:assert/strict";
import type { AddonContext } from "./llama_addon.ts";
import { LlamaCall } from "./llama_call.ts";
import { LlamaScheduler } from "./llama_scheduler.ts";

Deno.test("LlamaScheduler runs a call that comes in any turn while it comes to rest", async () => {
  for (let turns = 0; turns < 30; turns++) {
    const scheduler = new LlamaScheduler(quickContext(), { parallel: 1, contextLength: 8 });
    const first = startCall();
    scheduler.start(first.call);
    while (!first.call.isFinished) await Promise.resolve();
    for (let turn = 0; turn < turns; turn++) await Promise.resolve();
    const second = startCall();
    scheduler.start(second.call);
    await new Promise((resolve) => setTimeout(resolve));
    assert.equal(second.call.isFinished, true, `${turns} turns later`);
  }
});

Deno.test("LlamaScheduler: a call that it does not take gives its sampler back", async () => {
  const scheduler = new LlamaScheduler(quickContext(), { parallel: 1, contextLength: 8 });
  const calls = Array.from({ length: 80 }, startCall);
  for (const { call } of calls) scheduler.start(call);
  await assert.rejects(calls.at(-1)!.call.items().next(), { code: "QUEUE_FULL" });
  await new Promise((resolve) => setTimeout(resolve));
  assert.deepEqual(calls.map(({ disposals }) => disposals()), calls.map(() => 1));
});

function startCall() {
  let disposed = 0;
  const call = new LlamaCall({
    prompt: [1],
    principal: "a",
    stop: [],
    maxTokens: 1,
    sampler: {
      sample: () => Promise.resolve({ token: 1 }),
      prepare() {},
      dispose: () => void disposed++,
    },
    isEnd: () => false,
    bytesOf: () => new Uint8Array([97]),
  });
  return { call, disposals: () => disposed };
}

function quickContext(): AddonContext {
  return {
    getSequenceKvCacheMinPosition: () => 0,
    removeTokenCellsFromSequence: () => true,
    disposeSequence: () => {},
    initBatch: () => {},
    addToBatch: () => Uint32Array.of(0),
    decodeBatch: () => Promise.resolve(),
  } as unknown as AddonContext;
}
