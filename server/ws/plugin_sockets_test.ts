import assert from "node:assert/strict";
import type { IncomingCall } from "../../plugins/runtime/channel/channel.ts";
import { frameHead, serveSocketHost } from "../testing/socket_host.ts";
import { token, until } from "../testing/test_app.ts";

const handshake = {
  connection: "Upgrade",
  upgrade: "websocket",
  "sec-websocket-version": "13",
  "sec-websocket-key": "dGhlIHNhbXBsZSBub25jZQ==",
};
const offered = { ...handshake, "sec-websocket-protocol": `bkg, bearer.${token}` };

Deno.test("an upgrade is refused without a key, from another site, for an unknown plugin", async () => {
  await using served = serveSocketHost();
  const { app } = served;
  const refusal = async (path: string, headers: Record<string, string>) => {
    const response = await app.fetch(new Request(`http://localhost${path}`, { headers }));
    return { status: response.status, body: await response.json() };
  };
  for (
    const headers of [
      handshake,
      { ...handshake, "sec-websocket-protocol": "bkg" },
      { ...handshake, "sec-websocket-protocol": `bkg, bearer.${token}x` },
      { ...handshake, "sec-websocket-protocol": `bkg, ${token}` },
      { ...offered, authorization: "Bearer wrong" },
    ]
  ) {
    const { status, body } = await refusal(`/ws/plugins?token=${token}`, headers);
    assert.deepEqual([status, body.code], [401, "UNAUTHENTICATED"]);
  }
  for (const origin of ["https://evil.example", "null", "http://localhost:1"]) {
    const { status } = await refusal("/ws/plugins", { ...offered, origin });
    assert.equal(status, 403, origin);
  }
  assert.equal((await refusal("/ws/plugins", { ...offered, host: "evil.example" })).status, 421);
  assert.equal((await refusal("/ws/plugins/none", offered)).status, 404);
  assert.equal((await refusal("/ws/plugins/", offered)).status, 404);
  const plain = { authorization: `Bearer ${token}` };
  for (
    const headers of [
      plain,
      { ...handshake, ...plain, "sec-websocket-version": "8" },
      { ...handshake, "sec-websocket-protocol": `bearer.${token}` },
      { ...handshake, "sec-websocket-protocol": `bkg,bearer.${token}` },
    ]
  ) {
    const { status, body } = await refusal("/ws/plugins", headers);
    assert.deepEqual([status, body.code], [400, "INVALID_INPUT"]);
    assert.doesNotMatch(JSON.stringify(body), /AAAA/);
  }
  const head = new Request("http://localhost/ws/plugins", { method: "HEAD", headers: offered });
  assert.equal((await app.fetch(head)).status, 400);
  // The subprotocol is a socket's credential alone.
  assert.equal((await refusal("/api/plugins", offered)).status, 401);
  assert.doesNotMatch(served.logged(), /AAAA/);
});

Deno.test("an upgrade takes the key as a subprotocol or a header, and selects bkg", async () => {
  await using served = serveSocketHost();
  const page = await served.open({ headers: { origin: "https://friend.example" } });
  assert.equal(page.socket.protocol, "bkg");
  await page.nth("bootstrap");
  const tool = await served.open({
    protocols: [],
    headers: { authorization: `Bearer ${token}` },
  });
  await tool.nth("bootstrap");
  await page.close();
  await tool.close();
});

