import assert from "node:assert/strict";
import { AppError, type ErrorCode } from "../contract/error.ts";
import { type Grant, noPermissions, permissionsSchema } from "../contract/grant.ts";
import { describeGrantChange } from "./consent.ts";
import type { PluginState } from "./plugin_config.ts";
import type { PluginHostDeps } from "./plugin_host.ts";
import type { InstalledPlugin } from "./registry.ts";
import { createTestHost, installed, operator, settle, type TestPlugin, until } from "./testing.ts";

const echo = { "demo.echo": {} };
const asks = (permissions: Record<string, unknown>) => permissionsSchema.parse(permissions);
const one = asks({ services: ["models"], models: ["tiny"] });
const two = asks({ services: ["models"], models: ["tiny"], fetch: ["api.example.org"] });

function withCode(code: ErrorCode, message = /./) {
  return (error: AppError) => error.code === code && message.test(error.message);
}

const waits = withCode("CONSENT_REQUIRED");

interface AskingOptions {
  stored?: PluginState;
  origin?: InstalledPlugin["origin"];
  guest?: TestPlugin;
  manifest?: Record<string, unknown>;
  extra?: Partial<PluginHostDeps>;
}

const opens: TestPlugin = {
  "demo.echo": async (id: string, _call, guest) =>
    id === "" ? null : await guest.call("models.open", { id }),
};

/** A plugin "demo", a stranger's unless told otherwise, that asks for what `next` says at each reading. */
function asking(permissions: Grant, options: AskingOptions = {}) {
  const { stored, origin, guest = opens, manifest = {}, extra = {} } = options;
  const next = { permissions, version: "1.0.0" };
  const found = (): InstalledPlugin => ({
    ...installed("demo", echo, { ...manifest, ...next }, origin),
    reread: () => Promise.resolve(found()),
  });
  const parts = createTestHost([found()], { demo: guest }, {
    models: {
      list: () => Promise.resolve([]),
      open: (id) =>
        Promise.resolve({
          ...{ id, size: 1, format: "gguf", release: () => {} },
          files: [{ name: "a", path: `/models/${id}`, size: 1 }],
        }),
    },
    ...(stored === undefined ? {} : { state: { load: () => stored, save: () => {} } }),
    ...extra,
  });
  const call = (id = "") => parts.bus.call("demo.echo", id, { principal: operator });
  const view = () => parts.host.get("demo");
  return { ...parts, next, call, view };
}

function given(granted: Grant, requested = granted): PluginState {
  return { enabled: true, consent: { requested, granted } };
}

Deno.test("a stranger's plugin that asks for something is not started by calls, start, restart or the host", async () => {
  const { host, call, cells, view } = asking(two, {
    stored: { enabled: true, autostart: true },
  });
  await settle();
  const ways = /"models: tiny".*"plugins\/demo#permissions".*"bkg plugin grant demo"/;
  await assert.rejects(call(), withCode("CONSENT_REQUIRED", ways));
  await assert.rejects(Promise.all([call(), call("tiny")]), waits);
  await assert.rejects(host.start("demo", operator), waits);
  await assert.rejects(host.restart("demo", operator), waits);
  await assert.rejects(host.loadCode("demo"), waits);
  await assert.rejects(host.bus.stream("demo.echo", "", { principal: operator }).next(), waits);
  assert.equal(cells.length, 0);
  const { status, needsConsent, lastError, retryAtMs } = view();
  assert.deepEqual([status, needsConsent, retryAtMs], ["stopped", true, undefined]);
  assert.equal(lastError?.code, "CONSENT_REQUIRED");
  const denied = host.audit("demo", 10).filter(({ outcome }) => outcome === "denied");
  assert.ok(denied.every(({ action }) => action === "invoke") && denied.length > 0);
  await host[Symbol.asyncDispose]();
});

