import assert from "node:assert/strict";
import { AppError, type ErrorCode } from "../contract/error.ts";
import type { SchemaIssue } from "../contract/schema.ts";
import { createSecretTest } from "./secret_settings.ts";
import { createTestHost, installed, operator, settle, type TestPlugin, until } from "./testing.ts";

const options = { principal: operator };
const echo = { "demo.echo": {} };
const guest: TestPlugin = { "demo.echo": (input) => input };
const settings = {
  properties: {
    threads: { type: "integer", minimum: 1, default: 2 },
    model: { type: "string", default: "tiny" },
    apiKey: { type: "string", minLength: 3, writeOnly: true },
    "a/b": { type: "string", writeOnly: true, default: "public" },
  },
  additionalProperties: false,
};

function withCode(code: ErrorCode, message = /./) {
  return (error: AppError) => error.code === code && message.test(error.message);
}

function configurable(plugin: TestPlugin = guest, extra: Record<string, unknown> = {}) {
  return createTestHost([installed("demo", echo, { settings, ...extra })], { demo: plugin });
}

async function issuesOf(promise: Promise<unknown>): Promise<string[]> {
  const error = await promise.then(() => undefined, (thrown) => thrown);
  assert.ok(error instanceof AppError);
  assert.equal(error.code, "INVALID_INPUT");
  const { issues } = error.details as { issues: SchemaIssue[] };
  return issues.map(({ path }) => path);
}

Deno.test("configure refuses what does not match the schema or the limits, names each place, and changes nothing", async () => {
  const { host, saved, cells, bus } = configurable();
  await bus.call("demo.echo", 1, options);
  const before = host.config("demo");
  const refused: [Parameters<typeof host.configure>[1], string[]][] = [
    [{ settings: { threads: 0 } }, ["/threads"]],
    [{ settings: { threads: "many", model: 1 } }, ["/threads", "/model"]],
    [{ settings: { apiKey: "secret" } }, ["/apiKey"]],
    [{ secrets: { threads: "2" } }, ["/threads"]],
    [{ secrets: { "x/y~z": "2" } }, ["/x~1y~0z"]],
    [{ secrets: { apiKey: "s" }, enabled: false }, ["/apiKey"]],
    [{ limits: { memoryMb: 1 } }, ["/limits/memoryMb"]],
    [{ limits: { cores: 1 } as never }, ["/limits"]],
    [{ limits: JSON.parse('{"__proto__":{"memoryMb":1}}') }, ["/limits"]],
    [{ settings: {}, limits: { queue: -1 } }, ["/limits/queue"]],
  ];
  for (const [change, paths] of refused) {
    assert.deepEqual(await issuesOf(host.configure("demo", change, operator)), paths);
  }
  assert.deepEqual(host.config("demo"), before);
  assert.equal(saved.size, 0);
  assert.equal(cells.length, 1);
  await assert.rejects(host.configure("none", {}, operator), withCode("NOT_FOUND"));
  await host[Symbol.asyncDispose]();
});

Deno.test("a secret reaches the plugin and nobody else, and is deleted by null", async () => {
  const { host, bus, last, saved } = configurable();
  const config = await host.configure(
    "demo",
    { secrets: { apiKey: "hush-hush" }, settings: { threads: 3 } },
    operator,
  );
  assert.deepEqual(config.secretsSet, ["apiKey"]);
  assert.deepEqual(config.settings, { threads: 3, model: "tiny" });
  await bus.call("demo.echo", 1, options);
  const given = { threads: 3, model: "tiny", apiKey: "hush-hush", "a/b": "public" };
  assert.deepEqual(last().init?.["settings"], given);
  const seen = [config, host.list(), host.audit("demo", 100), host.logs("demo", 100)];
  seen.push(host.history({ topic: "status" }) as never);
  assert.equal(JSON.stringify(seen).includes("hush"), false);
  // Other settings are replaced; a secret stays until it is told to go.
  await host.configure("demo", { settings: {} }, operator);
  assert.deepEqual(last().init?.["settings"], { ...given, threads: 2 });
  await host.configure("demo", { secrets: { apiKey: null } }, operator);
  assert.deepEqual(host.config("demo").secretsSet, []);
  assert.equal("apiKey" in (last().init?.["settings"] as object), false);
  assert.deepEqual(saved.get("demo")?.secrets, {});
  await host[Symbol.asyncDispose]();
});

