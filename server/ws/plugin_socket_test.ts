import assert from "node:assert/strict";
import type { Job } from "../../plugins/runtime/contract/job.ts";
import type { TestCell } from "../../plugins/runtime/host/testing.ts";
import type { Jobs } from "../services/jobs.ts";
import { createOperatorAuthenticator } from "../testing/operator_authenticator.ts";
import { serveSocketHost, type SocketClient } from "../testing/socket_host.ts";
import { token, until } from "../testing/test_app.ts";
import { testIdentity } from "../testing/test_guard.ts";

const started = { count: 0 };
const aborted = { count: 0 };

const guests = {
  alpha: {
    "alpha.echo": (input: unknown) => input,
    "alpha.fail": () => {
      throw new TypeError("inner thing");
    },
    async *"alpha.count"(input: { to: number }) {
      for (let i = 1; i <= input.to; i++) yield { i };
      return undefined;
    },
    async *"alpha.stuck"(_input: unknown, call: { signal: AbortSignal }) {
      started.count++;
      yield 1;
      await new Promise((_, reject) =>
        call.signal.addEventListener("abort", () => {
          aborted.count++;
          reject(call.signal.reason);
        })
      );
    },
  },
};

Deno.test("a socket: a session that ends mid-stream closes it and aborts its calls", async () => {
  let end = () => {};
  let watched = 0;
  const auth = {
    ...createOperatorAuthenticator(token),
    watch(_bearer: string, ended: () => void) {
      watched++;
      end = ended;
      return () => void watched--;
    },
  };
  await using served = serveSocketHost(guests, { auth });
  const before = aborted.count;
  const client = await served.open();
  await client.subscribe("logs");
  client.send({ action: "INVOKE", id: 1, capability: "alpha.stuck", payload: 1 });
  await client.nth("chunk");
  assert.equal(watched, 1);
  end();
  assert.equal((await client.closed).code, 4401);
  await until(() => aborted.count === before + 1);
  assert.equal(watched, 0);
  const other = await served.open();
  await other.close();
  await until(() => watched === 0);
});

Deno.test("a socket whose client vanishes or cancels aborts the handler", async () => {
  await using served = serveSocketHost(guests);
  const before = aborted.count;
  const startedBefore = started.count;
  const client = await served.open();
  client.send({ action: "INVOKE", id: "a", capability: "alpha.stuck", payload: 1 });
  await client.nth("chunk");
  client.send({ action: "CANCEL", id: "unknown" });
  client.send({ action: "CANCEL", id: "a" });
  const error = await client.nth("error");
  assert.deepEqual([error.id, error.payload.code], ["a", "CANCELLED"]);
  await until(() => aborted.count === before + 1);
  // The id is free again.
  client.send({ action: "INVOKE", id: "a", capability: "alpha.stuck", payload: 1 });
  await client.nth("chunk", 2);
  client.socket.close();
  await until(() => aborted.count === before + 2);

  const raw = await served.connect();
  await raw.send({ action: "INVOKE", id: 1, capability: "alpha.stuck", payload: 1 });
  await until(() => started.count === startedBefore + 3);
  // Without a close frame, as a machine that loses its power.
  raw.conn.close();
  await until(() => aborted.count === before + 3);
});

Deno.test("INVOKE: each fault has its error, under its id", async () => {
  await using served = serveSocketHost(guests, { config: { sockets: { maxRunning: 2 } } });
  const client = await served.open();
  const fault = async (message: Record<string, unknown>) => {
    const count = client.of("error").length;
    client.send({ action: "INVOKE", payload: 1, ...message });
    return await client.nth("error", count + 1);
  };
  client.send({ action: "INVOKE", id: 1, capability: "alpha.stuck", payload: 1 });
  await client.nth("chunk");
  const twice = await fault({ id: 1, capability: "alpha.echo" });
  assert.deepEqual([twice.id, twice.payload.code], [1, "CONFLICT"]);
  const unknown = await fault({ id: 2, capability: "alpha.none" });
  assert.deepEqual([unknown.id, unknown.payload.code], [2, "NOT_FOUND"]);
  const failed = await fault({ id: 3, capability: "alpha.fail" });
  assert.equal(failed.payload.code, "PLUGIN_ERROR");
  client.send({ action: "INVOKE", id: "1", capability: "alpha.stuck", payload: 1 });
  await client.nth("chunk", 2);
  const full = await fault({ id: 4, capability: "alpha.echo" });
  assert.equal(full.payload.code, "QUEUE_FULL");
  assert.deepEqual(full.payload.details, { limit: 2 });

  const own = await served.open({ path: "/ws/plugins/beta" });
  own.send({ action: "INVOKE", id: 1, capability: "alpha.echo", payload: 1 });
  assert.equal((await own.nth("error")).payload.code, "FORBIDDEN");
  await client.close();
  await own.close();
});