Deno.test("the limit of sockets: they are counted, and one more is told when to come back", async () => {
  await using served = serveSocketHost({}, { config: { sockets: { maxSockets: 2 } } });
  const [one, two] = [await served.open(), await served.open()];
  const metrics = await fetch(`${served.server.url}/metrics`, {
    headers: { authorization: `Bearer ${token}` },
  });
  assert.match(await metrics.text(), /^bkg_websockets_open 2$/m);
  const conn = await Deno.connect({ hostname: "127.0.0.1", port: served.server.port });
  const head = Object.entries(offered).map(([name, value]) => `${name}: ${value}\r\n`).join("");
  const text = `GET /ws/plugins HTTP/1.1\r\nhost: localhost\r\n${head}\r\n`;
  await conn.write(new TextEncoder().encode(text));
  const bytes = new Uint8Array(2048);
  const answer = new TextDecoder().decode(bytes.subarray(0, (await conn.read(bytes))!));
  assert.match(answer, /^HTTP\/1\.1 503 /);
  assert.match(answer, /retry-after: 5\r\n/i);
  conn.close();
  await one.close();
  await until(() => served.logged().includes("socket closed"));
  const three = await served.open();
  await two.close();
  await three.close();
});

Deno.test("messages that cannot be read are errors that name the field; a flood ends the socket", async () => {
  await using served = serveSocketHost();
  const other = await served.open();
  const client = await served.open();
  const faults: [unknown, RegExp][] = [
    ["{", /not JSON/],
    ["null", /not valid at ""/],
    [{ action: "DROP" }, /"\/action"/],
    [{ action: "INVOKE", capability: "alpha.idle" }, /"\/id"/],
    [{ action: "INVOKE", id: 1.5, capability: "alpha.idle" }, /"\/id"/],
    [{ action: "SUB", topic: "logs", pluginId: "x".repeat(65) }, /"\/pluginId"/],
  ];
  for (const [index, [message, expected]] of faults.entries()) {
    client.send(message);
    const { id, payload } = await client.nth("error", index + 1);
    assert.equal(id, undefined);
    assert.match(payload.message, expected);
  }
  client.socket.send(new Uint8Array([1, 2]));
  assert.match((await client.nth("error", faults.length + 1)).payload.message, /binary/);
  for (let count = faults.length + 2; count <= 20; count++) {
    client.send("x");
    await client.nth("error", count);
  }
  assert.equal((await client.closed).code, 4400);
  // One that does not wait for answers may be cut before it is told.
  const flood = await served.open();
  for (let i = 0; i < 1000; i++) flood.send("x");
  await flood.closed;
  assert.ok(flood.of("error").length <= 20);
  await other.subscribe("logs");
  await other.close();
});

Deno.test("frames that are too big or broken end their socket and harm no other", async () => {
  await using served = serveSocketHost();
  const other = await served.open();
  const client = await served.open();
  client.socket.send("x".repeat(16 * 2 ** 20 + 1));
  assert.equal((await client.closed).code, 1009);
  const closes = () => served.logged().split("socket closed").length - 1;
  for (
    const bytes of [
      frameHead(0x81, 2 ** 40),
      frameHead(0xf1, 5),
      frameHead(0x83, 1),
      new Uint8Array([0x81, 0x82, 0, 0, 0, 0, 0xff, 0xfe]),
      new Uint8Array([0x89, 0xff, 0, 0, 0, 0, 0, 0, 1, 0, 0, 0, 0, 0]),
    ]
  ) {
    const before = closes();
    const raw = await served.connect();
    await raw.write(bytes);
    await until(() => closes() === before + 1);
    raw.conn.close();
  }
  // Half a frame holds nothing but its own connection.
  const half = await served.connect();
  await half.write(frameHead(0x81, 1000));
  await other.subscribe("logs");
  half.conn.close();
  await other.close();
});

Deno.test("10,000 subscriptions: each socket gets an event once, and all can go at once", async () => {
  await using served = serveSocketHost();
  const cell = await served.start("alpha");
  const clients = await Promise.all(Array.from({ length: 834 }, () => served.open()));
  await Promise.all(clients.map(async (client) => {
    for (const topic of ["status", "telemetry", "logs", "jobs"]) {
      client.send({ action: "SUB", topic });
      for (const pluginId of ["alpha", "beta"]) client.send({ action: "SUB", topic, pluginId });
    }
    await client.nth("subscribed", 12);
  }));
  cell.guest.notify("log", { level: "info", message: "to all" });
  await until(() => clients.every((client) => client.of("logs").length > 0));
  await Promise.all(clients.map((client) => client.close()));
  assert.ok(clients.every((client) => client.of("logs").length === 1));
  await until(() => served.logged().split("socket closed").length === 835);
});

