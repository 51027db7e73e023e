// Pulls as clients see them: a whole server, and a hub that speaks the real one's protocol.

import assert from "node:assert/strict";
import { join } from "node:path";
import type { Job } from "../../../plugins/runtime/contract/job.ts";
import { projectRoot } from "../../build/bundles.ts";
import { type ComposedOptions, type ComposedServer, startComposed } from "../composed_server.ts";
import { type Hub, type HubOptions, startHub } from "../hub_server.ts";
import { startServer } from "../server_process.ts";
import { SocketClient } from "../socket_host.ts";

const model = await Deno.readFile(join(projectRoot, "models/demo/demo-stories-q8_0.gguf"));
const repo = "ada/Stories-GGUF";
const id = `${repo}:Q8_0`;
const path = (text: string) => `/api/models/${encodeURIComponent(text)}`;

interface Bench extends AsyncDisposable {
  readonly hub: Hub;
  readonly server: ComposedServer;
  readonly dataDir: string;
  /** Stops the server, and starts another on the same folder. */
  restart(env?: Record<string, string>): Promise<void>;
}

async function open(
  hubOptions: Partial<HubOptions> = {},
  { env: given = {}, ...options }: ComposedOptions & { env?: Record<string, string> } = {},
): Promise<Bench> {
  const hub = await startHub({ files: { [repo]: { "stories-Q8_0.gguf": model } }, ...hubOptions });
  const dataDir = await Deno.makeTempDir({ prefix: "bkg-test-" });
  const start = (env: Record<string, string> = {}) =>
    startComposed({ HF_ENDPOINT: hub.url, ...given, ...env }, { ...options, dataDir });
  let server = await start();
  return {
    hub,
    dataDir,
    get server() {
      return server;
    },
    async restart(env) {
      await server[Symbol.asyncDispose]();
      server = await start(env);
    },
    async [Symbol.asyncDispose]() {
      await server[Symbol.asyncDispose]();
      await hub[Symbol.asyncDispose]();
      await Deno.remove(dataDir, { recursive: true });
    },
  };
}

interface Answer {
  status: number;
  // deno-lint-ignore no-explicit-any -- of many shapes, each read once
  body: any;
  headers: Headers;
}

/** Where to ask, and by which key. */
type Asked = Pick<ComposedServer, "url" | "token">;

async function ask(
  { url, token }: Asked,
  request: string,
  { body, bearer = token }: { body?: unknown; bearer?: string } = {},
): Promise<Answer> {
  const [method = "", path = ""] = request.split(" ");
  const response = await fetch(url + path, {
    method,
    headers: { authorization: `Bearer ${bearer}`, "content-type": "application/json" },
    ...(body === undefined ? {} : { body: JSON.stringify(body) }),
  });
  return { status: response.status, body: await response.json(), headers: response.headers };
}

async function pull(server: Asked, source = `${repo}:Q8_0`, more = {}): Promise<Job> {
  const { status, body } = await ask(server, "POST /api/models/pull", {
    body: { source, ...more },
  });
  assert.equal(status, 202, JSON.stringify(body));
  return body;
}

const readJob = async (server: Asked, { id }: Pick<Job, "id">): Promise<Job> =>
  (await ask(server, `GET /api/jobs/${id}`)).body;

/** Waits until the job is as wanted, at most 15 s. */
async function waitFor(
  server: Asked,
  job: Pick<Job, "id">,
  wanted: (job: Job) => boolean,
): Promise<Job> {
  const limit = performance.now() + 15_000;
  while (true) {
    const now = await readJob(server, job);
    if (wanted(now)) return now;
    assert.ok(performance.now() < limit, JSON.stringify(now));
    await new Promise((resolve) => setTimeout(resolve, 10));
  }
}

const ended = ({ status }: Job) => !["queued", "running"].includes(status);

interface JobEvent {
  name: string;
  job: Job;
}

async function readEvents(server: ComposedServer, job: Job): Promise<JobEvent[]> {
  return await parseEvents(await follow(server, job));
}

function follow(server: ComposedServer, { id }: Job): Promise<Response> {
  return fetch(`${server.url}/api/jobs/${id}/events`, {
    headers: { authorization: `Bearer ${server.token}` },
  });
}

