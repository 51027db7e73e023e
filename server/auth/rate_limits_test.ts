import assert from "node:assert/strict";
import { TestDate } from "../testing/test_guard.ts";
import type { Allowance } from "./limits.ts";
import { createRateLimits } from "./rate_limits.ts";

const call = { capability: "llm.chat", pluginId: "llmserver" };
const ada = (requestsPerMinute: number): Allowance => {
  return { subject: "user:ada", limits: { requestsPerMinute } };
};

Deno.test("RateLimits.take lets in as many as the limit says, of calls that come at once", async () => {
  using rates = createRateLimits();
  const taken = await Promise.all(
    Array.from({ length: 50 }, () => rates.take([ada(7)], call)),
  );
  assert.equal(taken.filter(({ refused }) => refused === undefined).length, 7);
  const { refused } = taken.at(-1)!;
  assert.equal(refused?.policy, "requests");
  assert.equal(refused?.remaining, 0);
  assert.ok(refused!.retryAfterMs > 59_000 && refused!.retryAfterMs <= 60_000);
});

Deno.test("RateLimits.take counts on none of the policies when one has no room", async () => {
  using rates = createRateLimits();
  const both: Allowance[] = [
    ada(5),
    { subject: "key:k", limits: { requestsPerMinute: 2 } },
  ];
  const taken = await Promise.all(Array.from({ length: 40 }, () => rates.take(both, call)));
  assert.equal(taken.filter(({ refused }) => refused === undefined).length, 2);
  assert.deepEqual(taken.at(-1)!.refused?.subject, "key:k");
  // What the key was refused for left the user's count alone.
  const states = await rates.states([ada(5)]);
  assert.deepEqual(states.map(({ remaining }) => remaining), [3]);
  const alone = await Promise.all(Array.from({ length: 9 }, () => rates.take([ada(5)], call)));
  assert.equal(alone.filter(({ refused }) => refused === undefined).length, 3);
});

Deno.test("RateLimits.take counts a plugin and a capability of their own, and others not at all", async () => {
  using rates = createRateLimits();
  const allowance: Allowance = {
    subject: "user:ada",
    limits: {
      plugins: { llmserver: { requestsPerMinute: 3 } },
      capabilities: { "llm.chat": { requestsPerMinute: 1 }, llmserver: { requestsPerMinute: 9 } },
    },
  };
  const take = async (capability: string, pluginId: string) =>
    (await rates.take([allowance], { capability, pluginId })).refused?.policy;
  assert.equal(await take("llm.chat", "llmserver"), undefined);
  assert.equal(await take("llm.chat", "llmserver"), "requests:llm.chat");
  assert.equal(await take("llm.complete", "llmserver"), undefined);
  assert.equal(await take("llm.complete", "llmserver"), undefined);
  assert.equal(await take("llm.complete", "llmserver"), "requests-plugin:llmserver");
  for (let i = 0; i < 20; i++) assert.equal(await take("face.detect", "rustyface"), undefined);
});

Deno.test("RateLimits: a window ends a minute after its first call, and not before", async () => {
  using date = new TestDate("2026-03-01T10:00:30.000Z");
  using rates = createRateLimits();
  const take = async () => (await rates.take([ada(2)], call)).refused;
  assert.equal(await take(), undefined);
  date.nowMs += 59_000;
  assert.equal(await take(), undefined);
  assert.equal((await take())?.retryAfterMs, 1000);
  date.nowMs += 999;
  assert.equal((await take())?.retryAfterMs, 1);
  date.nowMs += 1;
  assert.equal(await take(), undefined);
  assert.equal(await take(), undefined);
  assert.equal((await take())?.retryAfterMs, 60_000);
});

Deno.test("RateLimits: what is given back after the window's end is no call more in the next", async () => {
  using date = new TestDate("2026-03-01T10:00:00.000Z");
  using rates = createRateLimits();
  const first = await rates.take([ada(1)], call);
  date.nowMs += 60_000;
  first.release();
  first.release();
  await Promise.resolve();
  const next = [await rates.take([ada(1)], call), await rates.take([ada(1)], call)];
  assert.deepEqual(next.map(({ refused }) => refused === undefined), [true, false]);
});

Deno.test("RateLimits: a limit that is changed holds at once, over what was counted", async () => {
  using rates = createRateLimits();
  for (let i = 0; i < 5; i++) await rates.take([ada(10)], call);
  assert.notEqual((await rates.take([ada(5)], call)).refused, undefined);
  assert.equal((await rates.take([ada(6)], call)).refused, undefined);
});

Deno.test("RateLimits: what is not limited keeps no count", async () => {
  using rates = createRateLimits();
  const { states, refused } = await rates.take([{ subject: "user:ada", limits: {} }], call);
  assert.deepEqual([states, refused], [[], undefined]);
});
