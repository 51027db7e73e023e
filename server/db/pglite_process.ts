// One life of PGlite's process: requests in, answers out, until it fails or is killed. Caller: pglite.ts.
// A process, because terminate() does not end a Worker that computes: two threads would then write one folder.

import { join } from "node:path";
import { toDbError } from "./errors.ts";
import { readFrames, toFrame } from "./pglite_frame.ts";
import type { Row, WorkerAnswer, WorkerRequest } from "./pglite_message.ts";

export interface PgliteFolders {
  /** Where the data is. */
  folder: string;
  /** PGlite's Worker and files: dist/database. */
  assets: string;
}

type WithoutId<Request> = Request extends { kind: "open" } ? never : Omit<Request, "id">;

export interface PgliteProcess {
  /** Settles when it takes requests. */
  readonly opened: Promise<unknown>;
  /** Throws AppErrors. */
  ask(request: WithoutId<WorkerRequest>): Promise<Row[]>;
  readonly pid: number;
  /** Whether it is of no more use. */
  readonly broken: boolean;
  /** Ends it in the middle of whatever it does; what was asked is rejected with `error`. */
  kill(error: unknown): void;
  /** Settles when the process is gone. */
  readonly gone: Promise<void>;
}

/** A process that opens the folder. */
export function startPgliteProcess(folders: PgliteFolders): PgliteProcess {
  const waiting = new Map<number, PromiseWithResolvers<Row[]>>();
  const opened = Promise.withResolvers<Row[]>();
  let lastId = 0;
  waiting.set(lastId, opened);
  let broken = false;
  let words = "";
  const child = new Deno.Command(Deno.execPath(), {
    args: argumentsFor(folders),
    clearEnv: true,
    env: {
      NO_COLOR: "1",
      DENO_DIR: join(folders.folder, "no-deno-dir"),
      // glibc: what was large and is free goes back to the system, 25 MB of it.
      MALLOC_MMAP_THRESHOLD_: "131072",
      // A function is optimised when it is hot for certain: at once costs 0.1 s of each start's computing.
      DENO_V8_FLAGS: "--wasm-tiering-budget=100000000",
    },
    stdin: "piped",
    stdout: "piped",
    stderr: "piped",
  }).spawn();
  const input = child.stdin.getWriter();

  function fail(error: unknown): void {
    broken = true;
    const asked = [...waiting.values()];
    waiting.clear();
    for (const { reject } of asked) reject(error);
  }

  function kill(error: unknown): void {
    fail(error);
    try {
      child.kill("SIGKILL");
    } catch {
      // It is gone already.
    }
  }

  async function readAnswers(): Promise<void> {
    for await (const answer of readFrames(child.stdout)) take(answer as WorkerAnswer);
  }

  function take(answer: WorkerAnswer): void {
    const asked = waiting.get(answer.id);
    waiting.delete(answer.id);
    if (answer.kind === "done") return asked?.resolve(answer.rows);
    const { sqlState } = answer;
    const error = toDbError(new Error(answer.message), sqlState ?? "58000");
    asked?.reject(error);
    // Without an SQLSTATE it was not PostgreSQL that spoke, but its ruins.
    if (sqlState === undefined || ruinous.test(sqlState)) kill(error);
  }

  async function readWords(): Promise<void> {
    for await (const text of child.stderr.pipeThrough(new TextDecoderStream())) {
      words = (words + text).slice(-4000);
    }
  }

  const gone = Promise.allSettled([readAnswers(), readWords()]).then(async () => {
    const { code } = await child.status;
    fail(toDbError(new Error(`PGlite's process ended with ${code}: ${words}`), "58000"));
    await input.abort().catch(() => {});
  });
  return {
    opened: opened.promise,
    pid: child.pid,
    get broken() {
      return broken;
    },
    ask(request) {
      const answer = Promise.withResolvers<Row[]>();
      if (broken) {
        answer.reject(toDbError(new Error("PGlite's process is gone"), "58000"));
        return answer.promise;
      }
      const id = ++lastId;
      waiting.set(id, answer);
      // A pipe that breaks is told of by the end of the process.
      input.write(toFrame({ id, ...request })).catch(() => {});
      return answer.promise;
    },
    kill,
    gone,
  };
}

/** Internal errors, and trouble of the system: the disk, a file. */
const ruinous = /^(?:XX|58|53100)/;

function argumentsFor({ folder, assets }: PgliteFolders): string[] {
  if (Deno.build.standalone) return ["database", folder, assets];
  // Deno reads a comma as the end of a path; the Worker inside is held to its folders in any case.
  const only = (...paths: string[]) => paths.some((path) => path.includes(",")) ? "" : `=${paths}`;
  return [
    "run",
    ...["--no-prompt", "--cached-only", "--no-remote", "--no-npm", "--no-config", "--no-lock"],
    "--unstable-worker-options",
    `--allow-read${only(folder, assets)}`,
    `--allow-write${only(folder)}`,
    ...[join(assets, "main.js"), folder, assets],
  ];
}