async function parseEvents(response: Response): Promise<JobEvent[]> {
  const text = await response.text();
  return [...text.matchAll(/^event: (\w+)\ndata: (.*)$/gm)].map(([, name = "", data = ""]) => ({
    name,
    job: JSON.parse(data),
  }));
}

const sentBytes = ({ requests }: Hub) =>
  requests.filter(({ at }) => at === "cdn").reduce((sum, { sentBytes }) => sum + sentBytes, 0);

async function makeKey(
  server: ComposedServer,
  role: string,
  scopes: readonly string[],
): Promise<string> {
  const made = await ask(server, "POST /admin/users", { body: { name: `${role}-ada`, role } });
  const key = await ask(server, "POST /admin/keys", {
    body: { userId: made.body.user.id, name: role, scopes },
  });
  assert.equal(key.status, 200, JSON.stringify([made.body, key.body]));
  return key.body.key;
}

Deno.test("a pull that cannot be is refused, or fails saying why, and leaves nothing", async () => {
  let freeBytes = 1e12;
  const files = {
    [repo]: { "stories-Q8_0.gguf": model },
    "ada/Broken-GGUF": { "broken-Q8_0.gguf": new Uint8Array(2_000_000).fill(65) },
  };
  await using bench = await open({ files }, { freeBytes: () => Promise.resolve(freeBytes) });
  const { server, hub } = bench;
  for (
    const [body, code] of [
      [{}, "INVALID_INPUT"],
      [{ source: "ftp://x/y.gguf" }, "INVALID_INPUT"],
      [{ source: "a/b/c" }, "INVALID_INPUT"],
      [{ source: "relative.gguf" }, "INVALID_INPUT"],
      [{ source: repo, other: 1 }, "INVALID_INPUT"],
    ] as const
  ) {
    const { status, body: problem } = await ask(server, "POST /api/models/pull", { body });
    assert.deepEqual([status, problem.code], [400, code], JSON.stringify(body));
  }
  const failing = async (source: string) => {
    const job = await pull(server, source);
    const { status, error, modelId } = await waitFor(server, job, ended);
    return { status, code: error?.code, message: error?.message, modelId };
  };
  assert.equal((await failing("ada/none")).code, "NOT_FOUND");
  const unknown = await failing(`${repo}:Q2_K`);
  assert.equal(unknown.code, "NOT_FOUND");
  assert.match(unknown.message!, /Q8_0/);

  freeBytes = 1000;
  const full = await failing(`${repo}:Q8_0`);
  assert.deepEqual([full.status, full.code, full.modelId], ["failed", "OUT_OF_DISK", id]);
  freeBytes = 1e12;

  hub.setFault({ kind: "oid", oid: "0".repeat(64) });
  const wrong = await failing(`${repo}:Q8_0`);
  assert.deepEqual([wrong.status, wrong.code], ["failed", "INVALID_MODEL"]);
  assert.equal((await ask(server, `GET ${path(id)}`)).status, 404);
  hub.clearFaults();

  // Whole, and no model for all that.
  const broken = await failing("ada/Broken-GGUF");
  assert.deepEqual([broken.status, broken.code], ["failed", "INVALID_MODEL"]);
  assert.match(broken.message!, /GGUF|magic/i);

  // The one that failed goes on, and no second one begins.
  const again = await pull(server, `${repo}:Q8_0`);
  assert.equal((await waitFor(server, again, ended)).status, "done");
  const { jobs } = (await ask(server, "GET /api/jobs?kind=model.pull")).body;
  assert.deepEqual(jobs.filter(({ modelId }: Job) => modelId === id).map(({ id }: Job) => id), [
    again.id,
  ]);
});