Deno.test("a secret stays one when a later version's schema says it is none", async () => {
  const state = { enabled: true, secrets: { apiKey: "hush-hush" }, settings: { model: "big" } };
  const store = { load: () => state, save: () => {} };
  for (
    const later of [{ properties: { apiKey: { type: "string" } } }, { additionalProperties: false }]
  ) {
    const { host, bus, last } = createTestHost(
      [installed("demo", echo, { settings: { ...later, properties: { model: {} } } })],
      { demo: guest },
      { state: store },
    );
    assert.equal(JSON.stringify(host.config("demo")).includes("hush"), false);
    await bus.call("demo.echo", 1, options);
    assert.deepEqual(last().init?.["settings"], { model: "big" });
    await host[Symbol.asyncDispose]();
  }
  const broken = { ...installed("demo", echo), manifest: { id: "demo" } };
  const { host } = createTestHost([broken], {}, { state: store });
  assert.deepEqual(host.config("demo").settings, {});
  await assert.rejects(
    host.configure("demo", { settings: {} }, operator),
    withCode("INVALID_MANIFEST"),
  );
  assert.equal((await host.configure("demo", { autostart: true }, operator)).autostart, true);
  await host[Symbol.asyncDispose]();
});

Deno.test("configure swaps a running cell when its settings or limits really changed", async () => {
  const { host, bus, cells, saved } = configurable();
  await host.configure("demo", { settings: { threads: 2 } }, operator);
  assert.equal(cells.length, 0);
  await bus.call("demo.echo", 1, options);
  await host.configure("demo", { settings: { model: "tiny", threads: 2 } }, operator);
  await host.configure("demo", { autostart: true, limits: { queue: 256 } }, operator);
  assert.equal(cells.length, 1);
  const config = await host.configure("demo", { limits: { concurrency: 3 } }, operator);
  assert.equal(cells.length, 2);
  assert.equal(cells[1]?.spec.limits.concurrency, 3);
  assert.equal(host.get("demo").limits.concurrency, 3);
  assert.deepEqual([config.limits.concurrency, config.defaultLimits.concurrency], [3, 16]);
  assert.deepEqual(saved.get("demo")?.limits, { concurrency: 3 });
  await host.configure("demo", { limits: { memoryMb: 256 } }, operator);
  await host.configure("demo", { limits: { concurrency: 16 } }, operator);
  assert.deepEqual(saved.get("demo")?.limits, { memoryMb: 256 });
  assert.equal(cells.length, 4);
  await host[Symbol.asyncDispose]();
});

Deno.test("settings with which the plugin does not start are taken back, and the old cell goes on", async () => {
  const plugin: TestPlugin = {
    ...guest,
    init: (input: { settings: { model: string } }) => {
      if (input.settings.model === "huge") throw new Error("no such model");
      return { contract: "1", capabilities: ["demo.echo"] };
    },
  };
  const { host, bus, saved } = configurable(plugin);
  await bus.call("demo.echo", 1, options);
  const bad = host.configure("demo", { settings: { model: "huge" }, autostart: true }, operator);
  const good = host.configure("demo", { settings: { threads: 7 } }, operator);
  await assert.rejects(bad, withCode("PLUGIN_ERROR", /no such model/));
  assert.deepEqual((await good).settings, { threads: 7, model: "tiny" });
  assert.equal(host.get("demo").status, "running");
  assert.equal(await bus.call("demo.echo", 5, options), 5);
  assert.deepEqual(saved.get("demo")?.settings, { threads: 7 });
  await host[Symbol.asyncDispose]();
});

Deno.test("a stop during the swap of a configure calls off the swap, not the change", async () => {
  let starts = 0;
  const plugin: TestPlugin = {
    ...guest,
    init: () =>
      starts++ === 0 ? { contract: "1", capabilities: ["demo.echo"] } : new Promise(() => {}),
  };
  const { host, bus, saved, cells } = configurable(plugin);
  await bus.call("demo.echo", 1, options);
  const configured = host.configure("demo", { settings: { threads: 7 } }, operator);
  await until(() => cells.length === 2);
  await host.stop("demo", operator);
  assert.deepEqual((await configured).settings, { threads: 7, model: "tiny" });
  assert.deepEqual([saved.get("demo")?.enabled, saved.get("demo")?.settings], [false, {
    threads: 7,
  }]);
  await host[Symbol.asyncDispose]();
});

