// What a server leaves behind: nothing, whichever way it ends.

import assert from "node:assert/strict";
import { join } from "node:path";
import { projectRoot } from "../../build/bundles.ts";
import { startServer } from "../server_process.ts";

const plugins = join(projectRoot, "docs/examples");

Deno.test("kill -9 of the server leaves no cell behind, and no process of its database", async () => {
  await using server = await startServer({ env: { BKG_PLUGIN_PATHS: plugins } });
  await startWordcount(server);
  const { pid } = await (await server.fetch("/api/plugins/wordcount/telemetry")).json();
  const children = Deno.readTextFileSync(`/proc/${server.pid}/task/${server.pid}/children`)
    .trim().split(" ").map(Number);
  assert.ok(children.includes(pid) && children.length === 2, children.join());
  assert.ok(children.every(isAlive));
  await server.end("SIGKILL");
  await until(() => !children.some(isAlive), "a process lives on");
});

Deno.test("/readyz says so while the database does not answer, and /metrics what it takes", async () => {
  await using server = await startServer();
  const database = Number(
    Deno.readTextFileSync(`/proc/${server.pid}/task/${server.pid}/children`).trim(),
  );
  const ready = async () => (await server.fetch("/readyz")).status;
  assert.equal(await ready(), 200);
  const metrics = await (await server.fetch("/metrics")).text();
  const bytes = Number(/^bkg_database_resident_memory_bytes (\d+)$/m.exec(metrics)?.[1]);
  assert.ok(bytes > 50e6 && bytes < 400e6, metrics);
  // Longer than an answer is believed.
  await new Promise((resolve) => setTimeout(resolve, 1100));
  Deno.kill(database, "SIGSTOP");
  const stopped = await server.fetch("/readyz");
  assert.equal(stopped.status, 503);
  assert.equal((await stopped.json()).detail, "The database does not answer");
  Deno.kill(database, "SIGCONT");
  await new Promise((resolve) => setTimeout(resolve, 1100));
  assert.equal(await ready(), 200);
});

Deno.test("SIGTERM lets a running call end, then leaves with 0 and no cell", async () => {
  await using server = await startServer({ env: { BKG_PLUGIN_PATHS: plugins } });
  await startWordcount(server);
  const { pid } = await (await server.fetch("/api/plugins/wordcount/telemetry")).json();
  const answer = server.fetch("/v1/chat/completions", {
    method: "POST",
    headers: { "content-type": "application/json" },
    body: JSON.stringify({
      model: "demo-stories-q8_0",
      max_tokens: 30,
      messages: [{ role: "user", content: "Tell me a story" }],
    }),
  });
  await new Promise((resolve) => setTimeout(resolve, 200));
  const ended = server.end("SIGTERM");
  assert.equal((await answer).status, 200);
  assert.equal(await ended, 0);
  assert.ok(!isAlive(pid));
});

Deno.test("models are found and read through a linked folder", async () => {
  const folder = await Deno.makeTempDir();
  await Deno.mkdir(join(folder, "real"));
  const model = join(projectRoot, "models/demo/demo-stories-q8_0.gguf");
  await Deno.copyFile(model, join(folder, "real", "linked.gguf"));
  await Deno.symlink(join(folder, "real"), join(folder, "link"));
  await using server = await startServer({ env: { BKG_MODEL_PATHS: join(folder, "link") } });
  const answer = await server.fetch("/v1/completions", {
    method: "POST",
    headers: { "content-type": "application/json" },
    body: JSON.stringify({ model: "linked", prompt: "Once", max_tokens: 2 }),
  });
  assert.equal(answer.status, 200, await answer.text());
  await Deno.remove(folder, { recursive: true });
});

Deno.test("a second server on the same port, or on the same data folder, says so and ends with 4", async () => {
  await using server = await startServer();
  const other = await Deno.makeTempDir();
  const { port } = new URL(server.url);
  const second = async (env: Record<string, string>) => {
    const { code, stderr } = await new Deno.Command(Deno.execPath(), {
      args: ["run", "-A", "--no-prompt", "server/cli/main.ts", "serve"],
      cwd: projectRoot,
      env,
    }).output();
    assert.equal(code, 4);
    return new TextDecoder().decode(stderr);
  };
  const samePort = await second({ BKG_DATA_DIR: other, BKG_PORT: port });
  assert.match(samePort, new RegExp(`127.0.0.1:${port} is in use`));
  const sameFolder = await second({ BKG_DATA_DIR: server.dataDir, BKG_PORT: "0" });
  assert.ok(sameFolder.includes(`"${server.dataDir}/database" is in use`), sameFolder);
  assert.equal((await server.fetch("/readyz")).status, 200);
  await Deno.remove(other, { recursive: true });
});

Deno.test("200 starts and stops of a plugin grow neither memory, threads nor descriptors", async () => {
  await using server = await startServer({ env: { BKG_PLUGIN_PATHS: plugins } });
  const cycle = async () => {
    await startWordcount(server);
    const stopped = await server.fetch("/api/plugins/wordcount/stop", { method: "POST" });
    assert.equal(stopped.status, 200, await stopped.text());
  };
  for (let i = 0; i < 50; i++) await cycle();
  const before = measure(server.pid);
  for (let i = 0; i < 150; i++) await cycle();
  const after = measure(server.pid);
  assert.ok(after.descriptors <= before.descriptors + 2, JSON.stringify({ before, after }));
  assert.ok(after.threads <= before.threads + 2, JSON.stringify({ before, after }));
  assert.ok(after.rssMib <= before.rssMib * 1.25 + 10, JSON.stringify({ before, after }));
});

type Server = Awaited<ReturnType<typeof startServer>>;

async function startWordcount(server: Server): Promise<void> {
  const started = await server.fetch("/api/plugins/wordcount/start", { method: "POST" });
  assert.equal(started.status, 200, await started.clone().text());
  const plugin = await started.json();
  assert.equal(plugin.status, "running");
}

function measure(pid: number) {
  const status = Deno.readTextFileSync(`/proc/${pid}/status`);
  const field = (name: string) => Number(new RegExp(`^${name}:\\s+(\\d+)`, "m").exec(status)?.[1]);
  return {
    descriptors: [...Deno.readDirSync(`/proc/${pid}/fd`)].length,
    threads: field("Threads"),
    rssMib: Math.round(field("VmRSS") / 1024),
  };
}

function isAlive(pid: number): boolean {
  try {
    return !/^State:\s+[ZX]/m.test(Deno.readTextFileSync(`/proc/${pid}/status`));
  } catch {
    return false;
  }
}

async function until(condition: () => boolean, problem: string): Promise<void> {
  const giveUpAt = Date.now() + 10_000;
  while (!condition()) {
    assert.ok(Date.now() < giveUpAt, problem);
    await new Promise((resolve) => setTimeout(resolve, 20));
  }
}
