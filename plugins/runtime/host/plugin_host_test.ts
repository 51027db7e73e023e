import assert from "node:assert/strict";
import type { AppError, ErrorCode } from "../contract/error.ts";
import { noPermissions } from "../contract/grant.ts";
import type { AuditEntry, EventHistory, HostEvent, LogLine } from "./host.ts";
import type { LogStore } from "./plugin_log.ts";
import { createTestHost, installed, operator, settle, type TestPlugin, until } from "./testing.ts";

const options = { principal: operator };
const echo = { "demo.echo": {} };
const guest: TestPlugin = { "demo.echo": (input) => input };

function withCode(code: ErrorCode, message = /./) {
  return (error: AppError) => error.code === code && message.test(error.message);
}

Deno.test("createPluginHost lists hostile manifests with status error, and serves the others", async () => {
  const broken = [
    { source: "../../etc", origin: "external", manifest: null, loadCode: () => never() },
    { source: "none", origin: "external", manifest: new Error("Unreadable"), loadCode: never },
    {
      source: "x",
      origin: "external",
      manifest: { id: "__proto__", capabilities: 1 },
      loadCode: never,
    },
    installed("remote", { "remote.a": { inputSchema: { $ref: "https://example.com" } } }),
    installed("slow", { "slow.a": { inputSchema: { pattern: "(a+)+\\1" } } }),
    installed("demo", { "other.b": {} }),
    installed("good-too", { "good.b": {} }),
  ] as const;
  const { host, bus } = createTestHost([installed("demo", echo), ...broken], { demo: guest });
  const status = host.list().map(({ id, status }) => `${id} ${status}`);
  assert.deepEqual(status, [
    "demo stopped",
    "etc error",
    "none error",
    "x error",
    "remote error",
    "slow error",
    "demo-2 error",
    "good-too stopped",
  ]);
  assert.match(host.get("remote").lastError?.message ?? "", /must be local/);
  assert.match(host.get("none").lastError?.message ?? "", /Unreadable/);
  assert.equal(await bus.call("demo.echo", 1, options), 1);
  await assert.rejects(bus.call("remote.a", 1, options), withCode("NOT_FOUND"));
  await assert.rejects(host.start("remote", operator), withCode("INVALID_MANIFEST"));
  assert.throws(() => host.get("demmo"), withCode("NOT_FOUND", /did you mean "demo"/));
  await host[Symbol.asyncDispose]();
});

Deno.test("a capability has one owner, and ours go before a stranger's", async () => {
  const stranger = installed("stranger", { "demo.echo": {}, "stranger.own": {} });
  const ours = installed("demo", echo, {}, "builtin");
  const { host, bus } = createTestHost([stranger, ours], { demo: guest });
  assert.equal(bus.find("demo.echo").pluginId, "demo");
  const { status, lastError } = host.get("stranger");
  assert.equal(status, "error");
  assert.match(lastError?.message ?? "", /"demo.echo" belongs to the plugin "demo"/);
  await assert.rejects(bus.call("stranger.own", 1, options), withCode("NOT_FOUND"));
  await host[Symbol.asyncDispose]();
});

const handshakes: [string, unknown, RegExp][] = [
  ["another contract", { contract: "2", capabilities: ["demo.echo"] }, /speaks contract "2"/],
  ["a missing handler", { contract: "1", capabilities: [] }, /no handler for "demo.echo"/],
  ["nonsense", "hello", /speaks contract none/],
  ["nothing", undefined, /speaks contract none/],
];

for (const [name, answer, message] of handshakes) {
  Deno.test(`a handshake with ${name} is refused with INVALID_MANIFEST, and the cell ended`, async () => {
    const plugin = { ...guest, init: () => answer };
    const { host, bus, last } = createTestHost([installed("demo", echo)], { demo: plugin });
    await assert.rejects(bus.call("demo.echo", 1, options), withCode("INVALID_MANIFEST", message));
    await last().exited;
    assert.equal(host.get("demo").status, "error");
    // It will not be better the next time: only an operator starts it.
    await assert.rejects(bus.call("demo.echo", 1, options), withCode("UNAVAILABLE"));
    await host[Symbol.asyncDispose]();
  });
}

Deno.test("a plugin that is not ready in time is ended, and its callers get TIMEOUT", async () => {
  const plugin = { ...guest, init: () => new Promise(() => {}) };
  const { host, bus, time, last } = createTestHost(
    [installed("demo", echo, { limits: { timeoutMs: 4000 } })],
    { demo: plugin },
  );
  const call = bus.call("demo.echo", 1, options);
  call.catch(() => {});
  await settle();
  await time.advance(5000);
  await assert.rejects(call, withCode("TIMEOUT", /not ready within 4000 ms/));
  assert.equal((await last().exited).reason, "silence");
  await host[Symbol.asyncDispose]();
});

