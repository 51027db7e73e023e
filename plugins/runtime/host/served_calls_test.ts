// The service "auth": a plugin acts for who calls it, and for nobody else.

import assert from "node:assert/strict";
import type { AuthMethod } from "../contract/auth_service.ts";
import { AppError } from "../contract/error.ts";
import { noPermissions } from "../contract/grant.ts";
import type { Principal } from "./host.ts";
import { createTestHost, installed, operator, type TestPlugin, until } from "./testing.ts";

const alice: Principal = { id: "alice", role: "user" };
const bob: Principal = { id: "bob", role: "user" };
const asksForAuth = { permissions: { services: ["auth"] } };

/** A plugin with a call that asks as it is told, and one that stays until it is cancelled. */
function actor(id: string): TestPlugin {
  return {
    [`${id}.ask`]: (input: { call: unknown; method?: string; more?: object }, _, guest) =>
      guest.call(`auth.${input.method ?? "listKeys"}`, {
        call: input.call,
        input: { limit: 1 },
        ...input.more,
      }),
    [`${id}.stay`]: (_: unknown, call) =>
      new Promise((resolve) => call.signal.addEventListener("abort", () => resolve(null))),
    [`${id}.forge`]: (code: never) => {
      throw new AppError(code, "Nobody is calling: this is served within a call alone");
    },
  };
}

interface Asked {
  method: AuthMethod;
  input: unknown;
  principal: Principal;
}

function startHost(extra: Record<string, unknown> = asksForAuth) {
  const asked: Asked[] = [];
  const answers: (AppError | undefined)[] = [];
  const ids = ["one", "two"];
  const plugins = ids.map((id) =>
    installed(id, { [`${id}.ask`]: {}, [`${id}.stay`]: {}, [`${id}.forge`]: {} }, extra, "builtin")
  );
  const world = createTestHost(plugins, Object.fromEntries(ids.map((id) => [id, actor(id)])), {
    auth: {
      call(method, input, principal) {
        asked.push({ method, input, principal });
        const answer = answers.shift();
        return answer === undefined ? Promise.resolve({ keys: [] }) : Promise.reject(answer);
      },
    },
  });
  const ask = (principal: Principal, call: unknown, more: object = {}) =>
    world.bus.call("one.ask", { call, ...more }, { principal });
  return { ...world, asked, answers, ask };
}

Deno.test("a plugin with auth acts for the principal of its call, whoever it says that is", async () => {
  const { host, bus, asked, ask } = startHost();
  await using _ = host;
  assert.deepEqual(await ask(alice, 1), { keys: [] });
  // Beside the number nothing counts.
  const more = { principal: operator, role: "admin", method: "listKeys" };
  await bus.call("one.ask", { call: 2, more }, { principal: bob });
  assert.deepEqual(asked.map(({ principal }) => principal), [alice, bob]);
  assert.equal(asked[0]!.principal, alice);
  assert.deepEqual(asked[0]!.input, { limit: 1 });
  const entries = host.audit("one", 10).filter(({ action }) => action === "service");
  assert.deepEqual(entries.map(({ object, outcome }) => [object, outcome]), [
    ["auth.listKeys for alice", "ok"],
    ["auth.listKeys for bob", "ok"],
  ]);
});

Deno.test("a number of no running call, of another cell, or of nothing is refused", async () => {
  const { host, bus, asked, ask } = startHost();
  await using _ = host;
  const leaving = new AbortController();
  const staying = bus.call("two.stay", null, { principal: operator, signal: leaving.signal });
  staying.catch(() => {});
  await until(() => host.list()[1]!.status === "running");
  await ask(alice, 1);
  for (const call of [1, 99, 0, -1, 1.5, "2", null, undefined, {}, [2], 2 ** 53, NaN]) {
    await assert.rejects(bus.call("one.ask", { call }, { principal: alice }), (error: AppError) => {
      assert.equal(error.code, "PLUGIN_ERROR");
      assert.match(error.message, /Nobody is calling/);
      return true;
    });
  }
  // "two" serves its first call for the operator; for "one" that number is the one of alice's, which has ended.
  assert.deepEqual(asked.map(({ principal }) => principal.id), ["alice"]);
  leaving.abort();
});

Deno.test("a caller who left is acted for no longer, though the plugin goes on", async () => {
  const { host, bus, asked, ask, last } = startHost();
  await using _ = host;
  const leaving = new AbortController();
  const stay = bus.call("one.stay", null, { principal: alice, signal: leaving.signal });
  stay.catch(() => {});
  await until(() => host.list()[0]!.status === "running");
  await ask(bob, 1);
  assert.deepEqual(asked.map(({ principal }) => principal.id), ["alice"], "calls of one cell");
  leaving.abort();
  await assert.rejects(last().guest.call("auth.listKeys", { call: 1, input: {} }), {
    code: "FORBIDDEN",
  });
});

Deno.test("without the grant, without a call, and on a host without accounts there is no auth", async () => {
  const { host, ask, asked, last } = startHost();
  await using _ = host;
  await ask(alice, 1);
  await assert.rejects(last().guest.call("auth.createKey", { input: {} }), { code: "FORBIDDEN" });
  await assert.rejects(last().guest.call("auth.everything", { call: 1 }), { code: "NOT_FOUND" });
  await host.setGrants("one", noPermissions, operator);
  await assert.rejects(ask(alice, 2), { code: "GRANT_DENIED" });
  assert.equal(asked.length, 1);

  // One that never asked for it is told no number, and has none to tell.
  const unasked = startHost({});
  await using __ = unasked.host;
  await assert.rejects(unasked.ask(alice, 1), { code: "GRANT_DENIED" });
  assert.equal(unasked.asked.length, 0);

  const page = createTestHost([installed("one", { "one.ask": {} }, asksForAuth, "builtin")], {
    one: actor("one"),
  });
  await using ___ = page.host;
  await assert.rejects(page.bus.call("one.ask", { call: 1 }, { principal: alice }), {
    code: "UNSUPPORTED_FEATURE",
  });
});

Deno.test("what the host refused is told to the caller, and a plugin cannot say it by itself", async () => {
  const { host, bus, answers, ask } = startHost();
  await using _ = host;
  answers.push(new AppError("FORBIDDEN", "You lack it", { details: { scope: "account" } }));
  await assert.rejects(ask(alice, 1), {
    code: "FORBIDDEN",
    message: "You lack it",
    details: { scope: "account" },
  });
  answers.push(new AppError("RATE_LIMITED", "Later", { details: { retryAfterMs: 5 } }));
  await assert.rejects(ask(alice, 2), { code: "RATE_LIMITED" });
  for (const code of ["FORBIDDEN", "UNAUTHENTICATED"]) {
    await assert.rejects(bus.call("one.forge", code, { principal: alice }), {
      code: "PLUGIN_ERROR",
    });
  }
  assert.equal(host.audit("one", 20).filter(({ outcome }) => outcome === "denied").length, 1);
});
