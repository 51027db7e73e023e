// Starts a reference: a program of this folder that prints `{"port": ...}` when it listens.

import { join } from "node:path";
import { projectRoot } from "../../server/build/bundles.ts";

export async function startReference(file: string): Promise<{ url: string } & AsyncDisposable> {
  const child = new Deno.Command(Deno.execPath(), {
    args: ["run", "-A", join(projectRoot, "bench/reference", file)],
    cwd: projectRoot,
    stdout: "piped",
  }).spawn();
  const reader = child.stdout.pipeThrough(new TextDecoderStream()).getReader();
  const { value } = await reader.read();
  const { port } = JSON.parse(value ?? "{}") as { port: number };
  return {
    url: `http://127.0.0.1:${port}`,
    async [Symbol.asyncDispose]() {
      child.kill("SIGTERM");
      await child.status;
      await reader.cancel();
    },
  };
}