Deno.test("what the error says of a manifest is plain, short, and cannot forge a line", async () => {
  const models = Array.from({ length: 200 }, (_, index) => `\u202e\n${index}${"x".repeat(400)}`);
  const { host, call } = asking(asks({ models }));
  const error = await call().catch((thrown) => thrown);
  assert.ok(error instanceof AppError);
  assert.doesNotMatch(error.message, /[\n\u202e]/);
  assert.match(error.message, /and 195 more/);
  assert.ok(error.message.length < 900 && JSON.stringify(error.details).length < 8000);
  await host[Symbol.asyncDispose]();
});

Deno.test("a plugin of ours, and one that asks for nothing, need no consent", async () => {
  for (const own of [asking(two, { origin: "builtin" }), asking(noPermissions)]) {
    assert.equal(own.view().needsConsent, false);
    assert.equal(own.host.grants("demo").consent, "none-needed");
    assert.equal(await own.call(), null);
    await own.host[Symbol.asyncDispose]();
  }
});

Deno.test("a plugin of ours that somebody limited starts after an upgrade, with what it was left", async () => {
  const { host, call, view } = asking(two, {
    origin: "builtin",
    stored: given({ ...one, models: [] }, one),
  });
  assert.equal(await call(), null);
  assert.deepEqual(view().missingGrants, ["models: tiny", "fetch: api.example.org"]);
  await assert.rejects(call("tiny"), withCode("GRANT_DENIED"));
  await host[Symbol.asyncDispose]();
});

Deno.test("consent starts what was refused a start or starts with the host, and nothing else", async () => {
  const idle = asking(one);
  await assert.rejects(idle.call(), waits);
  await idle.host.setGrants("demo", one, operator);
  await settle();
  assert.deepEqual([idle.view().status, idle.view().needsConsent], ["stopped", false]);
  assert.equal(idle.view().lastError, undefined);
  assert.deepEqual(idle.saved.get("demo")?.consent, { requested: one, granted: one });

  const refused = asking(one);
  await assert.rejects(refused.host.start("demo", operator), waits);
  await refused.host.setGrants("demo", one, operator);
  await until(() => refused.view().status === "running");

  const stopped = asking(one);
  await assert.rejects(stopped.host.start("demo", operator), waits);
  await stopped.host.stop("demo", operator);
  await stopped.host.setGrants("demo", one, operator);

  const auto = asking(one, { stored: { enabled: true, autostart: true } });
  await auto.host.setGrants("demo", one, operator);
  await until(() => auto.view().status === "running");
  assert.equal(stopped.view().status, "stopped");
  for (const { host } of [idle, refused, stopped, auto]) await host[Symbol.asyncDispose]();
});

Deno.test("subscribers learn of a stop and of a consent, though nothing runs", async () => {
  const { host } = asking(one);
  const seen: [boolean, boolean][] = [];
  host.subscribe((event) => {
    if (event.topic === "status") seen.push([event.plugin.enabled, event.plugin.needsConsent]);
  });
  await host.stop("demo", operator);
  await host.setGrants("demo", one, operator);
  assert.deepEqual(seen, [[false, true], [false, false]]);
  await host[Symbol.asyncDispose]();
});

Deno.test("a consent to a part starts the plugin, which is denied the rest", async () => {
  const { host, call, view } = asking(one);
  await host.setGrants("demo", { ...one, models: [] }, operator);
  assert.equal(await call(), null);
  await assert.rejects(call("tiny"), withCode("GRANT_DENIED", /models: tiny/));
  assert.deepEqual([view().needsConsent, view().missingGrants], [false, ["models: tiny"]]);
  assert.equal(host.grants("demo").consent, "given");
  await host[Symbol.asyncDispose]();
});

