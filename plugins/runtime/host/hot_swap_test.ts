import assert from "node:assert/strict";
import type { AppError, ErrorCode } from "../contract/error.ts";
import type { PluginHostDeps } from "./plugin_host.ts";
import type { InstalledPlugin } from "./registry.ts";
import {
  createTestHost,
  createTestSpawner,
  installed,
  operator,
  settle,
  type TestPlugin,
  until,
} from "./testing.ts";

const options = { principal: operator };
const echo = { "demo.echo": {} };
const version = (number: number): TestPlugin => ({ "demo.echo": () => number });
const crash = { reason: "crashed", message: "signal 11" } as const;

function withCode(code: ErrorCode, message = /./) {
  return (error: AppError) => error.code === code && message.test(error.message);
}

/** A plugin "demo" whose next version, guest and start the test decides. */
function swappable(
  first: InstalledPlugin = installed("demo", echo),
  { others = [], ...extra }: Partial<PluginHostDeps> & { others?: InstalledPlugin[] } = {},
) {
  const next = { found: first, guest: version(1), reads: 0 };
  const withReread = (plugin: InstalledPlugin): InstalledPlugin => ({
    ...plugin,
    reread() {
      next.reads++;
      return Promise.resolve(withReread(next.found));
    },
  });
  const guests: Record<string, TestPlugin> = {};
  Object.defineProperty(guests, "demo", { get: () => next.guest });
  const parts = createTestHost([withReread(first), ...others], guests, {
    drainMs: 60_000,
    ...extra,
  });
  const call = (input: unknown = null) => parts.bus.call("demo.echo", input, options);
  const status = () => parts.host.get("demo").status;
  return { ...parts, next, call, status };
}

/** A guest that is ready when the test says so. */
function slowStart(guest: TestPlugin, answer: unknown = undefined) {
  const gate = Promise.withResolvers<void>();
  const ready = { contract: "1", capabilities: Object.keys(guest) };
  return {
    guest: { ...guest, init: () => gate.promise.then(() => answer ?? ready) },
    ready: () => gate.resolve(),
  };
}

const failures: [string, TestPlugin, ErrorCode][] = [
  ["throws in its setup", {
    ...version(2),
    init: () => {
      throw new Error("no model");
    },
  }, "PLUGIN_ERROR"],
  ["has no handler", { init: () => ({ contract: "1", capabilities: [] }) }, "INVALID_MANIFEST"],
];

for (const [name, guest, code] of failures) {
  Deno.test(`restart throws when the new cell ${name}, and the old one goes on`, async () => {
    const { host, next, call, cells, status } = swappable();
    await call();
    next.guest = guest;
    await assert.rejects(host.restart("demo", operator), withCode(code));
    assert.equal(cells.length, 2);
    await cells[1]!.exited;
    assert.equal(status(), "running");
    assert.equal(host.get("demo").lastError?.code, code);
    assert.equal(await call(), 1);
    next.guest = version(3);
    assert.equal((await host.restart("demo", operator)).lastError, undefined);
    assert.equal(await call(), 3);
    await host[Symbol.asyncDispose]();
  });
}

Deno.test("restart throws when there can be no new cell, and the old one goes on", async () => {
  const { spawnCell, cells } = createTestSpawner({ demo: version(1) });
  const { host, call } = swappable(undefined, {
    async spawnCell(spec, spawnOptions) {
      if (cells.length > 0) throw new Error("no more processes");
      return await spawnCell(spec, spawnOptions);
    },
  });
  await call();
  await assert.rejects(host.restart("demo", operator), /no more processes/);
  assert.equal(await call(), 1);
  await host[Symbol.asyncDispose]();
});

