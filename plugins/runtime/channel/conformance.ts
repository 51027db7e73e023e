// One suite for every port: linked pair, Worker, byte stream, a cell's pipe. The far side runs
// `answerConformance`; each test meets it through the port under test.

import assert from "node:assert/strict";
import { AppError } from "../contract/error.ts";
import type { Channel, ChannelHandler, IncomingCall } from "./channel.ts";

export interface FarSide extends AsyncDisposable {
  channel: Channel;
}

/** Opens the port under test; `near` serves the calls that the far side makes. */
export type OpenFarSide = (near: ChannelHandler) => Promise<FarSide>;

/** What the far side does; as a plugin's capabilities it is given `{ input }` alike. */
export function createFarHandlers(callBack: (method: string, input: unknown) => Promise<unknown>) {
  let produced = 0;
  let aborted = 0;
  const onAbort = (signal: AbortSignal) =>
    new Promise<void>((resolve) => {
      signal.addEventListener("abort", () => {
        aborted++;
        resolve();
      });
    });
  return {
    "test.echo": (input: unknown) => input,
    "test.fail": (input: { code?: "NOT_FOUND" }) => {
      if (input.code === undefined) throw new Error("plain failure");
      throw new AppError(input.code, "coded failure", { details: { field: "x" } });
    },
    "test.never": () => new Promise(() => {}),
    "test.until": async (_: unknown, call: Pick<IncomingCall, "signal">) => {
      await onAbort(call.signal);
      return "late";
    },
    "test.alive": async (
      input: { times: number; everyMs: number },
      call: Pick<IncomingCall, "alive">,
    ) => {
      for (let time = 0; time < input.times; time++) {
        await new Promise((resolve) => setTimeout(resolve, input.everyMs));
        call.alive();
      }
      return "done";
    },
    "test.alive.late": (_: unknown, call: Pick<IncomingCall, "alive">) => {
      setTimeout(() => call.alive(), 50);
      return "done";
    },
    "test.counters": () => ({ produced, aborted }),
    "test.sized": (input: { chars: number }) => "x".repeat(input.chars),
    "test.callback": (input: unknown) => callBack("near.echo", input),
    "test.count": async function* (
      input: { to: number },
      call: Pick<IncomingCall, "signal">,
    ) {
      produced = 0;
      onAbort(call.signal);
      for (let i = 0; i < input.to; i++) {
        produced++;
        yield { i };
      }
      return "counted";
    },
    "test.slowItems": async function* () {
      for (let i = 0; i < 8; i++) {
        await new Promise((resolve) => setTimeout(resolve, 300));
        yield i;
      }
    },
    "test.items": async function* () {
      yield 1;
      yield 2;
    },
    "test.failLate": async function* () {
      yield 1;
      throw new AppError("NOT_FOUND", "failed after a chunk");
    },
  };
}

/** The far side as a channel handler, for ports without a guest behind them. */
export function answerConformance(channel: () => Channel): ChannelHandler {
  const handlers = createFarHandlers((method, input) => channel().call(method, input));
  return {
    call(method, input, call) {
      const handler = handlers[method as keyof typeof handlers] as (
        input: unknown,
        call: IncomingCall,
      ) => unknown;
      return handler((input as { input: unknown }).input, call);
    },
  };
}