Deno.test("a pull: 202, events in order, and the model is everywhere at once", async () => {
  await using bench = await open({ bytesPerSecond: 8_000_000, license: "mit" });
  const { server, hub } = bench;
  const socket = await openSocket(server);
  await socket.subscribe("jobs");
  const begun = await ask(server, "POST /api/models/pull", { body: { source: id } });
  assert.equal(begun.status, 202);
  assert.equal(begun.headers.get("location"), `/api/jobs/${begun.body.id}`);
  const events = await readEvents(server, begun.body);
  const last = events.at(-1)!;
  assert.deepEqual([last.name, last.job.status, last.job.modelId], ["result", "done", id]);
  assert.deepEqual(last.job.result, { modelId: id, changed: true });
  assert.ok(events.slice(0, -1).every(({ name, job }) => name === "progress" && !ended(job)));
  assert.ok(events.length > 2, String(events.length));
  for (const jobs of [events.map(({ job }) => job), await told(socket, begun.body.id)]) {
    const done = jobs.map(({ doneBytes }) => doneBytes);
    assert.deepEqual(done, done.toSorted((a, b) => a - b));
    assert.deepEqual([done.at(-1), jobs.at(-1)?.totalBytes], [model.length, model.length]);
    assert.ok(jobs.some(({ bytesPerSecond = 0 }) => bytesPerSecond > 0));
  }
  await socket.close();

  const [found] = (await ask(server, "GET /api/models")).body.models.filter((
    model: { id: string },
  ) => model.id === id);
  assert.deepEqual(
    [found.origin, found.source, found.license, found.pinned, found.files],
    ["store", id, "mit", false, undefined],
  );
  assert.doesNotMatch(JSON.stringify(found), new RegExp(bench.dataDir));
  const named = (await ask(server, "GET /v1/models")).body.data.map(({ id }: { id: string }) => id);
  assert.ok(named.includes(id), named.join());
  const { files } = (await ask(server, `GET ${path(id)}`)).body;
  assert.deepEqual(files, [{
    name: "stories-Q8_0.gguf",
    size: model.length,
    digest: hub.digest(repo, "stories-Q8_0.gguf"),
  }]);
  const bytes = await fetch(`${server.url}${path(id)}/files/stories-Q8_0.gguf`, {
    headers: { authorization: `Bearer ${server.token}` },
  });
  assert.deepEqual(await bytes.bytes(), model);

  // It is here: another pull is refused by name, whatever it is called.
  for (const source of [id, `${repo}:q8_0`, `hf:${id}`]) {
    const refused = await ask(server, "POST /api/models/pull", { body: { source } });
    assert.deepEqual([refused.status, refused.body.details], [409, { modelId: id }], source);
  }
  const before = sentBytes(hub);
  for (const [source, more] of [[repo, {}], [id, { update: true }]] as const) {
    const unchanged = await waitFor(server, await pull(server, source, more), ended);
    assert.deepEqual(unchanged.result, { modelId: id, changed: false }, source);
  }
  assert.equal(sentBytes(hub), before);
});

Deno.test("an update replaces a model when the new one is whole, and keeps the old one else", async () => {
  await using bench = await open();
  const { hub } = bench;
  await waitFor(bench.server, await pull(bench.server), ended);
  await ask(bench.server, `PUT ${path(id)}/pin`, { body: { pinned: true } });
  const newer = model.slice();
  newer[newer.length - 1]! ^= 1;
  await using other = await startHub({ files: { [repo]: { "stories-Q8_0.gguf": newer } } });
  await bench.restart({ HF_ENDPOINT: other.url });
  const digest = async () => (await ask(bench.server, `GET ${path(id)}`)).body.files[0].digest;
  other.setFault({ kind: "corrupt" });
  const failed = await waitFor(bench.server, await pull(bench.server, id, { update: true }), ended);
  assert.equal(failed.error?.code, "INVALID_MODEL");
  assert.equal(await digest(), hub.digest(repo, "stories-Q8_0.gguf"));
  other.clearFaults();
  const done = await waitFor(bench.server, await pull(bench.server, id, { update: true }), ended);
  assert.deepEqual(done.result, { modelId: id, changed: true });
  assert.equal(await digest(), other.digest(repo, "stories-Q8_0.gguf"));
  assert.equal((await ask(bench.server, `GET ${path(id)}`)).body.pinned, true);
});

