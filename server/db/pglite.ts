// PGlite as a Db: one session in a process of its own, taken in turns. A statement that does not end is killed with
// its process, and the folder is opened again; what was committed is there, what was open is rejected.

import { AppError } from "../../plugins/runtime/contract/error.ts";
import {
  checkHealth,
  type Db,
  type Sql,
  toStatement,
  type Transaction,
  type TransactionOptions,
} from "./db.ts";
import { closedError, deadlineError, lateError } from "./errors.ts";
import { lockFolder } from "./folder_lock.ts";
import { type PgliteFolders, type PgliteProcess, startPgliteProcess } from "./pglite_process.ts";

export interface PgliteOptions extends PgliteFolders {
  /** Of one statement, ms; default 30 s. */
  deadlineMs?: number;
  /** How many may wait for their turn; default 1,000. */
  maxWaiting?: number;
  /** Told when the process was lost, and why. */
  lost?: (error: unknown) => void;
}

/**
 * Opens the folder, or makes a database in it; throws CONFLICT while another process holds it. Its own process is
 * started before anything is waited for: whoever starts a server loads the rest of it meanwhile.
 */
export async function openPglite(options: PgliteOptions): Promise<Db> {
  const lock = lockFolder(options.folder);
  const pglite = new Pglite(options, lock);
  try {
    await pglite.open();
    return pglite;
  } catch (error) {
    await pglite[Symbol.asyncDispose]();
    throw error;
  }
}

class Pglite implements Db {
  readonly engine = "pglite";
  readonly #options: PgliteOptions;
  readonly #lock: Disposable;
  readonly #deadlineMs: number;
  #process: Promise<PgliteProcess> | undefined;
  #pid: number | undefined;
  #turn: Promise<unknown> = Promise.resolve();
  #waiting = 0;
  #closed = false;

  constructor(options: PgliteOptions, lock: Disposable) {
    this.#options = options;
    this.#lock = lock;
    this.#deadlineMs = options.deadlineMs ?? 30_000;
  }

  async open(): Promise<void> {
    await this.#open();
  }

  readonly sql: Sql = (strings, ...values) => {
    const statement = toStatement(strings, values);
    return this.#inTurn(async (process) => {
      using _ = this.#limit(process, this.#deadlineMs);
      return await process.ask({ kind: "query", ...statement });
    });
  };

  transaction<Result>(
    run: (tx: Transaction) => Promise<Result>,
    { deadlineMs = this.#deadlineMs, snapshot = false }: TransactionOptions = {},
  ): Promise<Result> {
    return this.#inTurn(async (process) => {
      using limit = this.#limit(process, deadlineMs);
      let over = false;
      const ask: PgliteProcess["ask"] = (request) =>
        over ? Promise.reject(lateError()) : process.ask(request);
      const tx: Transaction = {
        sql: (strings, ...values) => ask({ kind: "query", ...toStatement(strings, values) }),
        script: async (text) => void await ask({ kind: "script", text }),
      };
      const begin = snapshot ? "begin isolation level repeatable read read only" : "begin";
      await process.ask({ kind: "script", text: begin });
      try {
        const result = await Promise.race([run(tx), limit.passed]);
        over = true;
        await process.ask({ kind: "script", text: "commit" });
        return result;
      } catch (error) {
        over = true;
        if (!process.broken) await process.ask({ kind: "script", text: "rollback" });
        throw error;
      }
    });
  }

  health() {
    return checkHealth(this);
  }

  memoryBytes(): number | undefined {
    try {
      const status = Deno.readTextFileSync(`/proc/${this.#pid}/status`);
      const [, kilobytes] = /^VmRSS:\s+(\d+) kB$/m.exec(status) ?? [];
      return kilobytes === undefined ? undefined : Number(kilobytes) * 1024;
    } catch {
      return undefined;
    }
  }

  async [Symbol.asyncDispose](): Promise<void> {
    if (this.#closed) return;
    this.#closed = true;
    await this.#turn;
    const process = await this.#process?.catch(() => undefined);
    if (process !== undefined && !process.broken) {
      const slow = setTimeout(() => process.kill(closedError()), closeMs);
      await process.ask({ kind: "close" }).catch(() => {});
      clearTimeout(slow);
      process.kill(closedError());
    }
    await process?.gone;
    this.#lock[Symbol.dispose]();
  }

  /** One after the other, each with a process that works. */
  #inTurn<Result>(run: (process: PgliteProcess) => Promise<Result>): Promise<Result> {
    if (this.#closed) return Promise.reject(closedError());
    if (this.#waiting >= (this.#options.maxWaiting ?? 1000)) {
      return Promise.reject(new AppError("UNAVAILABLE", "Too much waits for the database"));
    }
    this.#waiting++;
    const result = this.#turn.then(async () => await run(await this.#open()));
    this.#turn = result.then(() => {}, () => {}).then(() => void this.#waiting--);
    return result;
  }

  async #open(): Promise<PgliteProcess> {
    const current = await this.#process?.catch(() => undefined);
    if (current !== undefined && !current.broken) return current;
    await current?.gone;
    this.#process = this.#start();
    return await this.#process;
  }

  async #start(): Promise<PgliteProcess> {
    const { folder, assets } = this.#options;
    const process = startPgliteProcess({ folder, assets });
    this.#pid = process.pid;
    const slow = setTimeout(() => process.kill(deadlineError()), openMs);
    try {
      await process.opened;
      return process;
    } catch (error) {
      process.kill(error);
      await process.gone;
      throw error;
    } finally {
      clearTimeout(slow);
    }
  }

  /** Past the limit the process is killed: a wait between statements cannot be told from a statement. */
  #limit(process: PgliteProcess, deadlineMs: number) {
    const { promise: passed, reject } = Promise.withResolvers<never>();
    passed.catch(() => {});
    const timer = setTimeout(() => {
      const error = deadlineError();
      reject(error);
      process.kill(error);
      this.#options.lost?.(error);
    }, deadlineMs);
    return { passed, [Symbol.dispose]: () => clearTimeout(timer) };
  }
}

const openMs = 60_000;
const closeMs = 10_000;
