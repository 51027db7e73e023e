// Reference: Hono, a child process over Node's "advanced" IPC, and a Worker in it: the bare hop,
// without a schema, a key, a queue, limits, metrics or an audit trail.

import { spawn } from "node:child_process";
import { fileURLToPath } from "node:url";
import { Hono } from "hono";

const child = spawn(Deno.execPath(), [
  "run",
  "--unstable-worker-options",
  "--allow-env=NODE_CHANNEL_FD",
  "--allow-read",
  "--no-prompt",
  fileURLToPath(new URL("./bare_hop_child.ts", import.meta.url)),
], { stdio: ["ignore", "inherit", "inherit", "ipc"], serialization: "advanced" });

const waiting = new Map<number, (value: unknown) => void>();
let nextId = 0;
const ready = Promise.withResolvers<void>();
child.on("message", (message: { ready?: boolean; id: number; value: unknown }) => {
  if (message.ready) return ready.resolve();
  waiting.get(message.id)?.(message.value);
  waiting.delete(message.id);
});
await ready.promise;

const app = new Hono();
app.post("/echo", async (c) => {
  const value = await c.req.json();
  const id = nextId++;
  const answer = new Promise((resolve) => waiting.set(id, resolve));
  child.send({ id, value });
  return c.json(await answer as object);
});
Deno.serve({
  port: 0,
  hostname: "127.0.0.1",
  onListen: ({ port }) => console.log(JSON.stringify({ port })),
}, app.fetch);