Deno.test("the old cell takes calls until the new one answers; its calls and streams end there", async () => {
  let finish = () => {};
  let go = () => {};
  const old: TestPlugin = {
    "demo.echo": (input) =>
      input === "slow" ? new Promise((resolve) => finish = () => resolve("old")) : "old",
    "demo.count": async function* () {
      yield 1;
      await new Promise<void>((resolve) => go = resolve);
      yield 2;
    },
  };
  const first = installed("demo", { ...echo, "demo.count": { streaming: true } });
  const { host, bus, next, call, cells, status } = swappable(first);
  next.guest = old;
  const slow = call("slow");
  const items = bus.stream("demo.count", null, options);
  assert.equal((await items.next()).value, 1);
  const starting = slowStart({ ...old, "demo.echo": () => "new" });
  next.guest = starting.guest;
  const restarted = host.restart("demo", operator);
  await until(() => cells.length === 2);
  assert.equal(status(), "running");
  assert.equal(await call("quick"), "old");
  starting.ready();
  assert.equal((await restarted).restarts, 1);
  assert.equal(await call("quick"), "new");
  assert.equal((await host.telemetry("demo")).active, 2);
  finish();
  assert.equal(await slow, "old");
  go();
  assert.equal((await items.next()).value, 2);
  assert.equal((await items.next()).done, true);
  assert.equal((await cells[0]!.exited).reason, "stopped");
  assert.equal((await host.telemetry("demo")).active, 0);
  assert.equal(status(), "running");
  await host[Symbol.asyncDispose]();
});

Deno.test("a call that the old cell does not end within the drain limit is lost, no other is", async () => {
  const stuck: TestPlugin = { "demo.echo": (input) => input ?? new Promise(() => {}) };
  const { host, next, call, time, cells, status } = swappable(undefined, { drainMs: 3000 });
  next.guest = stuck;
  const lost = call();
  lost.catch(() => {});
  await until(() => status() === "running");
  await settle();
  await host.restart("demo", operator);
  await time.advance(4000);
  await assert.rejects(lost, withCode("CELL_LOST", /was stopped/));
  await cells[0]!.exited;
  assert.equal(await call("next"), "next");
  await host[Symbol.asyncDispose]();
});

Deno.test("calls that wait for a slot of the old cell are served by the new one", async () => {
  const stuck: TestPlugin = { "demo.echo": () => new Promise(() => {}) };
  const first = installed("demo", echo, { limits: { concurrency: 1 } });
  const { host, next, call, status } = swappable(first, { drainMs: 0 });
  next.guest = stuck;
  const lost = call();
  lost.catch(() => {});
  await until(() => status() === "running");
  const waiting = [call(), call()];
  next.guest = version(2);
  await host.restart("demo", operator);
  assert.deepEqual(await Promise.all(waiting), [2, 2]);
  await assert.rejects(lost, withCode("CELL_LOST"));
  await host[Symbol.asyncDispose]();
});

Deno.test("when the old cell crashes during a swap the new one serves those who come", async () => {
  const { host, next, call, cells, status } = swappable();
  await call();
  const starting = slowStart(version(2));
  next.guest = starting.guest;
  const restarted = host.restart("demo", operator);
  await until(() => cells.length === 2);
  cells[0]!.die(crash);
  await settle();
  assert.equal(status(), "starting");
  assert.match(host.get("demo").lastError?.message ?? "", /signal 11/);
  const waiting = call();
  starting.ready();
  assert.equal((await restarted).status, "running");
  assert.equal(await waiting, 2);
  assert.equal(cells.length, 2);
  await host[Symbol.asyncDispose]();
});

Deno.test("when both cells die those who wait hear why, and the next call starts a third", async () => {
  const { host, next, call, cells, status } = swappable();
  await call();
  const starting = slowStart(version(2));
  next.guest = starting.guest;
  const restarted = host.restart("demo", operator);
  restarted.catch(() => {});
  await until(() => cells.length === 2);
  cells[0]!.die(crash);
  await settle();
  const waiting = call();
  waiting.catch(() => {});
  cells[1]!.die(crash);
  await assert.rejects(restarted, withCode("CELL_LOST"));
  await assert.rejects(waiting, withCode("CELL_LOST"));
  assert.equal(status(), "error");
  next.guest = version(3);
  await host.start("demo", operator);
  assert.equal(await call(), 3);
  await host[Symbol.asyncDispose]();
});