Deno.test("a newer version that asks for more is refused, and the old one goes on with the old grant", async () => {
  const { host, call, next, cells, view } = asking(one, { stored: given(one) });
  await call("tiny");
  Object.assign(next, { permissions: two, version: "2.0.0" });
  const seen: boolean[] = [];
  host.subscribe((event) => event.topic === "status" && seen.push(event.plugin.needsConsent));
  const refused = withCode("CONSENT_REQUIRED", /2\.0\.0.*"fetch: api\.example\.org"\)/);
  await assert.rejects(host.restart("demo", operator), refused);
  await assert.rejects(host.configure("demo", { limits: { queue: 7 } }, operator), refused);
  await call("tiny");
  const { status, version, needsConsent, permissions, lastError, limits } = view();
  assert.deepEqual([status, version, needsConsent], ["running", "1.0.0", true]);
  assert.deepEqual([permissions, lastError, limits.queue], [one, undefined, 256]);
  assert.ok(seen.includes(true));
  const { requested, consented, consent, missing, ...grants } = host.grants("demo");
  assert.deepEqual([grants.version, consent, missing], ["2.0.0", "needed", [
    "fetch: api.example.org",
  ]]);
  assert.deepEqual([requested, consented, grants.granted], [two, one, one]);

  await host.setGrants("demo", two, operator);
  await settle();
  assert.deepEqual([view().version, view().needsConsent, cells.length], ["1.0.0", false, 1]);
  await host.restart("demo", operator);
  assert.deepEqual([view().version, cells.length], ["2.0.0", 2]);
  await host[Symbol.asyncDispose]();
});

Deno.test("what runs is revoked at once while a newer version waits, without a consent to that", async () => {
  const { host, call, next, last, view } = asking(one, { stored: given(one) });
  await call("tiny");
  next.permissions = two;
  await assert.rejects(host.restart("demo", operator), waits);
  assert.equal(last().files.size, 1);
  await host.setGrants("demo", { ...one, models: [] }, operator, { consents: false });
  assert.equal(last().files.size, 0);
  await assert.rejects(call("tiny"), withCode("GRANT_DENIED"));
  assert.equal(view().needsConsent, true);
  await assert.rejects(host.restart("demo", operator), waits);
  await host[Symbol.asyncDispose]();
});

Deno.test("a newer version that is found by the first call after an idle stop waits, and goes on when it is undone", async () => {
  const { host, call, next, cells, time, view } = asking(one, { stored: given(one) });
  await call();
  await time.advance(700_000);
  assert.equal(view().status, "stopped");
  next.permissions = two;
  await assert.rejects(Promise.all([call(), call()]), waits);
  await assert.rejects(call(), waits);
  assert.deepEqual([view().status, cells.length], ["stopped", 1]);
  next.permissions = one;
  await host.start("demo", operator);
  assert.deepEqual([view().status, view().needsConsent], ["running", false]);
  await host[Symbol.asyncDispose]();
});

Deno.test("calls that wait for a slot of the old version are served while a newer one waits for consent", async () => {
  const gate = Promise.withResolvers<null>();
  const { host, call, next, cells } = asking(one, {
    stored: given(one),
    guest: { "demo.echo": () => gate.promise },
    manifest: { limits: { concurrency: 1 } },
  });
  const calls = [1, 2, 3].map(() => call());
  await until(() => cells.length === 1);
  next.permissions = two;
  await settle();
  await assert.rejects(host.restart("demo", operator), waits);
  calls.push(call());
  gate.resolve(null);
  assert.deepEqual(await Promise.all(calls), [null, null, null, null]);
  await host[Symbol.asyncDispose]();
});

Deno.test("when the old version crashes the newer one waits for consent, and no call brings it up", async () => {
  const { host, call, next, cells, time, view } = asking(one, { stored: given(one) });
  await call();
  next.permissions = two;
  await assert.rejects(host.restart("demo", operator), waits);
  cells[0]!.die({ reason: "crashed", message: "signal 11" });
  await settle();
  await time.advance(60_000);
  await assert.rejects(call(), waits);
  assert.equal(cells.length, 1);
  await host.setGrants("demo", two, operator);
  assert.equal(await call(), null);
  assert.equal(view().needsConsent, false);
  await host[Symbol.asyncDispose]();
});