Deno.test("two equal pulls are one download, by whatever name", async () => {
  await using bench = await open({ bytesPerSecond: 8_000_000 });
  const { server, hub } = bench;
  const answers = await Promise.all(
    [id, id, `${repo}:q8_0`].map((source) =>
      ask(server, "POST /api/models/pull", { body: { source } })
    ),
  );
  assert.equal(new Set(answers.map(({ body }) => body.id)).size, 1);
  assert.deepEqual(answers.map(({ status }) => status).sort(), [200, 200, 202]);
  // Which file it will be is not known of this one before the hub was asked.
  const other = await pull(server, repo);
  assert.notEqual(other.id, answers[0]!.body.id);
  assert.equal((await waitFor(server, answers[0]!.body, ended)).status, "done");
  const late = await waitFor(server, other, ended);
  assert.deepEqual(late.result, { modelId: id, changed: false });
  assert.equal(sentBytes(hub), model.length);
});

Deno.test("pause keeps what has come, cancel throws it away, a restart goes on", async () => {
  await using bench = await open();
  const { hub } = bench;
  // Each body falls silent after a third of the file.
  hub.setFault({ kind: "stall", bytes: 1_200_000 });
  const partials = () => {
    try {
      return [...Deno.readDirSync(join(bench.dataDir, "models/partial"))].map(({ name }) => name);
    } catch {
      return [];
    }
  };
  const isHeld = ({ doneBytes }: Job) => doneBytes >= 1_000_000;

  const thrown = await pull(bench.server);
  await waitFor(bench.server, thrown, isHeld);
  assert.deepEqual(partials(), [thrown.id]);
  const cancelled = await ask(bench.server, `POST /api/jobs/${thrown.id}/cancel`);
  assert.deepEqual([cancelled.body.status, partials()], ["cancelled", []]);
  assert.equal((await ask(bench.server, `POST /api/jobs/${thrown.id}/resume`)).status, 409);
  assert.equal((await ask(bench.server, `DELETE /api/jobs/${thrown.id}`)).status, 200);
  assert.equal((await ask(bench.server, `GET /api/jobs/${thrown.id}`)).status, 404);

  hub.requests.length = 0;
  const job = await pull(bench.server);
  await waitFor(bench.server, job, isHeld);
  const paused = (await ask(bench.server, `POST /api/jobs/${job.id}/pause`)).body;
  assert.equal(paused.status, "paused");
  const [event, ...more] = await readEvents(bench.server, job);
  assert.deepEqual([event?.name, event?.job.status, more], ["result", "paused", []]);
  await bench.restart();
  const kept = await readJob(bench.server, job);
  assert.deepEqual([kept.status, kept.doneBytes], ["paused", paused.doneBytes]);
  // Room is not made of what somebody may go on with.
  await ask(bench.server, "POST /api/models/gc", { body: {} });
  assert.deepEqual(partials(), [job.id]);
  const equal = await ask(bench.server, "POST /api/models/pull", { body: { source: id } });
  assert.deepEqual([equal.status, equal.body.id, equal.body.status], [200, job.id, "paused"]);

  await ask(bench.server, `POST /api/jobs/${job.id}/resume`);
  await waitFor(bench.server, job, ({ doneBytes }) => doneBytes > paused.doneBytes);
  hub.clearFaults();
  const following = await follow(bench.server, job);
  await bench.restart();
  // Who follows is told at once that the server stops, and does not hold it up.
  const told = await parseEvents(following);
  assert.equal(told.at(-1)?.name, "error");
  let doneBytes = 0;
  const done = await waitFor(bench.server, job, (now) => {
    assert.ok(now.doneBytes >= doneBytes);
    doneBytes = now.doneBytes;
    return ended(now);
  });
  assert.deepEqual([done.status, done.doneBytes], ["done", model.length]);
  // What was there was not fetched again, but for what was on its way when it was let go of.
  assert.ok(sentBytes(hub) < model.length * 1.5, String(sentBytes(hub)));
  assert.deepEqual(partials(), []);
  assert.equal((await ask(bench.server, `GET ${path(id)}`)).body.files[0].size, model.length);
});

