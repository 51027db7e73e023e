// PostgreSQL as a Db: postgres.js's pool, with a limit on each statement and a wait of at most a second between two
// attempts to connect. The URL is a secret: it is in no message.

import { join } from "node:path";
import { pathToFileURL } from "node:url";
import type postgres from "postgres";
import { AppError } from "../../plugins/runtime/contract/error.ts";
import {
  checkHealth,
  type Db,
  type Row,
  type Sql,
  type Statement,
  toStatement,
  type Transaction,
  type TransactionOptions,
} from "./db.ts";
import { closedError, deadlineError, isDriverError, lateError, toDbError } from "./errors.ts";

export interface PostgresOptions {
  url: string;
  /** dist/database: where the mended driver is. */
  assets: string;
  /** Of one statement, ms; default 30 s. */
  deadlineMs?: number;
  /** Default 10. */
  maxConnections?: number;
}

/** Connects; throws UNAVAILABLE when it cannot, UNSUPPORTED_FEATURE for a server before version 14. */
export async function openPostgres(options: PostgresOptions): Promise<Db> {
  const driver = await import(pathToFileURL(join(options.assets, "postgres.js")).href) as {
    default: typeof postgres;
  };
  const db = new Postgres(driver.default, options);
  try {
    const [row] = await db.sql`select current_setting('server_version_num')::int as version`;
    const version = Number(row?.["version"]);
    if (version >= 140_000) return db;
    throw new AppError(
      "UNSUPPORTED_FEATURE",
      `PostgreSQL ${Math.floor(version / 10_000)} is too old: bkg needs 14 or newer`,
    );
  } catch (error) {
    await db[Symbol.asyncDispose]();
    throw error;
  }
}

class Postgres implements Db {
  readonly engine = "postgres";
  readonly #pool: postgres.Sql;
  readonly #deadlineMs: number;
  #closed = false;

  constructor(driver: typeof postgres, options: PostgresOptions) {
    const { url, deadlineMs = 30_000, maxConnections = 10 } = options;
    this.#deadlineMs = deadlineMs;
    this.#pool = driver(url, {
      max: maxConnections,
      idle_timeout: 60,
      connect_timeout: 5,
      backoff: (attempt) => Math.min(0.05 * 2 ** attempt, 1),
      // Arrays travel as JSON, so nobody asks for their types.
      fetch_types: false,
      onnotice: () => {},
      types: { int8 },
      connection: {
        application_name: "bkg",
        search_path: "bkg,public",
        statement_timeout: deadlineMs,
        // Later than our own limit: a session that ends while it is rolled back confuses postgres.js.
        idle_in_transaction_session_timeout: deadlineMs + graceMs,
      },
    });
  }

  readonly sql: Sql = (strings, ...values) =>
    this.#limited(
      (cancelled) => runOn(this.#pool, toStatement(strings, values), cancelled),
      this.#deadlineMs,
    );

  transaction<Result>(
    run: (tx: Transaction) => Promise<Result>,
    { deadlineMs = this.#deadlineMs, snapshot = false }: TransactionOptions = {},
  ): Promise<Result> {
    const mode = snapshot ? "isolation level repeatable read read only" : "";
    return this.#limited(async (cancelled) => {
      const passed = new Promise<never>((_, reject) =>
        cancelled.addEventListener("abort", () => reject(deadlineError()))
      );
      passed.catch(() => {});
      const result = await this.#pool.begin(mode, async (session) => {
        if (deadlineMs !== this.#deadlineMs) {
          await session.unsafe(
            `set local statement_timeout = ${deadlineMs};` +
              `set local idle_in_transaction_session_timeout = ${deadlineMs + graceMs}`,
          );
        }
        let over = false;
        const ask = (statement: Statement) =>
          over ? Promise.reject(lateError()) : runOn(session, statement, cancelled);
        const tx: Transaction = {
          sql: (strings, ...values) => ask(toStatement(strings, values)),
          script: async (text) => void await ask({ text, params: [] }),
        };
        try {
          return { value: await Promise.race([run(tx), passed]) };
        } finally {
          over = true;
        }
      });
      return result.value;
    }, deadlineMs);
  }

  health() {
    return checkHealth(this);
  }

  memoryBytes() {
    return undefined;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#closed = true;
    await this.#pool.end({ timeout: 5 });
  }

  /** A limit of our own beside the server's, which a lost connection or a hung server does not keep. */
  async #limited<Result>(
    run: (cancelled: AbortSignal) => Promise<Result>,
    deadlineMs: number,
  ): Promise<Result> {
    if (this.#closed) throw closedError();
    const limit = new AbortController();
    const passed = Promise.withResolvers<never>();
    const timer = setTimeout(() => {
      limit.abort();
      passed.reject(deadlineError());
    }, deadlineMs);
    try {
      return await Promise.race([run(limit.signal), passed.promise]);
    } catch (error) {
      // What the caller's own code threw goes back as it is.
      throw isDriverError(error) ? toDbError(error) : error;
    } finally {
      clearTimeout(timer);
    }
  }
}

const graceMs = 10_000;

/** As a number: bkg's own are below 2^53. */
const int8 = { to: 20, from: [20], parse: Number, serialize: String };

async function runOn(
  session: postgres.Sql | postgres.TransactionSql,
  { text, params }: Statement,
  cancelled: AbortSignal,
): Promise<Row[]> {
  const query = session.unsafe<Row[]>(text, params as postgres.ParameterOrJSON<never>[]);
  const cancel = () => query.cancel();
  cancelled.addEventListener("abort", cancel);
  try {
    return [...await query];
  } catch (error) {
    throw toDbError(error);
  } finally {
    cancelled.removeEventListener("abort", cancel);
  }
}