Deno.test("a spawn that fails reaches the callers, and is tried again", async () => {
  let attempts = 0;
  const { host, bus, spawnCell } = createTestHost([], { demo: guest });
  await host[Symbol.asyncDispose]();
  const again = createTestHost([installed("demo", echo)], {}, {
    spawnCell: (spec, spawnOptions) => {
      if (attempts++ === 0) throw new Error("no more processes");
      return spawnCell(spec, spawnOptions);
    },
  });
  assert.notEqual(bus, again.bus);
  await assert.rejects(again.bus.call("demo.echo", 1, options), /no more processes/);
  assert.equal(await again.bus.call("demo.echo", 1, options), 1);
  await again.host[Symbol.asyncDispose]();
});

Deno.test("a crash loop ends in status error until an operator starts the plugin", async () => {
  const { host, bus, time, cells } = createTestHost([installed("demo", echo)], { demo: guest });
  for (let crash = 0; crash < 5; crash++) {
    const { retryAtMs } = host.get("demo");
    if (retryAtMs !== undefined && retryAtMs > time.now()) {
      await assert.rejects(bus.call("demo.echo", 1, options), (error: AppError) => {
        assert.ok((error.details as { retryAfterMs: number }).retryAfterMs > 0);
        return error.code === "UNAVAILABLE" && error.retryable;
      });
      await time.advance(retryAtMs - time.now());
    }
    await bus.call("demo.echo", 1, options);
    cells.at(-1)?.die({ reason: "crashed", message: "signal 11" });
    await settle(3);
    assert.equal(host.get("demo").status, "error");
  }
  await time.advance(30_000);
  await assert.rejects(
    bus.call("demo.echo", 1, options),
    withCode("UNAVAILABLE", /crashed too often.*signal 11/),
  );
  assert.equal((await host.start("demo", operator)).status, "running");
  assert.equal(await bus.call("demo.echo", 1, options), 1);
  await host[Symbol.asyncDispose]();
});

Deno.test("callers that wait while a cell crashes are served by the next", async () => {
  let calls = 0;
  const plugin: TestPlugin = {
    "demo.echo": (input) => calls++ === 0 ? new Promise(() => {}) : input,
  };
  const { host, bus, last } = createTestHost(
    [installed("demo", echo, { limits: { concurrency: 1 } })],
    { demo: plugin },
  );
  const running = bus.call("demo.echo", 1, options);
  running.catch(() => {});
  const waiting = bus.call("demo.echo", 2, options);
  await until(() => calls === 1);
  last().die({ reason: "crashed", message: "exit 1" });
  await assert.rejects(running, withCode("CELL_LOST"));
  assert.equal(await waiting, 2);
  await host[Symbol.asyncDispose]();
});

Deno.test("an idle cell stops after idleTimeoutMs, tears down, and starts at the next call", async () => {
  let teardowns = 0;
  const plugin = { ...guest, teardown: () => void teardowns++ };
  const { host, bus, time, cells } = createTestHost(
    [installed("demo", echo, { limits: { idleTimeoutMs: 5000 } })],
    { demo: plugin },
  );
  await bus.call("demo.echo", 1, options);
  await time.advance(4000);
  assert.equal(host.get("demo").status, "running");
  await bus.call("demo.echo", 1, options);
  await time.advance(4000);
  assert.equal(host.get("demo").status, "running");
  await time.advance(3000);
  assert.equal(host.get("demo").status, "stopped");
  assert.equal(teardowns, 1);
  await bus.call("demo.echo", 1, options);
  assert.equal(cells.length, 2);
  await host[Symbol.asyncDispose]();
});

Deno.test("a stop ends calls that do not end within the drain limit", async () => {
  const plugin: TestPlugin = { "demo.echo": () => new Promise(() => {}) };
  const { host, bus, time } = createTestHost([installed("demo", echo)], { demo: plugin }, {
    drainMs: 3000,
  });
  const call = bus.call("demo.echo", 1, options);
  call.catch(() => {});
  await until(() => host.get("demo").status === "running");
  const stopped = host.stop("demo", operator);
  await settle();
  await time.advance(4000);
  await assert.rejects(call, withCode("CELL_LOST", /was stopped/));
  assert.equal((await stopped).status, "stopped");
  await host[Symbol.asyncDispose]();
});

