import assert from "node:assert/strict";
import { AppError, type ErrorCode } from "../contract/error.ts";
import { createTestHost, installed, operator, settle, type TestPlugin, until } from "./testing.ts";

const options = { principal: operator };

function withCode(code: ErrorCode, message = /./) {
  return (error: AppError) => error.code === code && message.test(error.message);
}

function demo(guest: TestPlugin, extra: Record<string, unknown> = {}) {
  const capabilities = {
    "demo.echo": {
      inputSchema: { type: "object", required: ["text"] },
      outputSchema: { type: "object", properties: { text: { type: "string" } } },
    },
    "demo.count": {
      streaming: true,
      outputSchema: { type: "object", properties: { i: { type: "integer" } } },
      resultSchema: { type: "string" },
    },
    "demo.list": { streaming: true, outputSchema: { type: "integer" } },
    "demo.wait": {},
  };
  const handlers: TestPlugin = {
    "demo.echo": (input) => input,
    "demo.count": async function* (input: { to: number }) {
      for (let i = 0; i < input.to; i++) yield { i };
      return "done";
    },
    "demo.list": async function* () {
      yield 1;
      yield 2;
    },
    "demo.wait": () => new Promise(() => {}),
    ...guest,
  };
  return createTestHost([installed("demo", capabilities, extra)], { demo: handlers });
}

Deno.test("bus.call starts the plugin lazily and answers", async () => {
  const { bus, host, cells } = demo({});
  assert.equal(host.get("demo").status, "stopped");
  assert.deepEqual(await bus.call("demo.echo", { text: "a" }, options), { text: "a" });
  assert.equal(host.get("demo").status, "running");
  await bus.call("demo.echo", { text: "b" }, options);
  assert.equal(cells.length, 1);
  await host[Symbol.asyncDispose]();
});

Deno.test("bus.call shares one start between concurrent callers", async () => {
  const { bus, host, cells } = demo({});
  const calls = Array.from(
    { length: 20 },
    (_, index) => bus.call("demo.echo", { text: String(index) }, options),
  );
  assert.equal((await Promise.all(calls)).length, 20);
  assert.equal(cells.length, 1);
  await host[Symbol.asyncDispose]();
});

Deno.test("bus.call refuses input that breaks the schema, without a start", async () => {
  const { bus, host, cells } = demo({});
  await assert.rejects(bus.call("demo.echo", {}, options), withCode("INVALID_INPUT", /"text"/));
  assert.equal(cells.length, 0);
  assert.equal((await host.telemetry("demo")).errors, 0);
  await host[Symbol.asyncDispose]();
});

Deno.test("bus.call refuses output that breaks the schema, and tells the plugin's log", async () => {
  const { bus, host } = demo({ "demo.echo": () => ({ text: 1 }) });
  await assert.rejects(
    bus.call("demo.echo", { text: "a" }, options),
    withCode("INVALID_OUTPUT", /"\/text": must be a string/),
  );
  assert.match(host.logs("demo", 1)[0]?.message ?? "", /must be a string/);
  assert.equal(host.audit("demo", 1)[0]?.outcome, "failed");
  await host[Symbol.asyncDispose]();
});

Deno.test("bus.stream yields items, then the result", async () => {
  const { bus, host } = demo({});
  const stream = bus.stream("demo.count", { to: 40 }, options);
  const items: unknown[] = [];
  let next = await stream.next();
  for (; !next.done; next = await stream.next()) items.push(next.value);
  assert.equal(items.length, 40);
  assert.equal(next.value, "done");
  await host[Symbol.asyncDispose]();
});

Deno.test("bus.stream ends at an item that breaks the schema, and lets go of the slot", async () => {
  const { bus, host } = demo({
    "demo.count": async function* () {
      yield { i: 1 };
      yield { i: "two" };
    },
  });
  const stream = bus.stream("demo.count", {}, options);
  assert.deepEqual(await stream.next(), { done: false, value: { i: 1 } });
  await assert.rejects(stream.next(), withCode("INVALID_OUTPUT", /An item/));
  await settle();
  assert.equal((await host.telemetry("demo")).active, 0);
  await host[Symbol.asyncDispose]();
});