Deno.test("a server that is killed in the middle of a pull ends it when it is there again", async () => {
  await using hub = await startHub({
    files: { [repo]: { "stories-Q8_0.gguf": model } },
    bytesPerSecond: 1_500_000,
  });
  const dataDir = await Deno.makeTempDir({ prefix: "bkg-test-" });
  const start = () => startServer({ dataDir, env: { HF_ENDPOINT: hub.url } });
  let server = await start();
  try {
    const job = await pull(server);
    for (let kill = 0; kill < 3; kill++) {
      await waitFor(server, job, ({ doneBytes }) => doneBytes > 0);
      await new Promise((resolve) => setTimeout(resolve, Math.random() * 300));
      await server.end("SIGKILL");
      server = await start();
    }
    const { status, doneBytes } = await waitFor(server, job, ended);
    assert.deepEqual([status, doneBytes], ["done", model.length]);
    const { files } = (await ask(server, `GET ${path(id)}`)).body;
    assert.equal(files[0].digest, hub.digest(repo, "stories-Q8_0.gguf"));
    assert.equal(await server.end("SIGTERM"), 0);
  } finally {
    await server[Symbol.asyncDispose]();
    await Deno.remove(dataDir, { recursive: true });
  }
});

Deno.test("a person sees and steers what the scopes allow; files are the local operator's", async () => {
  await using bench = await open({ bytesPerSecond: 1_000_000 });
  const { server } = bench;
  const operator = await makeKey(server, "operator", ["models:*"]);
  const user = await makeKey(server, "user", ["models:read"]);
  const local = join(bench.dataDir, "mine.gguf");
  await Deno.writeFile(local, model);
  const named = { source: local, id: "mine" };
  for (const bearer of [operator, user]) {
    const refused = await ask(server, "POST /api/models/pull", { body: named, bearer });
    assert.deepEqual([refused.status, refused.body.code], [403, "FORBIDDEN"]);
  }
  const refused = await ask(server, "POST /api/models/pull", {
    body: { source: id },
    bearer: user,
  });
  assert.equal(refused.body.details.scope, "models:manage");

  const watching = await openSocket(server, user);
  await watching.subscribe("jobs");
  const begun = await ask(server, "POST /api/models/pull", {
    body: { source: id },
    bearer: operator,
  });
  assert.equal(begun.status, 202);
  const job: Job = begun.body;
  for (const request of [`GET /api/jobs/${job.id}`, `GET /api/jobs/${job.id}/events`]) {
    assert.equal((await ask(server, request, { bearer: user })).status, 404, request);
  }
  assert.equal(
    (await ask(server, `POST /api/jobs/${job.id}/cancel`, { bearer: user })).body.code,
    "FORBIDDEN",
  );
  assert.deepEqual((await ask(server, "GET /api/jobs", { bearer: user })).body.jobs, []);
  assert.equal((await ask(server, "GET /api/jobs", { bearer: operator })).body.jobs.length, 1);
  assert.equal((await ask(server, "GET /api/jobs?status=paused,done")).body.jobs.length, 0);
  assert.equal((await ask(server, "GET /api/jobs?status=odd")).status, 400);
  assert.equal((await ask(server, "GET /api/models", { bearer: user })).body.problems, undefined);
  assert.deepEqual((await ask(server, "GET /api/models")).body.problems, []);
  await ask(server, `POST /api/jobs/${job.id}/cancel`);
  assert.deepEqual(watching.of("jobs"), []);
  await watching.close();

  const copied = await waitFor(server, await pull(server, local, { id: "mine" }), ended);
  assert.deepEqual([copied.status, copied.modelId], ["done", "mine"]);
  await waitForAudit(server, ["model.pull", "job.cancel"]);
});

Deno.test("verify, pin, remove and make room", async () => {
  await using bench = await open();
  const { server } = bench;
  await waitFor(server, await pull(server), ended);
  const verified = await ask(server, `POST ${path(id)}/verify`);
  assert.equal(verified.status, 202);
  const { status, result, title } = await waitFor(server, verified.body, ended);
  const { files } = result as { files: { ok: boolean; size: number }[] };
  assert.deepEqual([status, title, files.map(({ ok }) => ok)], ["done", id, [true]]);
  assert.equal((await ask(server, `POST ${path("none")}/verify`)).status, 404);

  assert.equal(
    (await ask(server, `PUT ${path(id)}/pin`, { body: { pinned: true } })).body.pinned,
    true,
  );
  assert.equal((await ask(server, `DELETE ${path(id)}`)).body.code, "CONFLICT");
  const disk = (await ask(server, "GET /api/models/disk")).body;
  assert.deepEqual([disk.storeBytes, disk.models, disk.reclaimableBytes], [model.length, 1, 0]);
  assert.ok(disk.freeBytes > 0 && disk.totalBytes > disk.freeBytes);
  const removed = await ask(server, `DELETE ${path(id)}?force=1`);
  assert.deepEqual(removed.body, { freedBytes: model.length });
  assert.equal((await ask(server, `GET ${path(id)}`)).status, 404);
  assert.equal((await ask(server, "DELETE /api/models/demo-stories-q8_0")).body.code, "CONFLICT");
  const garbage = await ask(server, "POST /api/models/gc", { body: { unusedDays: 1 } });
  assert.deepEqual(garbage.body, { freedBytes: 0, models: [], blobs: 0, partials: 0 });
  await waitForAudit(server, ["model.pull", "model.pin", "model.remove", "model.gc"]);
});