Deno.test("a crash of the new cell after the swap is like any other, whatever the old one still does", async () => {
  let finish = () => {};
  const { host, next, call, cells, status } = swappable();
  next.guest = { "demo.echo": () => new Promise((resolve) => finish = () => resolve("old")) };
  const slow = call();
  await until(() => status() === "running");
  await settle();
  next.guest = version(2);
  await host.restart("demo", operator);
  cells[1]!.die(crash);
  await settle();
  assert.equal(status(), "error");
  assert.equal(await call(), 2);
  assert.equal(cells.length, 3);
  finish();
  assert.equal(await slow, "old");
  await cells[0]!.exited;
  assert.equal(status(), "running");
  await host[Symbol.asyncDispose]();
});

Deno.test("a stop during a swap ends both cells, and the restart hears of it", async () => {
  const { host, next, call, cells } = swappable();
  await call();
  next.guest = slowStart(version(2)).guest;
  const restarted = host.restart("demo", operator);
  restarted.catch(() => {});
  const again = host.restart("demo", operator);
  again.catch(() => {});
  await until(() => cells.length === 2);
  assert.equal((await host.stop("demo", operator)).status, "stopped");
  await assert.rejects(restarted, withCode("PLUGIN_DISABLED", /was stopped/));
  await assert.rejects(again, withCode("PLUGIN_DISABLED", /was stopped/));
  await Promise.all(cells.map(({ exited }) => exited));
  assert.equal(cells.length, 2);
  next.guest = version(3);
  assert.equal((await host.restart("demo", operator)).status, "running");
  assert.equal(await call(), 3);
  await host[Symbol.asyncDispose]();
});

Deno.test("an end of the host during a swap leaves no cell, and nothing starts after it", async () => {
  const { host, next, call, cells } = swappable();
  await call();
  next.guest = slowStart(version(2)).guest;
  const restarted = host.restart("demo", operator);
  restarted.catch(() => {});
  await until(() => cells.length === 2);
  await host[Symbol.asyncDispose]();
  await assert.rejects(restarted, withCode("UNAVAILABLE", /shutting down/));
  await Promise.all(cells.map(({ exited }) => exited));
  for (const action of ["start", "restart"] as const) {
    await assert.rejects(host[action]("demo", operator), withCode("UNAVAILABLE"));
  }
  assert.equal(cells.length, 2);
});

Deno.test("restarts that come during a swap share one more, which reads what is there by then", async () => {
  const { host, next, call, cells } = swappable();
  await call();
  const starting = slowStart(version(2));
  next.guest = starting.guest;
  const restarts = [host.restart("demo", operator)];
  await until(() => cells.length === 2);
  for (let i = 0; i < 5; i++) restarts.push(host.restart("demo", operator));
  next.guest = version(3);
  starting.ready();
  await Promise.all(restarts);
  assert.equal(await call(), 3);
  assert.equal(cells.length, 3);
  await host[Symbol.asyncDispose]();
});

Deno.test("restart starts a plugin that does not run, and one whose manifest was mended", async () => {
  const broken = { ...installed("demo", echo), manifest: { id: "demo" } };
  const { host, next, call, status } = swappable(broken);
  assert.equal(status(), "error");
  await assert.rejects(host.restart("demo", operator), withCode("INVALID_MANIFEST"));
  next.found = installed("demo", echo);
  assert.equal((await host.restart("demo", operator)).status, "running");
  assert.equal(await call(), 1);
  await host[Symbol.asyncDispose]();
});