Deno.test("bus.call of a streaming capability answers its result, or the list of its items", async () => {
  const { bus, host } = demo({});
  assert.equal(await bus.call("demo.count", { to: 2 }, options), "done");
  assert.deepEqual(await bus.call("demo.list", {}, options), [1, 2]);
  await host[Symbol.asyncDispose]();
});

Deno.test("bus.stream of a capability that does not stream yields its value once", async () => {
  const { bus, host } = demo({});
  const items = await Array.fromAsync(bus.stream("demo.echo", { text: "x" }, options));
  assert.deepEqual(items, [{ text: "x" }]);
  await host[Symbol.asyncDispose]();
});

Deno.test("bus.find names close capabilities", async () => {
  const { bus, host } = demo({});
  assert.equal(bus.find("demo.echo").pluginId, "demo");
  assert.throws(() => bus.find("demo.ecko"), withCode("NOT_FOUND", /did you mean "demo.echo"/));
  await assert.rejects(bus.call("nothing.like", {}, options), withCode("NOT_FOUND"));
  await host[Symbol.asyncDispose]();
});

Deno.test("a cell that crashes mid-stream rejects the stream with CELL_LOST", async () => {
  const { bus, host, last } = demo({
    "demo.count": async function* (_, call) {
      yield { i: 0 };
      await new Promise((resolve) => call.signal.addEventListener("abort", resolve));
    },
  });
  const stream = bus.stream("demo.count", {}, options);
  await stream.next();
  last().die({ reason: "crashed", message: "exit 133" });
  await assert.rejects(stream.next(), withCode("CELL_LOST", /exit 133/));
  assert.equal(host.get("demo").status, "error");
  assert.deepEqual(await bus.call("demo.echo", { text: "again" }, options), { text: "again" });
  assert.equal(host.get("demo").restarts, 1);
  await host[Symbol.asyncDispose]();
});

Deno.test("a cell that crossed its memory rejects its calls with OUT_OF_MEMORY", async () => {
  const { bus, host, last } = demo({});
  const call = bus.call("demo.wait", {}, options);
  await until(() => host.get("demo").status === "running");
  last().die({ reason: "memory", message: "600 MiB" });
  await assert.rejects(call, withCode("OUT_OF_MEMORY", /512 MiB/));
  await host[Symbol.asyncDispose]();
});

Deno.test("a call silent past timeoutMs gets TIMEOUT, the others CELL_LOST", async () => {
  const { bus, host, time } = demo({}, { limits: { timeoutMs: 5000 } });
  const silent = bus.call("demo.wait", {}, options);
  silent.catch(() => {});
  await until(() => host.get("demo").status === "running");
  await time.advance(4000);
  const other = bus.call("demo.wait", {}, options);
  other.catch(() => {});
  await settle();
  await time.advance(1500);
  await assert.rejects(silent, withCode("TIMEOUT"));
  await assert.rejects(other, withCode("CELL_LOST", /hung/));
  assert.match(host.get("demo").lastError?.message ?? "", /silence/);
  await host[Symbol.asyncDispose]();
});

Deno.test("a cell that does not answer a ping while calls are pending is ended", async () => {
  const { bus, host, time, last } = demo({});
  const call = bus.call("demo.wait", {}, options);
  call.catch(() => {});
  await until(() => host.get("demo").status === "running");
  last().onPing = () => Promise.reject(new Error("no answer"));
  await time.advance(5000);
  await assert.rejects(call, withCode("CELL_LOST", /did not answer/));
  await host[Symbol.asyncDispose]();
});

