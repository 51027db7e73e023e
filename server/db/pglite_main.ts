// The process that holds PGlite: this thread prepares, passes messages on and watches; a Worker computes. So it goes
// when the server goes, also in the middle of a statement. Callers: dist/database/main.js, `bkg database`.

import { join } from "node:path";
import { pathToFileURL } from "node:url";
import { readFrames, toFrame } from "./pglite_frame.ts";
import type { WorkerAnswer, WorkerRequest } from "./pglite_message.ts";
import { unpackTemplate } from "./template.ts";

/** Opens the database, and serves the server at the other end of the standard pipes until it closes them. */
export async function runPglite(folder: string, assets: string): Promise<never> {
  for (const name of ["run", "ffi", "net", "env", "sys", "import"] as const) {
    Deno.permissions.revokeSync({ name });
  }
  const data = join(folder, "pgdata");
  const worker = new Worker(pathToFileURL(join(assets, "worker.js")), {
    type: "module",
    deno: { permissions: { read: [data], write: [data] } },
  });
  const output = Deno.stdout.writable.getWriter();
  worker.onmessage = ({ data: answer }: MessageEvent<WorkerAnswer>) => {
    output.write(toFrame(answer)).catch(() => Deno.exit(0));
  };
  // One process at a time in the folder, even while the one of a killed server is on its way out.
  const lock = takeLock(join(folder, "process.lock"));
  await Promise.all([open(), passOn()]);
  Deno.exit(0);

  /** Beside the Worker's own start. What fails ends the process, and the server reads why. */
  async function open(): Promise<void> {
    const wasm = compile(join(assets, "pglite.wasm"));
    const files = Deno.readFileSync(join(assets, "pglite.data"));
    const vector = Deno.readFileSync(join(assets, "vector.tar"));
    await lock;
    await unpackTemplate(join(assets, "template.gz"), data);
    const request: WorkerRequest = { id: 0, kind: "open", data, wasm, files, vector };
    worker.postMessage(request, [files.buffer, vector.buffer]);
  }

  async function passOn(): Promise<void> {
    for await (const request of readFrames(Deno.stdin.readable)) worker.postMessage(request);
    // The lock goes with the process: the Worker may still be inside a commit.
    Deno.exit(0);
  }
}

/** On this thread, which has nothing else to do: across threads it takes longer where cores are few. */
function compile(path: string): WebAssembly.Module {
  const bytes = Deno.readFileSync(path);
  const compiled = new WebAssembly.Module(bytes);
  // V8 has its copy: these 9 MB go now, not when garbage is next collected.
  bytes.buffer.transfer(0);
  return compiled;
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
