// Passwords: argon2id in Workers, because one hash takes about 90 ms of a thread. Callers: sign_in, accounts.
// At most two are computed at a time; a bounded number waits. A Worker without work for a while is ended.

import { randomBytes } from "node:crypto";
import { join } from "node:path";
import { pathToFileURL } from "node:url";
import { AppError } from "../../plugins/runtime/contract/error.ts";
import { systemTimers, type Timers } from "../../plugins/runtime/host/timers.ts";
import type { PasswordAnswer, PasswordCost, PasswordTask } from "./password_message.ts";

export interface Passwords extends Disposable {
  /** As it is stored, with its parameters: PHC string format. Throws QUEUE_FULL. */
  hash(password: string): Promise<string>;
  /**
   * Whether `hash` was made of `password`. Without a hash it takes as long, and is false: an answer's time tells
   * nothing about who exists. Throws QUEUE_FULL.
   */
  verify(password: string, hash: string | null): Promise<boolean>;
  /** Whether it was made with less than today's parameters. */
  isWeak(hash: string): boolean;
}

export interface PasswordsOptions {
  /** dist/: where the Worker was built. */
  bundles: string;
  cost?: PasswordCost;
  /** How long a Worker stays without work, ms. */
  idleMs?: number;
  timers?: Timers;
}

/** OWASP's choice for argon2id: 19 MiB, two passes, one lane. */
const defaultCost: PasswordCost = { memoryKib: 19_456, passes: 2 };

export function createPasswords(options: PasswordsOptions): Passwords {
  const { bundles, cost = defaultCost, idleMs = 30_000, timers = systemTimers } = options;
  const url = pathToFileURL(join(bundles, "password_worker.js"));
  const queue: Job[] = [];
  const workers = new Set<LiveWorker>();
  let nobody: Promise<string> | undefined;
  let closed = false;

  function run<Result>(task: PasswordTask): Promise<Result> {
    if (closed) return Promise.reject(new AppError("UNAVAILABLE", "The server is shutting down"));
    if (queue.length >= maxQueued) {
      return Promise.reject(
        new AppError("QUEUE_FULL", "Too many passwords are being checked; try again", {
          details: { retryAfterMs: 2000 },
        }),
      );
    }
    const { promise, resolve, reject } = Promise.withResolvers<unknown>();
    queue.push({ task, resolve, reject });
    next();
    return promise as Promise<Result>;
  }

  function next(): void {
    if (queue.length === 0) return;
    const worker = [...workers].find(({ job }) => job === undefined) ??
      (workers.size < maxWorkers ? start() : undefined);
    if (worker === undefined) return;
    worker.cancelIdle();
    worker.job = queue.shift()!;
    worker.worker.postMessage(worker.job.task);
  }

  function start(): LiveWorker {
    const worker = new Worker(url, { type: "module", deno: { permissions: "none" } });
    const live: LiveWorker = { worker, job: undefined, cancelIdle: () => {} };
    workers.add(live);
    worker.onmessage = ({ data }: MessageEvent<PasswordAnswer>) => {
      const { job } = live;
      live.job = undefined;
      live.cancelIdle = timers.after(idleMs, () => end(live));
      if ("failed" in data) job?.reject(failure(data.failed));
      else job?.resolve(data.value);
      next();
    };
    worker.onerror = (event) => {
      event.preventDefault();
      end(live);
      live.job?.reject(failure(event.message));
      next();
    };
    return live;
  }

  function end(live: LiveWorker): void {
    live.cancelIdle();
    live.worker.terminate();
    workers.delete(live);
  }

  function hash(password: string): Promise<string> {
    const salt = new Uint8Array(randomBytes(16));
    return run({ kind: "hash", password: password.normalize("NFKC"), salt, cost });
  }

  return {
    hash,
    async verify(password, hashed) {
      // Made once, with the parameters of the others, from what nobody knows.
      nobody ??= hash(randomBytes(32).toString("base64url"));
      const nobodys = await nobody.catch((error) => {
        nobody = undefined;
        throw error;
      });
      const right = await run<boolean>({
        kind: "verify",
        password: password.normalize("NFKC"),
        hash: hashed ?? nobodys,
      });
      return right && hashed !== null;
    },
    isWeak(hashed) {
      const found = /^\$argon2id\$v=19\$m=(\d+),t=(\d+),p=1\$/.exec(hashed);
      return found === null || Number(found[1]) < cost.memoryKib || Number(found[2]) < cost.passes;
    },
    [Symbol.dispose]() {
      closed = true;
      const ended = new AppError("UNAVAILABLE", "The server is shutting down");
      for (const live of [...workers]) {
        end(live);
        live.job?.reject(ended);
      }
      for (const { reject } of queue.splice(0)) reject(ended);
    },
  };
}

const maxWorkers = 2;
const maxQueued = 32;

interface Job {
  task: PasswordTask;
  resolve(value: unknown): void;
  reject(error: AppError): void;
}

interface LiveWorker {
  worker: Worker;
  job: Job | undefined;
  cancelIdle: () => void;
}

function failure(reason: string): AppError {
  return new AppError("INTERNAL", "A password could not be checked", { cause: new Error(reason) });
}
