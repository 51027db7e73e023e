// Native engines as clients see them: a whole server, and a registry on this machine.

import assert from "node:assert/strict";
import { join } from "node:path";
import type { EngineChoice } from "../../../plugins/runtime/contract/engine_choice.ts";
import type { Job } from "../../../plugins/runtime/contract/job.ts";
import { type ComposedServer, startComposed } from "../composed_server.ts";
import { type RegistryScene, stalling, startRegistry } from "../package_registry.ts";
import { skipUnless } from "../require.ts";

interface Bench extends AsyncDisposable {
  readonly registry: RegistryScene;
  readonly server: ComposedServer;
  readonly dataDir: string;
  /** Stops the server, and starts another on the same folder. */
  restart(env?: Record<string, string>): Promise<void>;
}

async function open(env: Record<string, string> = {}): Promise<Bench> {
  const registry = await startRegistry({ bytes: 200_000 });
  const dataDir = await Deno.makeTempDir({ prefix: "bkg-test-" });
  const start = (more: Record<string, string> = {}) =>
    startComposed(
      {
        ...{ NPM_CONFIG_REGISTRY: `${registry.url}/`, BKG_PRIVATE_HOSTS: "127.0.0.1" },
        ...{ ...env, ...more },
      },
      { dataDir, enginePins: registry.pins },
    );
  let server = await start();
  return {
    registry,
    dataDir,
    get server() {
      return server;
    },
    async restart(more) {
      await server[Symbol.asyncDispose]();
      server = await start(more);
    },
    async [Symbol.asyncDispose]() {
      await server[Symbol.asyncDispose]();
      await registry[Symbol.asyncDispose]();
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

async function ask(
  { url, token }: Pick<ComposedServer, "url" | "token">,
  what: string,
  body?: unknown,
): Promise<Answer> {
  const [method, path] = what.split(" ") as [string, string];
  const response = await fetch(url + path, {
    method,
    headers: { authorization: `Bearer ${token}`, "content-type": "application/json" },
    ...(body === undefined ? {} : { body: JSON.stringify(body) }),
  });
  const { status, headers } = response;
  return { status, headers, body: await response.json() };
}

async function engineOf(server: ComposedServer, id: string): Promise<EngineChoice> {
  const { body } = await ask(server, "GET /api/engines");
  return (body.engines as EngineChoice[]).find((engine) => engine.id === id)!;
}

async function jobWhen(server: ComposedServer, id: string, holds: (job: Job) => boolean) {
  const limit = performance.now() + 20_000;
  while (true) {
    const { body } = await ask(server, `GET /api/jobs/${id}`);
    if (holds(body)) return body as Job;
    if (performance.now() > limit) throw new Error(`It did not come to pass: ${body.status}`);
    await new Promise((resolve) => setTimeout(resolve, 20));
  }
}

const hasEnded = ({ status }: Job) => ["done", "failed", "cancelled"].includes(status);

/** Answers what comes after the first `count` requests with a body that stops. */
function stallAfter({ registry }: Bench, count: number): void {
  registry.answer = (path) => {
    const file = registry.files.get(path);
    return registry.asked.length > count && file !== undefined ? stalling(file, 70_000) : undefined;
  };
}

Deno.test("engines: what cannot be added is refused, and says why", async () => {
  await using bench = await open();
  const { server, registry } = bench;
  const refused = async (what: string, body?: unknown) => {
    const answer = await ask(server, what, body);
    return `${answer.status} ${answer.body.code} ${answer.body.detail}`;
  };
  assert.match(await refused("POST /api/engines/metal", {}), /^404 NOT_FOUND .*only webgpu, cpu/);
  assert.match(await refused("POST /api/engines/cuda", {}), /^400 UNSUPPORTED_FEATURE There is no/);
  assert.match(await refused("POST /api/engines/cpu", { form: "/" }), /^400 INVALID_INPUT/);
  assert.match(await refused("POST /api/engines/cpu", { from: "here" }), /^400 .*whole path/);
  assert.match(await refused("DELETE /api/engines/cpu"), /^404 NOT_FOUND .*is not on/);
  const cuda = await engineOf(server, "cuda");
  assert.deepEqual([cuda.status, cuda.downloadBytes], ["unsupported", 0]);
  assert.match(cuda.reason ?? "", /no native engine "cuda" for/);

  // A key may add engines, and is not the local operator.
  const { body: { user } } = await ask(server, "POST /admin/users", {
    ...{ name: "ada", role: "admin" },
  });
  const { body: { key: token } } = await ask(server, "POST /admin/keys", {
    ...{ userId: user.id, name: "engines" },
    scopes: ["plugins:read", "plugins:manage", "models:read"],
  });
  const from = await ask({ url: server.url, token }, "POST /api/engines/cpu", {
    from: bench.dataDir,
  });
  assert.deepEqual([from.status, from.body.code], [403, "FORBIDDEN"]);
  assert.match(from.body.detail, /local operator/);
  assert.deepEqual(registry.asked, []);

  await bench.restart({ BKG_OFFLINE: "1" });
  const offline = await ask(bench.server, "POST /api/engines/cpu", {});
  assert.equal(offline.status, 503);
  assert.match(offline.body.detail, /BKG_OFFLINE/);
  await bench.restart({ BKG_PRIVATE_HOSTS: "" });
  const { body: job } = await ask(bench.server, "POST /api/engines/cpu", {});
  const { error } = await jobWhen(bench.server, job.id, hasEnded);
  assert.equal(error?.code, "FORBIDDEN");
  assert.match((await engineOf(bench.server, "cpu")).reason ?? "", /BKG_PRIVATE_HOSTS/);
  assert.deepEqual(registry.asked, []);
});

Deno.test("engines: a package that is not the known one fails the job, and nothing of it stays", async () => {
  await using bench = await open();
  const { server, registry, dataDir } = bench;
  registry.answer = (path) => {
    const other = registry.files.get(path)!.slice();
    other[100]! ^= 1;
    return path.includes("onnxruntime")
      ? new Response(other, { headers: { "content-length": `${other.length}` } })
      : undefined;
  };
  const { body: job } = await ask(server, "POST /api/engines/cpu", {});
  const failed = await jobWhen(server, job.id, hasEnded);
  assert.equal(failed.error?.code, "INVALID_PACKAGE");
  const engine = await engineOf(server, "cpu");
  assert.deepEqual([engine.status, engine.reason], ["off", failed.error?.message]);
  // The same job goes on with what was right.
  registry.answer = undefined;
  registry.asked.length = 0;
  const { body: again } = await ask(server, "POST /api/engines/cpu", {});
  assert.equal(again.id, job.id);
  assert.equal((await jobWhen(server, job.id, hasEnded)).status, "done");
  assert.deepEqual(registry.asked, ["/test-onnxruntime/-/test-onnxruntime-1.2.3.tgz"]);
  assert.deepEqual([...Deno.readDirSync(join(dataDir, "engines/partial"))], []);
});

Deno.test("engines: a second add is the same job, others wait, and what is cancelled leaves nothing", async () => {
  await using bench = await open();
  const { server, registry, dataDir } = bench;
  stallAfter(bench, 0);
  const first = await ask(server, "POST /api/engines/cpu", {});
  assert.deepEqual(
    [first.status, first.headers.get("location"), first.body.kind, first.body.title],
    [202, `/api/jobs/${first.body.id}`, "engine.add", "Native engine cpu"],
  );
  assert.equal((await ask(server, "POST /api/engines/cpu", {})).body.id, first.body.id);
  const other = await ask(server, "POST /api/engines/vulkan", {});
  await jobWhen(
    server,
    first.body.id,
    ({ status, step }) => status === "running" && step === "Downloading",
  );
  assert.equal((await ask(server, `GET /api/jobs/${other.body.id}`)).body.status, "queued");
  const adding = await engineOf(server, "cpu");
  assert.deepEqual([adding.status, adding.jobId], ["adding", first.body.id]);
  const removed = await ask(server, "DELETE /api/engines/cpu");
  assert.deepEqual([removed.status, removed.body.code], [409, "CONFLICT"]);
  for (const { id } of [other.body, first.body]) {
    assert.equal((await ask(server, `POST /api/jobs/${id}/cancel`)).body.status, "cancelled");
  }
  assert.equal((await engineOf(server, "cpu")).status, "off");
  assert.deepEqual([...Deno.readDirSync(join(dataDir, "engines/partial"))], []);
  registry.answer = undefined;
  const { body: job } = await ask(server, "POST /api/engines/cpu", {});
  assert.notEqual(job.id, first.body.id);
  assert.equal((await jobWhen(server, job.id, hasEnded)).status, "done");
});

Deno.test("engines: what was being added when the server ended goes on with the next", async () => {
  await using bench = await open();
  stallAfter(bench, 1);
  const { body: job } = await ask(bench.server, "POST /api/engines/cpu", {});
  await jobWhen(bench.server, job.id, () => bench.registry.asked.length === 2);
  bench.registry.answer = undefined;
  bench.registry.asked.length = 0;
  await bench.restart();
  const done = await jobWhen(bench.server, job.id, hasEnded);
  assert.equal(done.status, "done");
  assert.equal(done.doneBytes, done.totalBytes);
  // The first package was here.
  assert.deepEqual(bench.registry.asked, ["/test-onnxruntime/-/test-onnxruntime-1.2.3.tgz"]);
  const engine = await engineOf(bench.server, "cpu");
  assert.deepEqual([engine.status, engine.version], ["on", "llama 1.2.3, onnxruntime 1.2.3"]);
  assert.ok(engine.installedBytes! > 400_000);
});

Deno.test("engines: plugins that run take up what comes and goes, and no other plugin restarts", async () => {
  if (skipUnless("engines in cells", Deno.build.os === "linux" ? undefined : "needs /proc")) return;
  await using bench = await open();
  const { server, dataDir } = bench;
  const folders = ["llama-cpu", "onnxruntime-cpu"].map((name) => join(dataDir, "engines", name));
  for (const id of ["candle", "apikeys"]) {
    assert.equal((await ask(server, `POST /api/plugins/${id}/start`)).status, 200);
  }
  const cellOf = async (id: string) => {
    const { body: { pid } } = await ask(server, `GET /api/plugins/${id}/telemetry`);
    const [commandLine, environment] = await Promise.all(
      ["cmdline", "environ"].map((name) => Deno.readTextFile(`/proc/${pid}/${name}`)),
    );
    return {
      pid: pid as number,
      folders: folders.filter((folder) =>
        /--allow-ffi=[^\0]*/.exec(commandLine!)?.[0].includes(folder)
      ),
      hasGpu: !environment!.includes("DENO_WEBGPU_BACKEND=none"),
    };
  };
  const apikeys = await cellOf("apikeys");
  assert.deepEqual((await cellOf("candle")).folders, []);

  const { body: job } = await ask(server, "POST /api/engines/cpu", {});
  assert.equal((await jobWhen(server, job.id, hasEnded)).status, "done");
  const withNative = await cellOf("candle");
  assert.deepEqual([withNative.folders, withNative.hasGpu], [folders, false]);
  const conflict = await ask(server, "POST /api/engines/cpu", {});
  assert.deepEqual([conflict.status, conflict.body.code], [409, "CONFLICT"]);

  const webgpu = await ask(server, "POST /api/engines/webgpu", {});
  assert.deepEqual([webgpu.status, webgpu.body.id, webgpu.body.status], [200, "webgpu", "on"]);
  assert.equal((await cellOf("candle")).hasGpu, true);

  // While it is in use.
  assert.equal((await ask(server, "DELETE /api/engines/cpu")).status, 200);
  const without = await cellOf("candle");
  assert.deepEqual([without.folders, without.hasGpu], [[], true]);
  assert.equal((await ask(server, "DELETE /api/engines/webgpu")).status, 200);
  assert.equal((await cellOf("candle")).hasGpu, false);
  assert.deepEqual(await cellOf("apikeys"), apikeys);
  const left = [...Deno.readDirSync(join(dataDir, "engines"))].map(({ name }) => name).sort();
  assert.deepEqual(left, ["engines.json", "partial"]);
  const { body: { entries } } = await ask(server, "GET /admin/audit?limit=50");
  const deeds = (entries as { action: string; object: string }[]).map(({ action, object }) =>
    `${action} ${object}`
  );
  for (const deed of ["engine.add engine:cpu", "engine.remove engine:cpu"]) {
    assert.ok(deeds.includes(deed), deed);
  }
});