/** Registers the suite for one port; a plugin behind a cell's pipe has no free way to call back. */
export function testChannel(
  name: string,
  open: OpenFarSide,
  { callsBack = true }: { callsBack?: boolean } = {},
): void {
  const test = (criterion: string, run: (channel: Channel) => Promise<void>) =>
    Deno.test(`channel over ${name}: ${criterion}`, async () => {
      const silent: string[] = [];
      await using far = await open({
        call: (_method, input) => ({ near: input }),
        silent: (method) => silent.push(method),
      });
      await run(far.channel);
    });
  const call = (channel: Channel, method: string, input: unknown = null, options = {}) =>
    channel.call(method, { input, principal: "test" }, options);
  const stream = (channel: Channel, method: string, input: unknown = null, options = {}) =>
    channel.stream(method, { input, principal: "test" }, options);

  test("echoes values unchanged", async (channel) => {
    const value = { text: "grüße 🦊\u2028", list: [1, null, true, { deep: [] }], empty: "" };
    assert.deepEqual(await call(channel, "test.echo", value), value);
  });

  test("answers 200 parallel calls, each with its own", async (channel) => {
    const inputs = Array.from({ length: 200 }, (_, i) => i);
    const answers = await Promise.all(inputs.map((i) => call(channel, "test.echo", i)));
    assert.deepEqual(answers, inputs);
    assert.equal(channel.pending, 0);
  });

  test("carries typed arrays", async (channel) => {
    const input = { pixels: new Uint8Array([1, 2, 250]), vector: new Float32Array([0.5, -2]) };
    assert.deepEqual(await call(channel, "test.echo", input), input);
  });

  test("carries an error's code, message and details", async (channel) => {
    await assert.rejects(call(channel, "test.fail", { code: "NOT_FOUND" }), {
      code: "NOT_FOUND",
      message: "coded failure",
      details: { field: "x" },
    });
    await assert.rejects(call(channel, "test.fail", {}), { message: "plain failure" });
  });

  test("streams items in order and returns the result", async (channel) => {
    const items = stream(channel, "test.count", { to: 50 });
    const seen: unknown[] = [];
    let next = await items.next();
    for (; !next.done; next = await items.next()) seen.push(next.value);
    assert.deepEqual(seen, Array.from({ length: 50 }, (_, i) => ({ i })));
    assert.equal(next.value, "counted");
  });

  test("a stream asked for as one result is the list of its items", async (channel) => {
    assert.deepEqual(await call(channel, "test.items"), [1, 2]);
    assert.equal(await call(channel, "test.count", { to: 3 }), "counted");
  });

  test("items that are only collected are signs of life", async (channel) => {
    const items = await call(channel, "test.slowItems", null, { silenceMs: 1700 });
    assert.equal((items as unknown[]).length, 8);
  });

  test("a producer never runs ahead of its credit", async (channel) => {
    const items = stream(channel, "test.count", { to: 1000 }, { credit: 4 });
    await items.next();
    await new Promise((resolve) => setTimeout(resolve, 100));
    const { produced } = await call(channel, "test.counters") as { produced: number };
    assert.ok(produced <= 6, `produced ${produced}`);
    await items.return(undefined);
  });

  test("leaving a stream aborts its producer", async (channel) => {
    for await (const _ of stream(channel, "test.count", { to: 1_000_000 })) break;
    await until(async () => (await call(channel, "test.counters") as { aborted: number }).aborted);
    await until(() => channel.pending === 0);
  });

  test("an error after a chunk ends the stream, the chunk first", async (channel) => {
    const items = stream(channel, "test.failLate");
    assert.deepEqual(await items.next(), { done: false, value: 1 });
    await assert.rejects(items.next(), { code: "NOT_FOUND" });
  });

  test("a cancelled call rejects at once and is pending until the peer lets go", async (channel) => {
    const controller = new AbortController();
    let settled = 0;
    const answer = call(channel, "test.until", null, {
      signal: controller.signal,
      onSettled: () => settled++,
    });
    await call(channel, "test.echo", 1);
    controller.abort();
    await assert.rejects(answer, { code: "CANCELLED" });
    await until(() => settled === 1 && channel.pending === 0);
    const never = new AbortController();
    const lost = call(channel, "test.never", null, { signal: never.signal });
    await call(channel, "test.echo", 1);
    never.abort();
    await assert.rejects(lost, { code: "CANCELLED" });
    assert.equal(channel.pending, 1);
  });

  test("a silent call is TIMEOUT, one that shows life is not", async (channel) => {
    const life = call(channel, "test.alive", { times: 6, everyMs: 100 }, { silenceMs: 300 });
    await assert.rejects(call(channel, "test.never", null, { silenceMs: 200 }), {
      code: "TIMEOUT",
    });
    assert.equal(await life, "done");
  });

  test("a sign of life after the answer is nobody's", async (channel) => {
    assert.equal(await call(channel, "test.alive.late", null), "done");
    await new Promise((resolve) => setTimeout(resolve, 150));
    assert.equal(await call(channel, "test.echo", 1), 1);
  });

  test("a deadline ends a call that shows life", async (channel) => {
    await assert.rejects(
      call(channel, "test.alive", { times: 50, everyMs: 50 }, { deadlineMs: 200, silenceMs: 1000 }),
      { code: "DEADLINE_EXCEEDED" },
    );
  });

  test("a consumer that is slow is not the producer's silence", async (channel) => {
    const items = stream(channel, "test.count", { to: 20 }, { credit: 2, silenceMs: 150 });
    await items.next();
    await new Promise((resolve) => setTimeout(resolve, 500));
    let count = 1;
    for await (const _ of items) count++;
    assert.equal(count, 20);
  });

  if (callsBack) {
    test("the far side can call back", async (channel) => {
      assert.deepEqual(await call(channel, "test.callback", { a: 1 }), { near: { a: 1 } });
    });
  }

  test("8 MB in one message arrive", async (channel) => {
    const text = await call(channel, "test.sized", { chars: 8_000_000 }) as string;
    assert.equal(text.length, 8_000_000);
  });

  test("closing fails what is pending with CELL_LOST, and later calls", async (channel) => {
    const answer = call(channel, "test.never");
    const items = stream(channel, "test.never");
    const next = items.next();
    channel.close();
    await assert.rejects(answer, { code: "CELL_LOST" });
    await assert.rejects(next, { code: "CELL_LOST" });
    await assert.rejects(call(channel, "test.echo"), { code: "CELL_LOST" });
    assert.equal(channel.pending, 0);
  });
}

async function until(condition: () => unknown): Promise<void> {
  const giveUpAt = performance.now() + 5000;
  while (!await condition()) {
    assert.ok(performance.now() < giveUpAt, "the condition did not come true within 5 s");
    await new Promise((resolve) => setTimeout(resolve, 10));
  }
}
