// The one database, whichever engine holds it. Callers: the stores of auth and services, backup, migrations.
// Statements are SQL that both engines speak; values are parameters, never text. What comes back is parsed by who asks.

import type { Row, Value } from "./pglite_message.ts";

export type { Row, Value };

/** Runs one statement: sql`select 1 where ${value}`. Throws AppErrors (errors.ts), none with SQL in its message. */
export type Sql = (strings: TemplateStringsArray, ...values: (Value | Json)[]) => Promise<Row[]>;

export interface Transaction {
  sql: Sql;
  /** Several statements without parameters, such as a migration's. */
  script(text: string): Promise<void>;
}

export interface TransactionOptions {
  /** Of the whole transaction, ms; default 30 s. Past it everything is rolled back: DEADLINE_EXCEEDED. */
  deadlineMs?: number;
  /** One unchanging view of all tables, and no writes. */
  snapshot?: boolean;
}

export interface DbHealth {
  ok: boolean;
  engine: Db["engine"];
  /** Of one round trip, ms. */
  latencyMs: number;
}

export interface Db extends AsyncDisposable {
  readonly engine: "pglite" | "postgres";
  sql: Sql;
  /**
   * Commits when `run` settles well, else rolls back. Within it use its own `sql` alone: PGlite has one session,
   * and `db.sql` waits for the transaction to end.
   */
  transaction<Result>(
    run: (tx: Transaction) => Promise<Result>,
    options?: TransactionOptions,
  ): Promise<Result>;
  /** Of one row, asked for within 2 s; never throws. */
  health(): Promise<DbHealth>;
  /** Resident memory of the database's own process; undefined where there is none, or the system does not tell. */
  memoryBytes(): number | undefined;
}

/** A value that is stored as jsonb. */
export class Json {
  constructor(readonly text: string) {}
}

/** `value` as jsonb; undefined becomes SQL's null. */
export function json(value: unknown): Json | null {
  return value === undefined ? null : new Json(JSON.stringify(value));
}

export interface Statement {
  text: string;
  params: Value[];
}

export function toStatement(
  strings: TemplateStringsArray,
  values: readonly (Value | Json)[],
): Statement {
  let text = strings[0] ?? "";
  values.forEach((value, index) => {
    // As text first: the drivers differ in what they make of a string for jsonb.
    text += value instanceof Json ? `($${index + 1}::text)::jsonb` : `$${index + 1}`;
    text += strings[index + 1] ?? "";
  });
  return { text, params: values.map((value) => value instanceof Json ? value.text : value) };
}

/** One statement that nothing is ended for: behind a long one it only waits in vain. */
export async function checkHealth({ engine, sql }: Pick<Db, "engine" | "sql">): Promise<DbHealth> {
  const startedAt = performance.now();
  const { promise: late, resolve } = Promise.withResolvers<boolean>();
  const timer = setTimeout(() => resolve(false), 2000);
  const ok = await Promise.race([sql`select 1`.then(() => true, () => false), late]);
  clearTimeout(timer);
  return { ok, engine, latencyMs: performance.now() - startedAt };
}