Deno.test("an idle plugin does not stop while a new cell is on its way", async () => {
  const first = installed("demo", echo, { limits: { idleTimeoutMs: 2000 } });
  const { host, next, call, cells, time, status } = swappable(first);
  await call();
  const starting = slowStart(version(2));
  next.guest = starting.guest;
  const restarted = host.restart("demo", operator);
  await until(() => cells.length === 2);
  await time.advance(5000);
  assert.equal(status(), "running");
  starting.ready();
  await restarted;
  await time.advance(4000);
  assert.equal(status(), "stopped");
  await host[Symbol.asyncDispose]();
});

const refused: [string, InstalledPlugin, ErrorCode][] = [
  [
    "a broken manifest",
    { ...installed("demo", echo), manifest: { id: "demo" } },
    "INVALID_MANIFEST",
  ],
  ["no manifest", { ...installed("demo", echo), manifest: new Error("gone") }, "INVALID_MANIFEST"],
  ["another id", installed("demo-two", echo), "INVALID_MANIFEST"],
  ["the id of another plugin", installed("other", echo), "CONFLICT"],
  ["a capability of another plugin", installed("demo", { ...echo, "other.own": {} }), "CONFLICT"],
];

for (const [name, found, code] of refused) {
  Deno.test(`a new version with ${name} is refused, and the old one runs on`, async () => {
    const others = [installed("other", { "other.own": {} })];
    const { host, bus, next, call, cells } = swappable(undefined, { others });
    await call();
    next.found = found;
    next.guest = { ...version(2), "other.own": () => 2 };
    await assert.rejects(host.restart("demo", operator), withCode(code));
    assert.equal(cells.length, 1);
    assert.equal(await call(), 1);
    assert.equal(host.get("demo").version, "1.0.0");
    assert.equal(host.get("demo").status, "running");
    assert.equal(bus.find("other.own").pluginId, "other");
    await host[Symbol.asyncDispose]();
  });
}

Deno.test("two plugins whose new versions claim one capability: who is ready first has it", async () => {
  const claiming = (id: string): InstalledPlugin => ({
    ...installed(id, { [`${id}.own`]: {} }),
    reread: () => Promise.resolve(installed(id, { [`${id}.own`]: {}, "shared.one": {} })),
  });
  const slow = slowStart({ "demo.own": () => 1, "shared.one": () => "demo" });
  const { host, bus, cells } = createTestHost([claiming("demo"), claiming("other")], {
    demo: slow.guest,
    other: { "other.own": () => 1, "shared.one": () => "other" },
  });
  const started = host.start("demo", operator);
  started.catch(() => {});
  await until(() => cells.length === 1);
  await host.start("other", operator);
  slow.ready();
  await assert.rejects(started, withCode("CONFLICT", /"shared.one" belongs to the plugin "other"/));
  assert.equal(await bus.call("shared.one", null, options), "other");
  assert.equal((await cells[0]!.exited).reason, "stopped");
  await host[Symbol.asyncDispose]();
});

Deno.test("a new version's manifest, capabilities and schemas hold from the switch, all at once", async () => {
  const first = installed("demo", { ...echo, "demo.gone": {} });
  const { host, bus, next, call, cells } = swappable(first, { threads: 4 });
  next.guest = { ...version(1), "demo.gone": () => "old" };
  await call();
  const { guest, ready } = slowStart({ ...version(2), "demo.more": () => "more" });
  next.found = installed(
    "demo",
    { "demo.echo": { inputSchema: { type: "string" } }, "demo.more": {} },
    { version: "2.0.0", metrics: [{ name: "loaded", type: "gauge" }] },
  );
  next.guest = guest;
  const restarted = host.restart("demo", operator);
  await until(() => cells.length === 2);
  assert.equal(host.get("demo").version, "1.0.0");
  assert.equal(await call(5), 1);
  assert.equal(await bus.call("demo.gone", null, options), "old");
  ready();
  const view = await restarted;
  assert.equal(view.version, "2.0.0");
  assert.deepEqual(view.metrics.map(({ name }) => name), ["loaded"]);
  assert.deepEqual(view.capabilities.map(({ id }) => id), ["demo.echo", "demo.more"]);
  await assert.rejects(call(5), withCode("INVALID_INPUT"));
  assert.equal(await call("text"), 2);
  assert.equal(await bus.call("demo.more", null, options), "more");
  await assert.rejects(bus.call("demo.gone", null, options), withCode("NOT_FOUND"));
  await host[Symbol.asyncDispose]();
});

