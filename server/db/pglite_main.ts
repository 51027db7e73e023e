// The process that holds PGlite: this thread passes messages on and watches, a Worker computes. So it goes when the
// server goes, also in the middle of a statement. Callers: dist/database/main.js, `bkg database`.

import { join } from "node:path";
import { pathToFileURL } from "node:url";
import { readFrames, toFrame } from "./pglite_frame.ts";
import type { WorkerAnswer } from "./pglite_message.ts";

/** Serves the server at the other end of the standard pipes until it closes them. */
export async function runPglite(folder: string, assets: string): Promise<never> {
  for (const name of ["run", "ffi", "net", "env", "sys", "import"] as const) {
    Deno.permissions.revokeSync({ name });
  }
  // One process at a time in the folder, even while the one of a killed server is on its way out.
  const lock = await takeLock(join(folder, "process.lock"));
  const worker = new Worker(pathToFileURL(join(assets, "worker.js")), {
    type: "module",
    deno: { permissions: { read: [folder, assets], write: [folder] } },
  });
  const output = Deno.stdout.writable.getWriter();
  worker.onmessage = ({ data }: MessageEvent<WorkerAnswer>) => {
    output.write(toFrame(data)).catch(() => Deno.exit(0));
  };
  for await (const request of readFrames(Deno.stdin.readable)) worker.postMessage(request);
  lock.close();
  Deno.exit(0);
}

async function takeLock(path: string): Promise<Deno.FsFile> {
  const file = await Deno.open(path, { write: true, create: true, mode: 0o600 });
  const giveUpAt = Date.now() + 10_000;
  while (!await file.tryLock(true)) {
    if (Date.now() > giveUpAt) throw new Error("Another process of PGlite does not end");
    await new Promise((resolve) => setTimeout(resolve, 5));
  }
  return file;
}

if (import.meta.main) await runPglite(Deno.args[0] ?? "", Deno.args[1] ?? "");