Deno.test("configure disables as a stop does, and enables without a start", async () => {
  const { host, bus, saved } = configurable();
  await bus.call("demo.echo", 1, options);
  await host.configure("demo", { enabled: false, settings: { threads: 4 } }, operator);
  assert.equal(host.get("demo").status, "stopped");
  await assert.rejects(bus.call("demo.echo", 1, options), withCode("PLUGIN_DISABLED"));
  await host.configure("demo", { enabled: true }, operator);
  assert.equal(host.get("demo").status, "stopped");
  assert.equal(await bus.call("demo.echo", 1, options), 1);
  assert.deepEqual(saved.get("demo")?.settings, { threads: 4 });
  await host[Symbol.asyncDispose]();
});

Deno.test("configure is audited by the names of what changed, and told to subscribers", async () => {
  const { host } = configurable();
  const seen: boolean[] = [];
  host.subscribe((event) => event.topic === "status" && seen.push(event.plugin.autostart));
  const change = {
    autostart: true,
    settings: { threads: 2, model: "big" },
    secrets: { apiKey: "hush-hush" },
    limits: { queue: 7 },
  };
  await host.configure("demo", change, operator);
  await host.configure("demo", {}, operator);
  await host.configure("demo", { settings: { threads: -1 } }, operator).catch(() => {});
  const entries = host.audit("demo", 3).map(({ action, object, outcome }) =>
    `${action} ${object} ${outcome}`
  );
  assert.deepEqual(entries, [
    "configure autostart, settings.threads, settings.model, limits.queue, secrets.apiKey ok",
    "configure nothing ok",
    "configure settings.threads failed",
  ]);
  assert.deepEqual(seen, [true, true]);
  await host[Symbol.asyncDispose]();
});

Deno.test("an enabled plugin with autostart starts with the host, quietly; others do not", async () => {
  const failing: TestPlugin = {
    init: () => {
      throw new Error("no model");
    },
  };
  const states = {
    demo: { enabled: true, autostart: true },
    off: { enabled: false, autostart: true },
    lazy: { enabled: true },
    failing: { enabled: true, autostart: true },
  };
  const ids = Object.keys(states);
  const { host } = createTestHost(
    ids.map((id) => installed(id, { [`${id}.echo`]: {} })),
    Object.fromEntries(
      ids.map((id) => [id, id === "failing" ? failing : { [`${id}.echo`]: () => 1 }]),
    ),
    { state: { load: (id) => states[id as keyof typeof states], save: () => {} } },
  );
  assert.equal(host.get("demo").status, "starting");
  await settle();
  const status = host.list().map(({ id, status }) => `${id} ${status}`);
  assert.deepEqual(status, ["demo running", "off stopped", "lazy stopped", "failing error"]);
  assert.equal(host.get("demo").autostart, true);
  await host[Symbol.asyncDispose]();
});

Deno.test("createSecretTest finds secrets wherever a schema can put them, and none else", () => {
  const secret = { type: "string", writeOnly: true };
  const secrets = (schema: Record<string, unknown>) =>
    ["a", "b", "other"].filter(createSecretTest(schema));
  const plain = { properties: { a: { type: "string" }, b: { $ref: "#/$defs/b" } } };
  assert.deepEqual(secrets({}), []);
  assert.deepEqual(secrets({ ...plain, $defs: { b: { type: "string" } } }), []);
  assert.deepEqual(secrets({ ...plain, $defs: { b: secret } }), ["b"]);
  assert.deepEqual(secrets({ properties: { a: { properties: { deep: secret } } } }), ["a"]);
  assert.deepEqual(secrets({ properties: { a: { items: secret } } }), ["a"]);
  assert.deepEqual(secrets({ ...plain, allOf: [{ then: { properties: { a: secret } } }] }), ["a"]);
  assert.deepEqual(secrets({ $ref: "#/$defs/x", $defs: { x: { properties: { a: secret } } } }), [
    "a",
  ]);
  assert.deepEqual(secrets({ properties: { a: {} }, additionalProperties: secret }), [
    "b",
    "other",
  ]);
});