Deno.test("a full queue answers QUEUE_FULL with retryAfterMs", async () => {
  const { bus, host } = demo({}, { limits: { concurrency: 1, queue: 2 } });
  const calls = Array.from({ length: 3 }, () => bus.call("demo.wait", {}, options));
  for (const call of calls) call.catch(() => {});
  await assert.rejects(bus.call("demo.wait", {}, options), (error: AppError) => {
    assert.ok((error.details as { retryAfterMs: number }).retryAfterMs > 0);
    return error.code === "QUEUE_FULL";
  });
  await until(() => host.get("demo").status === "running");
  assert.equal((await host.telemetry("demo")).queued, 2);
  await host[Symbol.asyncDispose]();
  assert.equal((await Promise.allSettled(calls)).every((call) => call.status === "rejected"), true);
});

Deno.test("a caller that leaves the queue frees its place, and is never sent", async () => {
  let started = 0;
  const { bus, host } = demo({
    "demo.wait": () => {
      started++;
      return new Promise(() => {});
    },
  }, { limits: { concurrency: 1, queue: 1 } });
  bus.call("demo.wait", {}, options).catch(() => {});
  await until(() => started === 1);
  const controller = new AbortController();
  const queued = bus.call("demo.wait", {}, { ...options, signal: controller.signal });
  queued.catch(() => {});
  await settle();
  controller.abort();
  await assert.rejects(queued, withCode("CANCELLED"));
  assert.equal((await host.telemetry("demo")).queued, 0);
  assert.equal(started, 1);
  assert.equal(host.audit("demo", 1)[0]?.outcome, "cancelled");
  await host[Symbol.asyncDispose]();
});

Deno.test("a queued caller's deadline passes without a slot", async () => {
  const { bus, host, time } = demo({}, { limits: { concurrency: 1 } });
  bus.call("demo.wait", {}, options).catch(() => {});
  await until(() => host.get("demo").status === "running");
  const queued = bus.call("demo.wait", {}, { ...options, deadlineMs: 3000 });
  queued.catch(() => {});
  await settle();
  await time.advance(3000);
  await assert.rejects(queued, withCode("DEADLINE_EXCEEDED"));
  await host[Symbol.asyncDispose]();
});

Deno.test("a call cancelled mid-stream keeps its slot until the guest lets go, and its cell", async () => {
  let letGo = () => {};
  const { bus, host, cells } = demo({
    "demo.count": async function* () {
      yield { i: 0 };
      await new Promise<void>((resolve) => letGo = resolve);
    },
  }, { limits: { concurrency: 1 } });
  const controller = new AbortController();
  const stream = bus.stream("demo.count", {}, { ...options, signal: controller.signal });
  await stream.next();
  controller.abort();
  await assert.rejects(stream.next(), withCode("CANCELLED"));
  assert.equal((await host.telemetry("demo")).active, 1);
  const next = bus.call("demo.echo", { text: "next" }, options);
  await settle();
  assert.equal((await host.telemetry("demo")).queued, 1);
  letGo();
  assert.deepEqual(await next, { text: "next" });
  assert.equal(cells.length, 1);
  await host[Symbol.asyncDispose]();
});

Deno.test("a plugin that floods chunks without credit is ended", async () => {
  const { bus, host, last } = demo({});
  const stream = bus.stream("demo.count", { to: 1 }, options);
  await stream.next();
  const wait = bus.call("demo.wait", {}, options);
  wait.catch(() => {});
  await settle();
  const id = 3; // init, the stream, the wait: the next would be 3, which nobody made.
  for (let seq = 0; seq < 100; seq++) last().rawPort.send({ kind: "chunk", id, seq, value: 1 });
  await assert.rejects(wait, withCode("PROTOCOL_VIOLATION"));
  await until(() => host.get("demo").status === "error");
  assert.match(host.get("demo").lastError?.message ?? "", /protocol/);
  await host[Symbol.asyncDispose]();
});