Deno.test("less, or what a star covers, needs no new consent; a command of other words does", async () => {
  const star = asks({ models: ["*"], commands: [["git", "log"]] });
  const fine = [noPermissions, { ...star, models: ["tiny", "big"] }, { ...star, commands: [] }];
  for (const permissions of fine) {
    const { host, call } = asking(permissions, { stored: given(star) });
    assert.equal(await call(), null);
    await host[Symbol.asyncDispose]();
  }
  const more = [
    { ...star, commands: [["git log"]] },
    { ...star, commands: [["git", "log", "-p"]] },
    { ...star, fetch: ["*"] },
    { ...star, files: { read: ["/"], write: [] } },
    { ...star, services: ["auth" as const] },
  ];
  for (const permissions of more) {
    const { host, call, cells } = asking(permissions, { stored: given(star) });
    await assert.rejects(call(), waits);
    assert.equal(cells.length, 0);
    await host[Symbol.asyncDispose]();
  }
});

Deno.test("a consent is to what was looked at, whatever the plugin asks for by then", async () => {
  const { host, call, view } = asking(two);
  await host.setGrants("demo", one, operator, { requested: one });
  assert.equal(view().needsConsent, true);
  await assert.rejects(call(), withCode("CONSENT_REQUIRED", /fetch/));
  await host[Symbol.asyncDispose]();
});

Deno.test("a stored consent that cannot be read is none", async () => {
  const stored = { enabled: true, consent: { granted: two } } as never;
  const { host, call } = asking(one, { stored });
  await assert.rejects(call(), waits);
  await host[Symbol.asyncDispose]();
});

Deno.test("a consent that cannot be stored starts nothing, and says so", async () => {
  const save = (_id: string, { consent }: PluginState) => {
    if (consent !== undefined) throw new AppError("UNAVAILABLE", "The disk is full");
  };
  const { host, cells } = asking(one, { extra: { state: { load: () => undefined, save } } });
  await assert.rejects(host.start("demo", operator), waits);
  await assert.rejects(host.setGrants("demo", one, operator), withCode("UNAVAILABLE"));
  await settle();
  assert.equal(cells.length, 0);
  await host[Symbol.asyncDispose]();
});

Deno.test("a plugin cannot claim that it waits for consent", async () => {
  const forged = () => {
    throw new AppError("CONSENT_REQUIRED", "Grant me everything");
  };
  const guests: TestPlugin[] = [{ "demo.echo": forged }, { init: forged, "demo.echo": () => 1 }];
  for (const guest of guests) {
    const { host, bus } = createTestHost([installed("demo", echo)], { demo: guest });
    await assert.rejects(
      bus.call("demo.echo", 1, { principal: operator }),
      withCode("PLUGIN_ERROR"),
    );
    assert.equal(host.get("demo").needsConsent, false);
    await host[Symbol.asyncDispose]();
  }
});

Deno.test("setGrants is audited by who gave and took what", async () => {
  const { host } = asking(two);
  await host.setGrants("demo", two, { id: "ada", role: "admin" });
  await host.setGrants("demo", { ...two, fetch: [], models: ["*"] }, { id: "eve", role: "admin" });
  await host.setGrants("demo", { ...two, fetch: [], models: ["*"] }, { id: "eve", role: "admin" });
  const entries = host.audit("demo", 10).map(({ principal, action, object, outcome }) =>
    `${principal} ${action} ${object} ${outcome}`
  );
  assert.deepEqual(entries, [
    'ada grant +"models: tiny", +"services: models", +"fetch: api.example.org" ok',
    'eve grant +"models: *", -"fetch: api.example.org" ok',
    "eve grant nothing given, nothing taken ok",
  ]);
  await host[Symbol.asyncDispose]();
});

Deno.test("describeGrantChange keeps a name from passing for another change, and many in bounds", () => {
  const odd = asks({ models: ['x", -"services: auth', "\u202e\nforged"] });
  const text = describeGrantChange(noPermissions, odd);
  assert.equal(text, '+"models: x\\", -\\"services: auth", +"models: \ufffd↵forged"');
  const many = asks({ models: Array.from({ length: 200 }, (_, index) => `model-${index}`) });
  const long = describeGrantChange(many, noPermissions);
  assert.ok(long.length < 950);
  const [, more] = /^-"models: model-0".* and (\d+) more$/.exec(long) ?? [];
  assert.equal(long.split('-"models').length - 1 + Number(more), 200);
});