Deno.test("a subscriber that stops reading is let go of, others go on, and little memory stays", async () => {
  await using served = serveSocketHost({}, {
    config: { sockets: { maxQueuedBytes: 2 ** 20 } },
  });
  const cell = await served.start("alpha");
  const other = await served.open();
  await other.subscribe("logs");
  const stalled = await Promise.all(Array.from({ length: 5 }, () => served.connect()));
  for (const raw of stalled) await raw.send({ action: "SUB", topic: "logs" });
  const ended = () => served.logged().split("the client reads too slowly").length - 1;
  const line = "x".repeat(8000);
  const before = Deno.memoryUsage().rss;
  let written = 0;
  const limit = performance.now() + 20_000;
  while (ended() < stalled.length && performance.now() < limit) {
    for (let i = 0; i < 10; i++) {
      served.test.time.nowMs += 2;
      cell.guest.notify("log", { level: "info", message: line });
      written++;
    }
    await new Promise((resolve) => setTimeout(resolve, 2));
  }
  assert.equal(ended(), stalled.length, `of ${stalled.length}, after ${written} lines`);
  await until(() => other.lineSeqs().length >= written);
  // What they were sent was as much as this, each.
  assert.ok(Deno.memoryUsage().rss - before < 200 * 2 ** 20);
  for (const raw of stalled) raw.conn.close();
  await until(() => served.logged().split("socket closed").length - 1 === stalled.length);
  await other.close();
});

Deno.test("a client that reads nothing of the little it gets is let go of as well", async () => {
  await using served = serveSocketHost(floods, {
    config: { sockets: { stallTimeoutMs: 300 } },
  });
  const raw = await served.connect();
  flooded.count = 0;
  await raw.send({ action: "INVOKE", id: 1, capability: "alpha.flood", payload: 1 });
  await until(() => served.logged().includes("the client reads too slowly"));
  // Kernel buffers and 1 MiB, in items of 64 KiB: the stream has waited for its reader.
  assert.ok(flooded.count < 300, `${flooded.count} items`);
  await until(() => flooded.aborted);
  raw.conn.close();
});

Deno.test("shutdown: sockets end at once with 1001, and their calls are aborted", async () => {
  const served = serveSocketHost(floods);
  const idle = await served.open();
  const busy = await served.open();
  busy.send({ action: "INVOKE", id: 1, capability: "alpha.hang", payload: 1 });
  await until(() => flooded.hanging);
  const stalled = await served.connect();
  const startMs = performance.now();
  const done = served.server.shutdown();
  assert.equal((await idle.closed).code, 1001);
  assert.equal((await busy.closed).code, 1001);
  await until(() => !flooded.hanging);
  const response = await served.app.fetch(
    new Request("http://localhost/ws/plugins", { headers: offered }),
  );
  assert.equal(response.status, 503);
  await done;
  assert.ok(performance.now() - startMs < 2000);
  stalled.conn.close();
  await served.test.host[Symbol.asyncDispose]();
});

const flooded = { count: 0, aborted: false, hanging: false };

const floods: Parameters<typeof serveSocketHost>[0] = {
  alpha: {
    async *"alpha.flood"(_input: never, { signal }: IncomingCall) {
      flooded.aborted = false;
      signal.addEventListener("abort", () => flooded.aborted = true);
      while (!signal.aborted) {
        flooded.count++;
        yield "x".repeat(65_536);
      }
    },
    "alpha.hang": (_input: never, { signal }: IncomingCall) => {
      flooded.hanging = true;
      return new Promise((_, reject) =>
        signal.addEventListener("abort", () => {
          flooded.hanging = false;
          reject(signal.reason);
        })
      );
    },
  },
};
