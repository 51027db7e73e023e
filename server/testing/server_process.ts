// A bkg server as a person starts it: a process of its own, on a free port, in a data folder of its own.

import { join } from "node:path";
import { projectRoot } from "../build/bundles.ts";

export interface ServerProcess extends AsyncDisposable {
  readonly url: string;
  readonly token: string;
  readonly pid: number;
  readonly dataDir: string;
  /** What it printed so far, both streams. */
  output(): string;
  fetch(path: string, init?: RequestInit): Promise<Response>;
  /** Sends the signal and waits for the end; answers the exit code. */
  end(signal: Deno.Signal): Promise<number>;
}

export interface StartServerOptions {
  /** Kept from an earlier start; else a new one that is deleted at the end. */
  dataDir?: string;
  env?: Record<string, string>;
}

/** Starts `bkg serve` from source and waits until it says that it is ready. */
export function startServer(options: StartServerOptions = {}): Promise<ServerProcess> {
  const source = ["run", "-A", "--no-prompt", "server/cli/main.ts"];
  return runServerFrom(source, { cwd: projectRoot, ...options });
}

/** The same for a program that Deno starts with these arguments. */
export async function runServerFrom(
  program: readonly string[],
  options: StartServerOptions & { cwd: string },
): Promise<ServerProcess> {
  const dataDir = options.dataDir ?? await Deno.makeTempDir({ prefix: "bkg-test-" });
  const child = new Deno.Command(Deno.execPath(), {
    args: [...program, "serve", "--log", "json"],
    cwd: options.cwd,
    env: {
      BKG_DATA_DIR: dataDir,
      BKG_PORT: "0",
      BKG_MODEL_CACHES: "none",
      NO_COLOR: "1",
      ...options.env,
    },
    stdout: "piped",
    stderr: "piped",
  }).spawn();
  let text = "";
  const ready = Promise.withResolvers<string>();
  const collect = async (stream: ReadableStream<Uint8Array>) => {
    for await (const chunk of stream.pipeThrough(new TextDecoderStream())) {
      text += chunk;
      const url = /bkg is ready at (https?:\S+)/.exec(text)?.[1];
      if (url !== undefined) ready.resolve(url);
    }
  };
  const collected = Promise.all([collect(child.stdout), collect(child.stderr)]);
  child.status.then(({ code }) => ready.reject(new Error(`bkg ended with ${code}:\n${text}`)));
  const giveUp = setTimeout(() => {
    ready.reject(new Error(`bkg is not ready:\n${text}`));
    child.kill("SIGKILL");
  }, 60_000);
  const url = await ready.promise.finally(() => clearTimeout(giveUp));
  const token = (await Deno.readTextFile(join(dataDir, "admin-token"))).trim();

  const end = async (signal: Deno.Signal) => {
    try {
      child.kill(signal);
    } catch {
      // It ended by itself.
    }
    const { code } = await child.status;
    await collected;
    return code;
  };
  return {
    url,
    token,
    pid: child.pid,
    dataDir,
    output: () => text,
    fetch: (path, init = {}) =>
      fetch(new URL(path, url), {
        ...init,
        headers: { authorization: `Bearer ${token}`, ...init.headers },
      }),
    end,
    async [Symbol.asyncDispose]() {
      await end("SIGKILL");
      if (options.dataDir === undefined) await Deno.remove(dataDir, { recursive: true });
    },
  };
}
