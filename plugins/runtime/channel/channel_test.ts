import assert from "node:assert/strict";
import type { Message } from "../contract/message.ts";
import { createBytePort } from "./byte_port.ts";
import type { Channel } from "./channel.ts";
import { answerConformance, testChannel } from "./conformance.ts";
import { createLinkedPair } from "./linked_pair.ts";
import { createChannel } from "./peer_channel.ts";
import type { Port } from "./port.ts";
import { createWorkerPort } from "./worker_port.ts";

testChannel("a linked pair", (near) => Promise.resolve(join(createLinkedPair(), near)));

testChannel("byte streams", (near) => Promise.resolve(join(createBytePair(), near)));

testChannel("byte streams cut into single bytes and odd pieces", (near) => {
  let turn = 0;
  const cut = function* (bytes: Uint8Array) {
    for (let at = 0; at < bytes.length;) {
      const take = bytes.length > 100_000 ? 65_536 : [1, 3, 7, 1000][turn++ % 4] ?? 1;
      yield bytes.slice(at, at + take);
      at += take;
    }
  };
  return Promise.resolve(join(createBytePair(cut), near));
});

testChannel("a Worker", async (near) => {
  const worker = new Worker(new URL("./conformance_worker.ts", import.meta.url), {
    type: "module",
  });
  await new Promise((resolve) => worker.addEventListener("message", resolve, { once: true }));
  const channel = createChannel(createWorkerPort(worker, "test"), { handler: near });
  return {
    channel,
    [Symbol.asyncDispose]() {
      channel.close();
      worker.terminate();
      return Promise.resolve();
    },
  };
});

const violations: { name: string; send: (port: Port) => void }[] = [
  { name: "an answer to no call", send: (port) => port.send(result(77)) },
  { name: "a chunk without credit", send: (port) => port.send(chunk(0, 0)) },
  { name: "no message at all", send: (port) => port.send(42 as unknown as Message) },
  {
    name: "a message of unknown kind",
    send: (port) => port.send({ kind: "root", id: 0 } as unknown as Message),
  },
  {
    name: "a call with a fractional id",
    send: (port) => port.send({ kind: "call", id: 0.5, method: "m", input: 0, credit: 0 }),
  },
];

for (const { name, send } of violations) {
  Deno.test(`channel ends with PROTOCOL_VIOLATION on ${name}`, async () => {
    const [ours, theirs] = createLinkedPair();
    const channel = createChannel(ours);
    theirs.open({ receive: () => {}, closed: () => {} });
    const pending = assert.rejects(channel.call("m", null), { code: "PROTOCOL_VIOLATION" });
    send(theirs);
    assert.equal((await channel.closed)?.code, "PROTOCOL_VIOLATION");
    await pending;
  });
}

Deno.test("channel ends with PROTOCOL_VIOLATION on more chunks than credit or a gap in seq", async () => {
  for (const seqs of [[0, 1, 2], [1]]) {
    const [ours, theirs] = createLinkedPair();
    const channel = createChannel(ours);
    theirs.open({
      receive: () => seqs.forEach((seq) => theirs.send(chunk(0, seq))),
      closed: () => {},
    });
    channel.stream("m", null, { credit: 2 }).next().catch(() => {});
    assert.equal((await channel.closed)?.code, "PROTOCOL_VIOLATION");
  }
});

Deno.test("byte port refuses a frame header of 4 GB before it allocates", async () => {
  const port = createBytePort({ write: () => {}, close: () => {} });
  const channel = createChannel(port);
  port.feed(new Uint8Array([0xff, 0xff, 0xff, 0xff, 1]));
  assert.match((await channel.closed)?.message ?? "", /claims 4294967295 bytes/);
});

Deno.test("byte port ends on frames that hold no message", async () => {
  const frames = [[1, 0, 0, 0, 9], [3, 0, 0, 0, 1, 0xff, 0xfe], [5, 0, 0, 0, 2, 9, 9, 9, 9]];
  for (const bytes of frames) {
    const port = createBytePort({ write: () => {}, close: () => {} });
    const channel = createChannel(port);
    port.feed(new Uint8Array(bytes));
    assert.equal((await channel.closed)?.code, "PROTOCOL_VIOLATION");
  }
});