Deno.test("INVOKE answers a result, or chunks in order and then the end", async () => {
  await using served = serveSocketHost(guests);
  const client = await served.open({ path: "/ws/plugins/alpha" });
  client.send({ action: "INVOKE", id: "e", capability: "alpha.echo", payload: { a: [1] } });
  const { id, payload } = await client.nth("result");
  assert.deepEqual({ id, payload }, { id: "e", payload: { a: [1] } });
  client.send({ action: "INVOKE", id: 7, capability: "alpha.count", payload: { to: 500 } });
  const end = await client.nth("result", 2);
  assert.deepEqual([end.id, end.payload], [7, null]);
  const chunks = client.of("chunk");
  assert.deepEqual(chunks.map(({ payload }) => payload), count(500).map((i) => ({ i })));
  assert.ok(chunks.every((chunk) => chunk.id === 7));
  await client.close();
});

Deno.test("SUB: bad topics, foreign plugins and too many are errors, and the socket lives", async () => {
  await using served = serveSocketHost({}, { config: { sockets: { maxSubscriptions: 3 } } });
  const client = await served.open();
  const fault = async (message: unknown) => {
    const count = client.of("error").length;
    client.send(message);
    return (await client.nth("error", count + 1)).payload;
  };
  assert.match((await fault({ action: "SUB", topic: "all" })).message, /"\/topic"/);
  assert.match((await fault({ action: "SUB", topic: "logs", after: -1 })).message, /"\/after"/);
  assert.equal((await fault({ action: "SUB", topic: "logs", pluginId: "none" })).code, "NOT_FOUND");
  assert.deepEqual(await client.subscribe("jobs"), { topic: "jobs", gap: false });
  await client.subscribe("logs", { pluginId: "alpha" });
  await client.subscribe("status");
  const many = await fault({ action: "SUB", topic: "telemetry" });
  assert.match(many.message, /3 subscriptions/);
  client.send({ action: "UNSUB", topic: "status" });
  client.send({ action: "UNSUB", topic: "status" });
  await client.nth("unsubscribed", 2);
  await client.subscribe("telemetry");
  await client.close();

  const own = await served.open({ path: "/ws/plugins/alpha" });
  own.send({ action: "SUB", topic: "logs", pluginId: "beta" });
  assert.equal((await own.nth("error")).payload.code, "FORBIDDEN");
  assert.deepEqual(await own.subscribe("logs"), { topic: "logs", pluginId: "alpha", gap: false });
  // Jobs are of no plugin.
  assert.deepEqual(await own.subscribe("jobs", { pluginId: "beta" }), {
    topic: "jobs",
    gap: false,
  });
  own.send({ action: "PING" });
  await own.nth("pong");
  await own.close();
});

