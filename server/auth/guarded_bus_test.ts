// The bus as clients reach it, over a real host whose cells are in memory and the real store of usage.

import assert from "node:assert/strict";
import { AppError } from "../../plugins/runtime/contract/error.ts";
import {
  createTestHost,
  installed,
  type TestCapability,
  type TestHandler,
} from "../../plugins/runtime/host/testing.ts";
import { openUsageStore } from "../services/usage_store.ts";
import { openTestDatabase } from "../testing/test_database.ts";
import { testIdentity } from "../testing/test_guard.ts";
import type { Identity } from "./authenticator.ts";
import { createGuardedBus, type GuardedBus } from "./guarded_bus.ts";
import type { LimitState } from "./limits.ts";
import { createQuotas } from "./quotas.ts";
import { createRateLimits } from "./rate_limits.ts";

const database = await openTestDatabase();
Deno.test.afterAll(async () => await database[Symbol.asyncDispose]());
Deno.test.beforeEach(async () => await database.reset());

const usageResult = {
  type: "object",
  properties: {
    usage: {
      type: "object",
      properties: { promptTokens: { type: "integer" }, completionTokens: { type: "integer" } },
    },
  },
};
const capabilities: Record<string, TestCapability> = {
  "llm.chat": { streaming: true, resultSchema: usageResult },
  "llm.fail": { resultSchema: usageResult },
  "llm.short": { outputSchema: usageResult },
  "face.find": {},
};

Deno.test("GuardedBus refuses without the scope, by call, stream and find, and tells nothing", async () => {
  await withBus(async ({ bus }) => {
    const principal = testIdentity({ scopes: ["invoke:face.*", "plugins:read"] });
    for (
      const name of ["llm.chat", "llm.none", "face", "facexfind", "", "constructor"]
    ) {
      const refused = { code: "FORBIDDEN", details: { scope: `invoke:${name}` } };
      await assert.rejects(bus.call(name, {}, { principal }), refused, name);
      await assert.rejects(bus.stream(name, {}, { principal }).next(), refused, name);
      assert.throws(() => bus.find(name, principal), refused, name);
    }
    assert.equal(await bus.call("face.find", {}, { principal }), "face");
    await assert.rejects(bus.call("face.none", {}, { principal }), { code: "NOT_FOUND" });
    const long = `x${"\ud800y".repeat(100_000)}`;
    await assert.rejects(bus.call(long, {}, { principal }), (error: AppError) => {
      assert.ok(JSON.stringify(error.toWire()).length < 1000);
      return true;
    });
  });
});

Deno.test("GuardedBus: of 20 calls at once with room for one, one runs, and the rest cost nothing", async () => {
  await withBus(async ({ bus, runs, usage }) => {
    // A call may use 100 tokens and as many as its text has bytes.
    const principal = testIdentity({
      limits: { tokensPerDay: 105 + 104, requestsPerMinute: 1000 },
    });
    const input = { prompt: "hello", maxTokens: 100 };
    const calls = await Promise.allSettled(
      Array.from({ length: 20 }, () => bus.call("llm.chat", input, { principal })),
    );
    assert.equal(calls.filter(({ status }) => status === "fulfilled").length, 1);
    assert.equal(runs.count, 1);
    const refused = calls.find(({ status }) => status === "rejected") as PromiseRejectedResult;
    const { code, details } = refused.reason as AppError;
    assert.equal(code, "RATE_LIMITED");
    const { policy, tokens, remaining, retryAfterMs } = details as Record<string, unknown>;
    // What holds the rest gives it back soon.
    assert.deepEqual([policy, tokens, remaining, retryAfterMs], ["tokens-day", 105, 104, 1000]);
    // It used 3 and 4; of the calls that were refused none is counted as one.
    assert.deepEqual(await leftOf(bus, principal), { requests: 999, "tokens-day": 209 - 7 });
    assert.deepEqual((await usage()).map(({ calls }) => calls), [1]);
    await bus.call("llm.chat", input, { principal });
  });
});

Deno.test("GuardedBus: one quota of many is enough to refuse, and no other loses anything", async () => {
  await withBus(async ({ bus, runs }) => {
    const principal = testIdentity({
      limits: { tokensPerDay: 5000, tokensPerMonth: 9000, requestsPerMinute: 5 },
      key: { id: "k1", limits: { tokensPerDay: 10, requestsPerMinute: 5 } },
    });
    for (let i = 0; i < 8; i++) {
      await assert.rejects(bus.call("llm.chat", { prompt: "hello" }, { principal }), {
        code: "RATE_LIMITED",
        // It asks for more than there ever is.
        retryable: false,
      });
    }
    assert.equal(runs.count, 0);
    assert.deepEqual((await bus.limits(principal)).map(({ remaining }) => remaining), [
      5,
      5,
      5000,
      9000,
      10,
    ]);
  });
});