Deno.test("a stop while the plugin starts ends the start", async () => {
  const plugin = { ...guest, init: () => new Promise(() => {}) };
  const { host, bus, last } = createTestHost([installed("demo", echo)], { demo: plugin });
  const call = bus.call("demo.echo", 1, options);
  call.catch(() => {});
  await settle();
  assert.equal((await host.stop("demo", operator)).status, "stopped");
  await assert.rejects(call, withCode("PLUGIN_DISABLED"));
  assert.equal((await last().exited).reason, "stopped");
  await host[Symbol.asyncDispose]();
});

Deno.test("settings reach the plugin with their defaults; wrong ones keep it from starting", async () => {
  const settings = { properties: { model: { type: "string", default: "tiny" }, n: {} } };
  const { host, bus, last, saved } = createTestHost(
    [installed("demo", echo, { settings })],
    { demo: guest },
  );
  await bus.call("demo.echo", 1, options);
  assert.deepEqual(last().init?.["settings"], { model: "tiny" });
  assert.deepEqual(last().init?.["capabilities"], ["demo.echo"]);
  await host[Symbol.asyncDispose]();
  saved.set("demo", { enabled: true, settings: { model: 1 } });
  const wrong = createTestHost([installed("demo", echo, { settings })], { demo: guest }, {
    state: { load: (id) => saved.get(id), save: () => {} },
  });
  await assert.rejects(wrong.bus.call("demo.echo", 1, options), /"\/model": must be a string/);
  await wrong.host[Symbol.asyncDispose]();
});

Deno.test("a grant that is denied names the permission; a revoke holds at once and closes files", async () => {
  const asks = { permissions: { services: ["models"], models: ["tiny"] } };
  const plugin: TestPlugin = {
    "demo.echo": async (id: string, _call, channel) => await channel.call("models.open", { id }),
    "demo.list": async (_input, _call, channel) => await channel.call("models.list", {}),
  };
  const held = new Set<string>();
  const { host, bus, last, saved } = createTestHost(
    [installed("demo", { ...echo, "demo.list": {} }, asks)],
    { demo: plugin },
    {
      models: {
        list: () => Promise.resolve(["tiny", "big"].map((id) => ({ id, size: 1, format: "gguf" }))),
        open: (id) => {
          held.add(id);
          return Promise.resolve({
            ...{ id, size: 1, format: "gguf", contextLength: 128 },
            files: [{ name: "a.gguf", path: `/models/${id}`, size: 1 }],
            release: () => held.delete(id),
          });
        },
      },
    },
  );
  assert.deepEqual(host.get("demo").missingGrants, ["models: tiny", "services: models"]);
  const denied = withCode("GRANT_DENIED", /services: models.*bkg plugin grant demo/);
  await host.setGrants("demo", noPermissions, operator);
  await assert.rejects(bus.call("demo.echo", "tiny", options), denied);
  await host.setGrants(
    "demo",
    { ...noPermissions, services: ["models"], models: ["tiny"] },
    operator,
  );
  assert.deepEqual(host.get("demo").missingGrants, []);
  assert.deepEqual(saved.get("demo")?.consent?.granted.models, ["tiny"]);
  const opened = await bus.call("demo.echo", "tiny", options);
  assert.deepEqual(opened, {
    ...{ id: "tiny", size: 1, format: "gguf", contextLength: 128 },
    handle: 2,
    files: [{ name: "a.gguf", size: 1, handle: 1 }],
  });
  assert.deepEqual([...held], ["tiny"]);
  assert.deepEqual([...last().files.values()], ["/models/tiny"]);
  assert.deepEqual(await bus.call("demo.list", {}, options), [
    { id: "tiny", size: 1, format: "gguf" },
  ]);
  await assert.rejects(bus.call("demo.echo", "big", options), withCode("GRANT_DENIED", /big/));
  await host.setGrants("demo", noPermissions, operator);
  assert.equal(last().files.size, 0);
  assert.deepEqual([...held], []);
  await assert.rejects(bus.call("demo.echo", "tiny", options), denied);
  const service = host.audit("demo", 100).filter(({ action }) => action === "service");
  assert.deepEqual(service.map(({ object, outcome }) => `${object} ${outcome}`), [
    "models.open tiny denied",
    "models.open tiny ok",
    "models.list ok",
    "models.open big denied",
    "models.open tiny denied",
  ]);
  await host[Symbol.asyncDispose]();
});