Deno.test("jobs reach those who subscribed and may see them, each once, until they leave", async () => {
  const listeners = new Set<(job: Job) => void>();
  const jobs = {
    watch(listener: (job: Job) => void) {
      listeners.add(listener);
      return () => void listeners.delete(listener);
    },
    stop: () => Promise.resolve(),
  } as Partial<Jobs> as Jobs;
  const bearers = { ada: "models:read", bob: "models:read", olga: "models:*", eve: "account" };
  const auth = {
    authenticate: (bearer: string | undefined) =>
      testIdentity({ id: bearer!, scopes: [bearers[bearer as keyof typeof bearers]] }),
    watch: () => () => {},
  };
  const served = serveSocketHost({}, { auth, jobs });
  const clients = await Promise.all(
    Object.keys(bearers).map((name) =>
      served.open({ protocols: ["bkg", `bearer.${name}`], path: "/ws/plugins" })
    ),
  );
  const [ada, bob, olga, eve] = clients;
  for (const client of [ada!, bob!, olga!]) {
    await client.subscribe("jobs");
    await client.subscribe("jobs", { after: 0 });
  }
  eve!.send({ action: "SUB", topic: "jobs" });
  assert.equal((await eve!.nth("error")).payload.code, "FORBIDDEN");
  const tell = (doneBytes: number) => {
    const job = { id: "j", createdBy: "ada", doneBytes } as Job;
    for (const listener of listeners) listener(job);
  };
  const start = (await ada!.nth("bootstrap")).seq;
  tell(1);
  tell(2);
  await Promise.all([ada!.nth("jobs", 2), olga!.nth("jobs", 2)]);
  ada!.send({ action: "UNSUB", topic: "jobs" });
  await ada!.nth("unsubscribed");
  tell(3);
  await olga!.nth("jobs", 3);
  const seen = (client: SocketClient) =>
    client.of("jobs").map(({ seq, payload }) => [seq - start, payload.job.doneBytes]);
  assert.deepEqual(seen(ada!), [[1, 1], [2, 2]]);
  assert.deepEqual(seen(olga!), [[1, 1], [2, 2], [3, 3]]);
  assert.deepEqual([seen(bob!), seen(eve!)], [[], []]);
  await served[Symbol.asyncDispose]();
  assert.equal(listeners.size, 0);
});

Deno.test("the first message is everything as it is, with the seq to go on from", async () => {
  await using served = serveSocketHost();
  await served.start("alpha");
  const all = await served.open();
  const bootstrap = await all.nth("bootstrap");
  assert.equal(all.messages[0], bootstrap);
  assert.equal(bootstrap.seq, served.test.host.lastSeq);
  assert.equal(bootstrap.payload.version, "1.2.3");
  assert.deepEqual(bootstrap.payload.plugins.map(({ id }) => id), ["alpha", "beta"]);
  const one = await served.open({ path: "/ws/plugins/beta" });
  assert.deepEqual((await one.nth("bootstrap")).payload.plugins.map(({ id }) => id), ["beta"]);
  await all.close();
  await one.close();
});

Deno.test("SUB with after: reconnecting under a stream of lines misses none and doubles none", async () => {
  await using served = serveSocketHost();
  const cell = await served.start("alpha");
  const first = served.test.host.lastSeq;
  let written = 0;
  const writing = setInterval(() => {
    for (let i = 0; i < 5; i++) log(served.test.time, cell, `line ${written++}`);
  }, 2);
  const seen: number[] = [];
  try {
    for (let round = 0; round < 12; round++) {
      const client = await served.open();
      await client.subscribe("logs", { after: seen.at(-1) ?? first });
      // Again, and by another way: neither may double a line.
      await client.subscribe("logs", { after: 0 });
      await until(() => client.lineSeqs().length > 20);
      client.socket.close();
      await client.closed;
      seen.push(...client.lineSeqs());
      await new Promise((resolve) => setTimeout(resolve, 10));
    }
  } finally {
    clearInterval(writing);
  }
  const last = await served.open();
  const { gap } = await last.subscribe("logs", { after: seen.at(-1)! });
  assert.equal(gap, false);
  await until(() => seen.length + last.lineSeqs().length >= written);
  seen.push(...last.lineSeqs());
  const expected = served.test.host.history({ topic: "logs", after: first }).events;
  assert.ok(written > 300, `${written} lines`);
  assert.deepEqual(seen.slice(-expected.length), expected.map(({ seq }) => seq));
  assert.equal(seen.length, written);
  assert.deepEqual(seen, [...new Set(seen)].sort((a, b) => a - b));
  await last.close();
});

Deno.test("SUB with after says when some of what was missed is gone", async () => {
  await using served = serveSocketHost();
  const cell = await served.start("alpha");
  const after = served.test.host.lastSeq;
  for (let i = 0; i < 1500; i++) {
    log(served.test.time, cell, `line ${i}`);
    if (i % 100 === 99) await until(() => served.test.host.lastSeq >= after + i);
  }
  const client = await served.open();
  assert.equal((await client.subscribe("logs", { after })).gap, true);
  assert.equal(client.lineSeqs().length, 1000);
  assert.equal(client.lineSeqs().at(-1), served.test.host.lastSeq);
  assert.equal((await client.subscribe("status", { after })).gap, false);
  await client.close();
});