Deno.test("a plugin cannot speak with the host's error codes", async () => {
  const { bus, host } = demo({
    "demo.echo": () => {
      throw new Error("plain");
    },
    "demo.wait": (code: ErrorCode) =>
      Promise.reject(new AppError(code, "forged", { details: "x".repeat(20_000) })),
  });
  for (const code of ["UNAUTHENTICATED", "QUEUE_FULL", "CANCELLED", "PLUGIN_DISABLED"] as const) {
    await assert.rejects(bus.call("demo.wait", code, options), withCode("PLUGIN_ERROR", /forged/));
  }
  await assert.rejects(bus.call("demo.wait", "CONTEXT_OVERFLOW", options), {
    code: "CONTEXT_OVERFLOW",
    details: undefined,
  });
  await assert.rejects(bus.call("demo.echo", { text: "X" }, options), { code: "PLUGIN_ERROR" });
  await host[Symbol.asyncDispose]();
});

Deno.test("a call to a stopped plugin answers PLUGIN_DISABLED, after a start it runs", async () => {
  const { bus, host, saved } = demo({});
  await host.stop("demo", operator);
  assert.equal(saved.get("demo")?.enabled, false);
  await assert.rejects(
    bus.call("demo.echo", { text: "a" }, options),
    withCode("PLUGIN_DISABLED", /bkg plugin start demo/),
  );
  const view = await host.start("demo", operator);
  assert.equal(view.status, "running");
  assert.deepEqual(await bus.call("demo.echo", { text: "a" }, options), { text: "a" });
  await host[Symbol.asyncDispose]();
});

Deno.test("bus drops details that are large or no JSON, of a call, a stream and a start", async () => {
  const details: [string, unknown, boolean][] = [
    ["small", { field: "x" }, true],
    ["long", { text: "x".repeat(20_000) }, false],
    ["long in UTF-8", { text: "漢".repeat(6000) }, false],
    ["escaped", { text: "\u0001".repeat(4000) }, false],
    ["many", new Array(1_000_000).fill(0), false],
    ["binary", { bytes: new Uint8Array(4_000_000) }, false],
  ];
  for (const [name, given, kept] of details) {
    const raise = () => {
      throw new AppError("NOT_FOUND", "not here", { details: given });
    };
    const { bus, host } = demo({
      "demo.echo": raise,
      "demo.count": async function* () {
        yield { i: 1 };
        raise();
      },
    });
    const starting = demo({ init: raise });
    const failures = [
      bus.call("demo.echo", { text: "a" }, options),
      bus.call("demo.count", {}, options),
      Array.fromAsync(bus.stream("demo.count", {}, options)),
      starting.bus.call("demo.echo", { text: "a" }, options),
      starting.host.start("demo", operator),
    ];
    const startMs = performance.now();
    for (const failure of await Promise.allSettled(failures)) {
      assert.equal(failure.status, "rejected");
      const { code, details } = failure.reason as AppError;
      assert.equal(code, "NOT_FOUND", name);
      assert.deepEqual(details, kept ? given : undefined, name);
    }
    assert.ok(performance.now() - startMs < 1000, name);
    await host[Symbol.asyncDispose]();
    await starting.host[Symbol.asyncDispose]();
  }
});

Deno.test("bus lets no plugin speak for the host when it starts", async () => {
  const { bus, host } = demo({
    init: () => {
      throw new AppError("UNAUTHENTICATED", "Sign in at example.com");
    },
  });
  await assert.rejects(bus.call("demo.echo", { text: "a" }, options), withCode("PLUGIN_ERROR"));
  await host[Symbol.asyncDispose]();
});

Deno.test("bus.call checks all items of a list within one budget", async () => {
  const { bus, host } = createTestHost(
    [
      installed("demo", {
        "demo.list": { streaming: true, outputSchema: { items: { type: "integer" } } },
      }),
    ],
    {
      demo: {
        "demo.list": async function* () {
          const item = new Array(100_000).fill(1);
          for (let i = 0; i < 60; i++) yield item;
        },
      },
    },
  );
  const options = { principal: operator };
  await assert.rejects(
    bus.call("demo.list", {}, options),
    withCode("INVALID_OUTPUT", /too large to be checked/),
  );
  const items = await Array.fromAsync(bus.stream("demo.list", {}, options));
  assert.equal(items.length, 60);
  await host[Symbol.asyncDispose]();
});