Deno.test("setGrants refuses what is no grant", async () => {
  const { host } = createTestHost([installed("demo", echo)], { demo: guest });
  await assert.rejects(
    host.setGrants("demo", { services: ["root"] } as never, operator),
    withCode("INVALID_INPUT"),
  );
  await host[Symbol.asyncDispose]();
});

Deno.test("our own plugins are granted what they ask, until the operator decides", async () => {
  const asks = { permissions: { services: ["models"], models: ["*"] } };
  const { host } = createTestHost([installed("demo", echo, asks, "builtin")], { demo: guest });
  assert.deepEqual(host.get("demo").missingGrants, []);
  await host.setGrants("demo", noPermissions, operator);
  assert.deepEqual(host.grants("demo").missing, ["models: *", "services: models"]);
  await host[Symbol.asyncDispose]();
});

Deno.test("threads are lent from one budget and come back with the cell", async () => {
  const plugin: TestPlugin = {
    "demo.echo": (wanted: number, _call, channel) => channel.call("threads.take", { wanted }),
  };
  const { host, bus, last } = createTestHost([installed("demo", echo)], { demo: plugin });
  const take = async (wanted: number) =>
    (await bus.call("demo.echo", wanted, options) as { threads: number }).threads;
  assert.equal(await take(3), 3);
  assert.equal(await take(8), 1);
  assert.equal(await take(8), 1);
  last().die({ reason: "crashed", message: "x" });
  await settle();
  assert.equal(await take(8), 4);
  await host[Symbol.asyncDispose]();
});

Deno.test("a plugin that opens 10,000 models in a second fills no audit trail", async () => {
  const kept: AuditEntry[] = [];
  const plugin: TestPlugin = {
    "demo.echo": async (count: number, _call, channel) => {
      for (let i = 0; i < count; i++) {
        // The grant covers some: those are "failed", the rest "denied".
        const id = i % 2 === 0 ? "tiny" + i : "other" + i;
        await channel.call("models.open", { id }).catch(() => {});
      }
      return null;
    },
  };
  const { host, bus, time } = createTestHost(
    [installed("demo", echo)],
    { demo: plugin },
    { auditSink: (_pluginId, entry) => kept.push(entry) },
  );
  const covered = Array.from({ length: 50 }, (_, i) => `tiny${2 * i}`);
  const grant = { ...noPermissions, services: ["models" as const], models: covered };
  await host.setGrants("demo", grant, operator);
  await bus.call("demo.echo", 9000, options);
  // Calls of a client between them do not cut the count to pieces.
  for (let i = 0; i < 500; i++) await bus.call("demo.echo", 2, options);
  await time.advance(2000);
  await host[Symbol.asyncDispose]();
  const services = kept.filter(({ action }) => action === "service");
  assert.ok(kept.length <= 110, `${kept.length} entries`);
  assert.ok(services.some(({ outcome }) => outcome === "failed"));
  assert.equal(services.reduce((sum, { count }) => sum + count, 0), 10_000);
});

Deno.test("an unknown service call answers NOT_FOUND", async () => {
  const plugin: TestPlugin = {
    "demo.echo": (method: string, _call, channel) => channel.call(method, { id: "x" }),
  };
  const { host, bus } = createTestHost([installed("demo", echo)], { demo: plugin });
  for (const method of ["constructor", "__proto__", "fs.read"]) {
    await assert.rejects(bus.call("demo.echo", method, options), withCode("NOT_FOUND"));
  }
  await host[Symbol.asyncDispose]();
});

Deno.test("logs, metrics and stdout of a plugin arrive cleaned, and outlive the cell", async () => {
  const plugin: TestPlugin = {
    "demo.echo": (_input, _call, channel) => {
      channel.notify("log", { level: "warn", message: "\u001b[31mred\u202e", fields: { a: 1 } });
      channel.notify("log", null);
      channel.notify("metric", { name: "models_loaded", value: 2 });
      channel.notify("metric", { name: "undeclared", value: 2 });
      channel.notify("metric", { name: "models_loaded", value: "many" });
      return null;
    },
  };
  const { host, bus, last } = createTestHost(
    [installed("demo", echo, { metrics: [{ name: "models_loaded", type: "gauge" }] })],
    { demo: plugin },
  );
  await bus.call("demo.echo", 1, options);
  last().spec.output("stderr", "oops");
  assert.deepEqual((await host.telemetry("demo")).metrics, { models_loaded: 2 });
  last().die({ reason: "crashed", message: "x" });
  await settle();
  const lines = host.logs("demo", 100).map(({ source, message }) => `${source}: ${message}`);
  assert.ok(lines.includes("plugin: \ufffd[31mred\ufffd"));
  assert.ok(lines.includes("stderr: oops"));
  assert.ok(lines.some((line) => line.startsWith("host: The cell ended (crashed)")));
  await host[Symbol.asyncDispose]();
});