Deno.test("events reach their subscribers alone, once, and in order of seq", async () => {
  await using served = serveSocketHost();
  const cell = await served.start("alpha");
  const [everything, alphas, betas] = [
    await served.open(),
    await served.open(),
    await served.open({ path: "/ws/plugins/beta" }),
  ];
  for (const client of [everything, alphas]) {
    await client.subscribe("logs");
    await client.subscribe("logs", { pluginId: "alpha" });
  }
  await everything.subscribe("status");
  await betas.subscribe("logs");
  for (let i = 0; i < 5; i++) log(served.test.time, cell, `a${i}`);
  await everything.nth("logs", 2);
  await served.start("beta");
  log(served.test.time, cell, "last");
  await until(() => texts(everything).at(-1) === "last" && texts(alphas).at(-1) === "last");
  assert.deepEqual(texts(alphas), ["a0", "a1", "a2", "a3", "a4", "last"]);
  const seqs = everything.messages.flatMap((message) => "seq" in message ? [message.seq] : []);
  assert.deepEqual(seqs, seqs.toSorted((a, b) => a - b));
  assert.ok(everything.of("status").some(({ payload }) => payload.plugin.status === "running"));
  assert.deepEqual(texts(betas), []);
  alphas.send({ action: "UNSUB", topic: "logs" });
  await alphas.nth("unsubscribed");
  log(served.test.time, cell, "still by name");
  await until(() => texts(alphas).at(-1) === "still by name");
  for (const client of [everything, alphas, betas]) await client.close();
});

Deno.test("log lines: the first goes out at once, a flood goes out together", async () => {
  await using served = serveSocketHost();
  const cell = await served.start("alpha");
  const client = await served.open();
  await client.subscribe("logs");
  await new Promise((resolve) => setTimeout(resolve, 60));
  const startMs = performance.now();
  log(served.test.time, cell, "first");
  await client.nth("logs");
  assert.ok(performance.now() - startMs < 40, "the first line was held back");
  const before = client.of("logs").length;
  for (let i = 0; i < 250; i++) {
    log(served.test.time, cell, `line ${i}`);
    if (i % 5 === 4) await new Promise((resolve) => setTimeout(resolve, 10));
  }
  await until(() => texts(client).length === 251);
  const elapsedMs = performance.now() - startMs;
  const messages = client.of("logs").length - before;
  assert.ok(messages <= elapsedMs / 50 + 1, `${messages} messages in ${elapsedMs} ms`);
  await client.close();
});

function count(to: number): number[] {
  return Array.from({ length: to }, (_, index) => index + 1);
}

function texts(client: SocketClient): string[] {
  return client.of("logs").flatMap(({ payload }) => payload.lines)
    .filter(({ source }) => source === "plugin").map(({ message }) => message);
}

/** The plugin writes a line; time moves on, so that its share of lines is never used up. */
function log(time: { nowMs: number }, cell: TestCell, message: string): void {
  time.nowMs += 2;
  cell.guest.notify("log", { level: "info", message });
}

Deno.test("INVOKE beyond a limit is an error that tells the limit, under its id; a scope less is FORBIDDEN", async () => {
  const identity = testIdentity({
    scopes: ["invoke:alpha.echo", "plugins:read"],
    limits: { requestsPerMinute: 2 },
  });
  await using host = serveSocketHost(
    { alpha: { "alpha.echo": (input) => input } },
    { auth: { authenticate: () => identity, watch: () => () => {} } },
  );
  const client = await host.open();
  for (let id = 1; id <= 3; id++) {
    client.send({ action: "INVOKE", id, capability: "alpha.echo", payload: id });
    await until(() => client.of("result").length + client.of("error").length === id);
  }
  const [limited] = client.of("error");
  assert.equal(limited?.id, 3);
  const { code, details } = limited!.payload;
  const { policy, limit, remaining, retryAfterMs } = details as Record<string, number>;
  assert.deepEqual([code, policy, limit, remaining], ["RATE_LIMITED", "requests", 2, 0]);
  assert.ok(retryAfterMs! > 0 && retryAfterMs! <= 60_000);
  client.send({ action: "INVOKE", id: 4, capability: "alpha.idle", payload: {} });
  assert.deepEqual((await client.nth("error", 2)).payload.details, { scope: "invoke:alpha.idle" });
  client.send({ action: "SUB", topic: "logs" });
  assert.deepEqual((await client.nth("error", 3)).payload.details, { scope: "logs:read" });
  assert.equal((await client.subscribe("status")).topic, "status");
  await client.close();
});