Deno.test("a call that waited is checked again by the new version's schemas, and costs no slot when it fails", async () => {
  let finish = () => {};
  const { host, next, call, bus, status } = swappable(
    installed("demo", { ...echo, "demo.gone": {} }, { limits: { concurrency: 1 } }),
  );
  next.guest = {
    "demo.echo": () => new Promise((resolve) => finish = () => resolve("old")),
    "demo.gone": () => "old",
  };
  const running = call(1);
  await until(() => status() === "running");
  await settle();
  const wrong = call(2);
  const gone = bus.call("demo.gone", 3, options);
  const right = call("text");
  wrong.catch(() => {});
  gone.catch(() => {});
  next.found = installed("demo", {
    "demo.echo": { inputSchema: { type: "string" }, outputSchema: { type: "integer" } },
  }, { limits: { concurrency: 1 } });
  next.guest = version(2);
  await host.restart("demo", operator);
  await assert.rejects(wrong, withCode("INVALID_INPUT"));
  await assert.rejects(gone, withCode("NOT_FOUND"));
  assert.equal(await right, 2);
  // Validated by the old schemas, ended by the old cell.
  finish();
  assert.equal(await running, "old");
  await host[Symbol.asyncDispose]();
});

Deno.test("a grant that is revoked during a swap closes what either cell has open", async () => {
  const asks = { permissions: { services: ["models"], models: ["tiny"] } };
  const opens: TestPlugin = {
    "demo.echo": async (_input, _call, channel) =>
      await channel.call("models.open", { id: "tiny" }),
  };
  const gate = Promise.withResolvers<void>();
  const { host, next, call, cells } = swappable(installed("demo", echo, asks, "builtin"), {
    models: {
      list: () => Promise.resolve([]),
      open: (id) =>
        Promise.resolve({
          ...{ id, size: 1, format: "gguf", release: () => {} },
          files: [{ name: "a", path: `/models/${id}`, size: 1 }],
        }),
    },
  });
  next.guest = opens;
  await call();
  next.guest = {
    ...opens,
    init: async (_input, _call, channel) => {
      await channel.call("models.open", { id: "tiny" });
      await gate.promise;
      return { contract: "1", capabilities: ["demo.echo"] };
    },
  };
  const restarted = host.restart("demo", operator);
  await until(() => cells[1]?.files.size === 1);
  assert.equal(cells[0]!.files.size, 1);
  const { granted } = host.grants("demo");
  await host.setGrants("demo", { ...granted, models: [] }, operator);
  assert.deepEqual(cells.map(({ files }) => files.size), [0, 0]);
  gate.resolve();
  await restarted;
  await host[Symbol.asyncDispose]();
});

Deno.test("the view tells the digest of the code that runs, of the new one after a swap", async () => {
  const { host, next, call } = swappable({
    ...installed("demo", echo),
    loadCode: () => Promise.resolve("abc"),
  });
  assert.equal(host.get("demo").bundleDigest, undefined);
  await call();
  // FIPS 180-2, appendix B.1.
  const abc = "sha256:ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad";
  assert.equal(host.get("demo").bundleDigest, abc);
  next.found = { ...next.found, loadCode: () => Promise.resolve("") };
  await host.restart("demo", operator);
  assert.match(host.get("demo").bundleDigest ?? "", /^sha256:e3b0c442/);
  await host.stop("demo", operator);
  assert.equal(host.get("demo").bundleDigest, undefined);
  await host[Symbol.asyncDispose]();
});