Deno.test("subscribers see each status; one that throws harms nobody", async () => {
  const errors: unknown[] = [];
  const { host, bus } = createTestHost([installed("demo", echo)], { demo: guest }, {
    onListenerError: (error) => errors.push(error),
  });
  const seen: string[] = [];
  host.subscribe(() => {
    throw new Error("bad listener");
  });
  const unsubscribe = host.subscribe((event: HostEvent) => {
    if (event.topic === "status") seen.push(event.plugin.status);
  });
  await bus.call("demo.echo", 1, options);
  assert.deepEqual(seen, ["starting", "running"]);
  assert.ok(errors.length >= 2);
  unsubscribe();
  await host.stop("demo", operator);
  assert.equal(seen.length, 2);
  await host[Symbol.asyncDispose]();
});

Deno.test("audit entries merge, and each reaches the sink once", async () => {
  const kept: AuditEntry[] = [];
  const { host, bus } = createTestHost([installed("demo", echo)], { demo: guest }, {
    auditSink: (_pluginId, entry) => kept.push(entry),
  });
  for (let i = 0; i < 10; i++) await bus.call("demo.echo", i, options);
  assert.equal(host.audit("demo", 10)[0]?.count, 10);
  await host.stop("demo", operator);
  await host[Symbol.asyncDispose]();
  assert.deepEqual(kept.map(({ action, count }) => [action, count]), [["invoke", 10], ["stop", 1]]);
});

Deno.test("after its end a host starts nothing", async () => {
  const { host, bus, cells } = createTestHost([installed("demo", echo)], { demo: guest });
  await bus.call("demo.echo", 1, options);
  await host[Symbol.asyncDispose]();
  await assert.rejects(bus.call("demo.echo", 1, options), withCode("UNAVAILABLE"));
  assert.equal(cells.length, 1);
});

Deno.test("events that are kept can be asked for, and lines of an earlier host with them", async () => {
  const stored = new Map<string, LogLine[]>([["demo", []], ["other", []]]);
  const logStore: LogStore = {
    load: (id) => JSON.parse(JSON.stringify(stored.get(id))),
    append: (id, line) => void stored.get(id)?.push(line),
  };
  const plugins = [installed("demo", echo), installed("other", { "other.echo": {} })];
  const first = createTestHost(plugins, { demo: guest }, { logStore });
  await first.bus.call("demo.echo", 1, options);
  first.last().spec.output("stdout", "before");
  const seen = first.host.lastSeq;
  first.last().spec.output("stdout", "missed");
  first.last().die({ reason: "crashed", message: "signal 9" });
  await settle();
  const messages = ({ events }: EventHistory) =>
    events.map((event) => event.topic === "logs" ? event.line.message : event.topic);
  const query = { topic: "logs", pluginId: "demo" } as const;
  const missed = ["missed", "The cell ended (crashed): signal 9"];
  assert.deepEqual(messages(first.host.history({ ...query, after: seen })), missed);
  const end = first.host.lastSeq;
  await first.host[Symbol.asyncDispose]();

  const next = createTestHost(plugins, { demo: guest }, { logStore, now: () => 2_000_000 });
  assert.ok(next.host.lastSeq >= end);
  await next.bus.call("demo.echo", 1, options);
  const history = next.host.history({ ...query, after: seen });
  assert.deepEqual([messages(history), history.gap], [[...missed, "Started demo 1.0.0"], false]);
  assert.deepEqual(next.host.logs("demo", 3).map(({ message }) => message), messages(history));
  assert.ok(next.host.logs("demo", 3).every((line, i) => line.seq === history.events[i]?.seq));
  const status = next.host.history({ topic: "status", after: seen });
  assert.deepEqual(
    status.events.map((event) => event.topic === "status" && event.plugin.status),
    ["starting", "running"],
  );
  assert.deepEqual(next.host.history({ ...query, pluginId: "other" }).events, []);
  assert.throws(() => next.host.history({ ...query, pluginId: "none" }), withCode("NOT_FOUND"));
  await next.host[Symbol.asyncDispose]();
});

function never(): Promise<never> {
  return Promise.reject(new Error("A bad manifest's code was read"));
}