Deno.test("the catalogue and the machine; offline nothing is pulled, and it says so", async () => {
  await using bench = await open({}, { env: { BKG_OFFLINE: "1" } });
  const { server, hub } = bench;
  const machine = (await ask(server, "GET /api/machine")).body;
  assert.equal(machine.offline, true);
  assert.ok(machine.cores >= 1 && machine.memoryBytes > 0 && machine.pluginMemoryBytes > 0);
  const catalog = (await ask(server, "GET /api/models/catalog")).body;
  assert.equal(catalog.machine.offline, true);
  assert.ok(catalog.models.length > 2);
  for (const { installed, job, fits } of catalog.models) {
    assert.deepEqual([installed, job], [null, null]);
    assert.ok(fits.length > 0);
  }
  const refused = await ask(server, "POST /api/models/pull", { body: { source: id } });
  assert.deepEqual([refused.status, refused.body.code], [503, "UNAVAILABLE"]);
  assert.equal(refused.body.detail, "BKG_OFFLINE is set: nothing is downloaded");
  assert.deepEqual(hub.requests, []);
});

Deno.test("the catalogue tells of a model what its pull found out", async () => {
  const source = "Qwen/Qwen2-0.5B-Instruct-GGUF:Q8_0";
  const files = { [source.split(":")[0]!]: { "qwen2-0_5b-instruct-q8_0.gguf": model } };
  await using bench = await open({ files });
  const { server } = bench;
  const find = async () =>
    (await ask(server, "GET /api/models/catalog")).body.models
      .find((entry: { source: string }) => entry.source === source);
  const before = await find();
  assert.deepEqual([before.installed, before.size, before.digest], [null, null, null]);
  const { body: job } = await ask(server, "POST /api/models/pull", { body: { source } });
  assert.equal((await waitFor(server, job, ended)).status, "done");
  const after = await find();
  assert.deepEqual([after.installed, after.size, after.contextLength], [source, model.length, 512]);
  assert.match(after.digest, /^sha256:[0-9a-f]{64}$/);
  assert.equal(after.fits[0].exact, true);
});

async function openSocket(server: ComposedServer, bearer = server.token): Promise<SocketClient> {
  const url = `${server.url.replace("http", "ws")}/ws/plugins`;
  const client = new SocketClient(new WebSocket(url, ["bkg", `bearer.${bearer}`]));
  await client.opened;
  return client;
}

/** What a socket was told of a job, to its end. */
async function told(socket: SocketClient, jobId: string): Promise<Job[]> {
  const jobs = () =>
    socket.of("jobs").map(({ payload }) => payload.job).filter(({ id }) => id === jobId);
  const limit = performance.now() + 5000;
  while (!jobs().some(ended)) {
    assert.ok(performance.now() < limit);
    await new Promise((resolve) => setTimeout(resolve, 10));
  }
  const seqs = socket.of("jobs").map(({ seq }) => seq);
  assert.deepEqual(seqs, [...new Set(seqs)].sort((a, b) => a - b));
  return jobs();
}

async function waitForAudit(server: ComposedServer, actions: readonly string[]): Promise<void> {
  const limit = performance.now() + 5000;
  while (true) {
    const { entries } = (await ask(server, "GET /admin/audit?limit=200")).body;
    const known = new Set(entries.map(({ action }: { action: string }) => action));
    if (actions.every((action) => known.has(action))) return;
    assert.ok(performance.now() < limit, [...known].join());
    await new Promise((resolve) => setTimeout(resolve, 50));
  }
}