Deno.test("GuardedBus: a stream that is cut is settled by its items, and its reservation goes", async () => {
  await withBus(async ({ bus, usage }) => {
    const principal = testIdentity({ limits: { tokensPerDay: 5000 } });
    const input = { prompt: "12345678", maxTokens: 1000 };
    const items = bus.stream("llm.chat", input, { principal });
    await items.next();
    await items.next();
    assert.deepEqual(await leftOf(bus, principal), { "tokens-day": 5000 - 1008 });
    await items.return(undefined);
    assert.deepEqual(await leftOf(bus, principal), { "tokens-day": 5000 - 2 - 2 });
    const aborting = new AbortController();
    const cut = bus.stream("llm.chat", input, { principal, signal: aborting.signal });
    await cut.next();
    aborting.abort(new AppError("CANCELLED", "gone"));
    await assert.rejects(Array.fromAsync(cut), { code: "CANCELLED" });
    assert.deepEqual(await leftOf(bus, principal), { "tokens-day": 4996 - 2 - 1 });
    const [row] = await usage();
    assert.deepEqual([row?.calls, row?.errors, row?.completionTokens], [2, 0, 3]);
  });
});

Deno.test("GuardedBus: a call that fails gives its tokens back, and is an error", async () => {
  await withBus(async ({ bus, usage }) => {
    const principal = testIdentity({ limits: { tokensPerDay: 2000 } });
    for (let i = 0; i < 5; i++) {
      await assert.rejects(bus.call("llm.fail", {}, { principal }), { code: "PLUGIN_ERROR" });
    }
    assert.deepEqual(await leftOf(bus, principal), { "tokens-day": 2000 });
    const [row] = await usage();
    assert.deepEqual([row?.calls, row?.errors], [5, 5]);
  });
});

Deno.test("GuardedBus: a stream tells its result, and the limit nearest to its end before it begins", async () => {
  await withBus(async ({ bus, usage }) => {
    const principal = testIdentity({
      limits: { requestsPerMinute: 10, tokensPerMonth: 1e9 },
      key: { id: "k1" },
    });
    const told: LimitState[] = [];
    const onLimit = (state: LimitState) => void told.push(state);
    const items = bus.stream("llm.chat", { prompt: "x" }, { principal, onLimit });
    assert.equal(told.length, 0);
    const seen = [];
    let last;
    while (!(last = await items.next()).done) seen.push(last.value);
    assert.equal(seen.length, 5);
    assert.deepEqual(last.value, { usage: { promptTokens: 3, completionTokens: 4 } });
    assert.deepEqual(told.map(({ policy, remaining }) => [policy, remaining]), [["requests", 9]]);
    // One that does not stream has its result in its only item.
    await Array.fromAsync(bus.stream("llm.short", {}, { principal }));
    const rows = await usage();
    assert.deepEqual(
      rows.map(({ capability, keyId, promptTokens, completionTokens }) =>
        [capability, keyId, promptTokens, completionTokens].join(" ")
      ).sort(),
      ["llm.chat k1 3 4", "llm.short k1 5 6"],
    );
  });
});

Deno.test("GuardedBus: capabilities without tokens are let in when the tokens are used up", async () => {
  await withBus(async ({ bus }) => {
    const principal = testIdentity({ limits: { tokensPerDay: 0 } });
    await assert.rejects(bus.call("llm.chat", {}, { principal }), { code: "RATE_LIMITED" });
    assert.equal(await bus.call("face.find", { image: "A".repeat(1000) }, { principal }), "face");
  });
});

Deno.test("GuardedBus: who is not limited is asked for nothing, and counted all the same", async () => {
  await withBus(async ({ bus, usage }) => {
    const told: LimitState[] = [];
    const principal = testIdentity();
    await bus.call("llm.chat", {}, { principal, onLimit: (state) => void told.push(state) });
    assert.deepEqual([told, await bus.limits(principal)], [[], []]);
    const [{ day: _day, busyMs, ...row } = assert.fail("no row")] = await usage();
    assert.ok(busyMs >= 0);
    assert.deepEqual(row, {
      userId: "ada",
      keyId: "",
      pluginId: "llm",
      capability: "llm.chat",
      calls: 1,
      errors: 0,
      promptTokens: 3,
      completionTokens: 4,
    });
  });
});

interface TestBus {
  bus: GuardedBus;
  runs: { count: number };
  usage(): Promise<Awaited<ReturnType<ReturnType<typeof openUsageStore>["days"]>>["days"]>;
}

async function withBus(run: (test: TestBus) => Promise<void>): Promise<void> {
  const runs = { count: 0 };
  const guest: Record<string, TestHandler> = {
    async *"llm.chat"() {
      runs.count++;
      for (let i = 0; i < 5; i++) {
        await new Promise((resolve) => setTimeout(resolve, 2));
        yield i;
      }
      return { usage: { promptTokens: 3, completionTokens: 4 } };
    },
    "llm.fail"() {
      throw new AppError("PLUGIN_ERROR", "broken");
    },
    "llm.short": () => ({ usage: { promptTokens: 5, completionTokens: 6 } }),
    "face.find": () => "face",
  };
  const { host } = createTestHost(
    [installed("llm", capabilities, { limits: { concurrency: 100, queue: 100 } })],
    { llm: guest },
  );
  await using _host = host;
  await using usage = openUsageStore({
    db: database.db,
    failed: (error) => assert.fail(String(error)),
  });
  using rates = createRateLimits();
  const bus = createGuardedBus({
    bus: host.bus,
    rates,
    quotas: createQuotas({ tallies: usage }),
    meter: usage,
  });
  await run({
    bus,
    runs,
    usage: async () => (await usage.days({ from: "2000-01-01", to: "2999-12-31" })).days,
  });
}

async function leftOf(bus: GuardedBus, principal: Identity): Promise<Record<string, number>> {
  const states = await bus.limits(principal);
  return Object.fromEntries(states.map(({ policy, remaining }) => [policy, remaining]));
}