Deno.test("byte port refuses a message above its cap and goes on", async () => {
  const [ours, theirs] = createBytePair(undefined, 1000);
  await using far = join([ours, theirs], {});
  const call = (input: unknown) => far.channel.call("test.echo", { input, principal: "test" });
  await assert.rejects(call("x".repeat(2000)), { code: "PAYLOAD_TOO_LARGE" });
  await assert.rejects(
    far.channel.call("test.sized", { input: { chars: 5000 }, principal: "test" }),
    { code: "PAYLOAD_TOO_LARGE" },
  );
  assert.equal(await call("small"), "small");
});

Deno.test("byte port cuts off a peer that does not read", async () => {
  const port = createBytePort({ write: () => new Promise(() => {}), close: () => {} }, {
    maxBufferedBytes: 10_000,
  });
  const channel = createChannel(port);
  for (let i = 0; i < 20; i++) channel.notify("log", "x".repeat(1000));
  assert.match((await channel.closed)?.message ?? "", /unread/);
});

Deno.test("channel answers QUEUE_FULL to a peer that calls without end", async () => {
  const [ours, theirs] = createLinkedPair();
  const channel = createChannel(ours, {
    handler: { call: () => new Promise(() => {}) },
    maxIncoming: 2,
  });
  const caller = createChannel(theirs);
  const calls = [1, 2, 3].map((i) => caller.call("m", i));
  await assert.rejects(calls[2] ?? Promise.resolve(), { code: "QUEUE_FULL" });
  calls.forEach((call) => call.catch(() => {}));
  channel.close();
  caller.close();
});

Deno.test("channel hands a result to onLate that came after its caller had left, call or stream", async () => {
  const [ours, theirs] = createLinkedPair();
  const done = Promise.withResolvers<string>();
  const peer = createChannel(theirs, { handler: { call: () => done.promise } });
  const caller = createChannel(ours);
  const late: unknown[] = [];
  const abort = new AbortController();
  const options = { signal: abort.signal, onLate: (value: unknown) => late.push(value) };
  const left = [
    assert.rejects(caller.call("m", null, options), { code: "CANCELLED" }),
    assert.rejects(caller.stream("m", null, options).next(), { code: "CANCELLED" }),
  ];
  const { signal: _, ...patient } = options;
  const waited = caller.call("m", null, patient);
  abort.abort();
  await Promise.all(left);
  done.resolve("a thing");
  assert.equal(await waited, "a thing");
  assert.deepEqual(late, ["a thing", "a thing"]);
  caller.close();
  peer.close();
});

function join(
  [ours, theirs]: [Port, Port],
  near: Parameters<Parameters<typeof testChannel>[1]>[0],
) {
  const channel = createChannel(ours, { handler: near });
  const far: Channel = createChannel(theirs, { handler: answerConformance(() => far) });
  return {
    channel,
    [Symbol.asyncDispose]() {
      channel.close();
      far.close();
      return Promise.resolve();
    },
  };
}

/** Two byte ports; `cut` splits what one writes before the other is fed. */
function createBytePair(
  cut: (bytes: Uint8Array) => Iterable<Uint8Array> = (bytes) => [bytes.slice()],
  maxFrameBytes?: number,
): [Port, Port] {
  const options = maxFrameBytes === undefined ? {} : { maxFrameBytes };
  const ports = [0, 1].map((own) =>
    createBytePort({
      async write(bytes) {
        await Promise.resolve();
        for (const piece of cut(bytes)) ports[1 - own]?.feed(piece);
      },
      close: () => ports[1 - own]?.end(),
    }, options)
  );
  const [first, second] = ports;
  if (first === undefined || second === undefined) throw new Error("no pair");
  return [first, second];
}

function result(id: number): Message {
  return { kind: "result", id, value: null };
}

function chunk(id: number, seq: number): Message {
  return { kind: "chunk", id, seq, value: null };
}
