// A backup: one file that either engine writes and either takes, gzipped lines of JSON with a SHA-256 for each table.
// Rows travel as PostgreSQL's own jsonb text, which is the same on both; nothing here knows the tables.

import { createHash } from "node:crypto";
import { AppError } from "../../plugins/runtime/contract/error.ts";
import type { Db, Transaction } from "./db.ts";
import { apply, type Migration, newerError, readVersion } from "./migrate.ts";

export interface TableSum {
  table: string;
  rows: number;
  /** Of the rows' texts, each with its line break, in the order of the primary key. */
  sha256: string;
}

/** Writes `path` whole or not at all, readable by its owner alone: it holds secrets. One view of all tables. */
export async function writeBackup(
  db: Db,
  { path }: { path: string },
): Promise<TableSum[]> {
  const draft = `${path}.partial`;
  const file = await Deno.open(draft, { write: true, create: true, truncate: true, mode: 0o600 });
  try {
    const gzip = new CompressionStream("gzip");
    const written = gzip.readable.pipeTo(file.writable);
    written.catch(() => {});
    const output = gzip.writable.getWriter();
    const say = async (line: string) => {
      // Whatever ends the file ends the wait for it too.
      await Promise.race([output.write(new TextEncoder().encode(line + "\n")), written]);
    };
    const sums = await db.transaction(async (tx) => {
      const sums: TableSum[] = [];
      const [newest] = await tx.sql`select max(version) as version from migrations`;
      const schema = Number(newest?.["version"]);
      const header: Header = { format, formatVersion: 1, schema, createdAtMs: Date.now() };
      await say(JSON.stringify(header));
      for (const table of await tablesOf(tx)) {
        await say(JSON.stringify({ table }));
        const sum = await readRows(tx, { table, each: (row) => say(`${rowStart}${row}}`) });
        await say(JSON.stringify(sum));
        sums.push(sum);
      }
      await say(JSON.stringify({ complete: true }));
      return sums;
    }, { snapshot: true, deadlineMs: longMs });
    await output.close();
    await written;
    await Deno.rename(draft, path);
    return sums;
  } catch (error) {
    await Deno.remove(draft).catch(() => {});
    throw error;
  }
}

export interface RestoreOptions {
  path: string;
  migrations: readonly Migration[];
  /** Throws away what the database holds. */
  force?: boolean;
}

/**
 * All or nothing, then the newest schema. Throws CONFLICT for a newer backup and for a database that holds something,
 * INVALID_INPUT for a file that is damaged or ends too soon.
 */
export async function restoreBackup(db: Db, options: RestoreOptions): Promise<TableSum[]> {
  const { path, migrations, force = false } = options;
  return await db.transaction(async (tx) => {
    const lines = readLines(path);
    const first = await lines.next();
    const header = parseHeader(first.done ? "" : first.value);
    if (header === undefined) throw damaged(path, "is no backup of bkg");
    if (header.schema > migrations.length) throw newerError(header.schema, migrations.length);
    await clear(tx, { migrations, force });
    for (const migration of migrations.slice(0, header.schema)) await apply(tx, migration);
    const tables = await tablesOf(tx);
    const known = new Set(tables);
    // What migrations put in is in the backup too.
    await tx.script(`truncate ${tables.map(quoted).join(", ")}`);
    const sums: TableSum[] = [];
    let open: { table: string; rows: string[]; count: number; hash: Hash } | undefined;
    let complete = false;
    for await (const line of lines) {
      if (complete) throw damaged(path, "goes on after its end");
      if (line.startsWith(rowStart) && open !== undefined) {
        const row = line.slice(rowStart.length, -1);
        open.hash.update(row + "\n");
        open.count++;
        if (open.rows.push(row) >= batchRows) await insertFrom(path, { tx, open });
        continue;
      }
      const mark = parseMark(line);
      if (mark === undefined) throw damaged(path, "is damaged");
      if ("complete" in mark) complete = open === undefined;
      else if (!("rows" in mark)) {
        if (!known.has(mark.table)) throw damaged(path, `has an unknown table "${mark.table}"`);
        open = { table: mark.table, rows: [], count: 0, hash: createHash("sha256") };
      } else {
        const agrees = open?.table === mark.table && open.count === mark.rows &&
          open.hash.digest("hex") === mark.sha256;
        if (open === undefined || !agrees) throw damaged(path, `is damaged at "${mark.table}"`);
        await insertFrom(path, { tx, open });
        await followIdentity(tx, mark.table);
        // What the database makes of the rows must be what they were.
        const stored = await readRows(tx, { table: mark.table });
        if (stored.sha256 !== mark.sha256) throw damaged(path, `cannot be kept: "${mark.table}"`);
        sums.push(mark);
        open = undefined;
      }
    }
    if (!complete) throw damaged(path, "ends too soon");
    for (const migration of migrations.slice(header.schema)) await apply(tx, migration);
    return sums;
  }, { deadlineMs: longMs });
}

/** Row counts and hashes of all tables, as a backup would have them. */
export async function sumTables(db: Db): Promise<TableSum[]> {
  return await db.transaction(async (tx) => {
    const sums: TableSum[] = [];
    for (const table of await tablesOf(tx)) sums.push(await readRows(tx, { table }));
    return sums;
  }, { snapshot: true, deadlineMs: longMs });
}

interface Header {
  format: typeof format;
  formatVersion: number;
  schema: number;
  createdAtMs: number;
}

type Hash = ReturnType<typeof createHash>;
type Mark = { table: string } | TableSum | { complete: true };

const format = "bkg-backup";
const rowStart = '{"row":';
const batchRows = 500;
const longMs = 60 * 60_000;

/**
 * All tables of the schema but the record of migrations, which the restoring side writes itself: each after those that
 * it refers to, else by name.
 */
async function tablesOf(tx: Transaction): Promise<string[]> {
  const rows = await tx.sql`
    select t.table_name::text as name, coalesce(jsonb_agg(distinct target.relname::text)
      filter (where target.oid <> c.conrelid), '[]') as needs
    from information_schema.tables t
    left join pg_constraint c on c.contype = 'f' and c.conrelid = format('bkg.%I', t.table_name)::regclass
    left join pg_class target on target.oid = c.confrelid
    where t.table_schema = 'bkg' and t.table_type = 'BASE TABLE' and t.table_name <> 'migrations'
    group by t.table_name order by t.table_name::text collate "C"`;
  const needsOf = new Map(rows.map(({ name, needs }) => [String(name), needs as string[]]));
  const ordered = new Set<string>();
  const add = (table: string) => {
    if (ordered.has(table)) return;
    for (const needed of needsOf.get(table) ?? []) add(needed);
    ordered.add(table);
  };
  for (const table of needsOf.keys()) add(table);
  return [...ordered];
}

async function readRows(
  tx: Transaction,
  { table, each }: { table: string; each?: (row: string) => Promise<void> },
): Promise<TableSum> {
  const keys = await tx.sql`
    select a.attname::text as name, a.atttypid = 'text'::regtype as is_text
    from pg_index i cross join unnest(i.indkey) with ordinality as k (attnum, place)
    join pg_attribute a on a.attrelid = i.indrelid and a.attnum = k.attnum
    where i.indrelid = ${quoted(table)}::regclass and i.indisprimary order by k.place`;
  // Bytes, not a locale, decide the order: it must be the same everywhere.
  const order = keys.map(({ name, is_text }) =>
    `t.${quoted(String(name))}${is_text === true ? ' collate "C"' : ""}`
  ).join(", ");
  await tx.script(
    `declare bkg_rows no scroll cursor for select to_jsonb(t)::text as row from ${
      quoted(table)
    } t order by ${order}`,
  );
  const hash = createHash("sha256");
  let rows = 0;
  while (true) {
    const batch = await tx.sql`fetch 500 from bkg_rows`;
    for (const { row } of batch) {
      hash.update(`${row}\n`);
      rows++;
      await each?.(String(row));
    }
    if (batch.length === 0) break;
  }
  await tx.script("close bkg_rows");
  return { table, rows, sha256: hash.digest("hex") };
}

interface OpenTable {
  table: string;
  rows: string[];
}

/** Rows that the database does not take are the file's fault, as long as the database itself is well. */
async function insertFrom(
  path: string,
  { tx, open }: { tx: Transaction; open: OpenTable },
): Promise<void> {
  try {
    await insert(tx, open);
  } catch (cause) {
    const isRefusal = cause instanceof AppError &&
      (cause.code === "INTERNAL" || cause.code === "CONFLICT");
    throw isRefusal ? damaged(path, `is damaged at "${open.table}"`, { cause }) : cause;
  }
}

async function insert(tx: Transaction, open: OpenTable): Promise<void> {
  const { table, rows } = open;
  if (rows.length === 0) return;
  open.rows = [];
  const name = quoted(table);
  const statement = [
    `insert into ${name} overriding system value ` +
    `select * from jsonb_populate_recordset(null::${name}, (`,
    "::text)::jsonb)",
  ];
  await tx.sql(Object.assign(statement, { raw: statement }), `[${rows.join(",")}]`);
}

/** New rows are numbered on from those that were restored. */
async function followIdentity(tx: Transaction, table: string): Promise<void> {
  const columns = await tx.sql`
    select column_name::text as name from information_schema.columns
    where table_schema = 'bkg' and table_name = ${table} and is_identity = 'YES'`;
  for (const { name } of columns) {
    const column = quoted(String(name));
    await tx.script(
      `select setval(pg_get_serial_sequence('${quoted(table)}', '${name}'), ` +
        `(select coalesce(max(${column}), 0) + 1 from ${quoted(table)}), false)`,
    );
  }
}

/** A fresh server's own rows count as something: only --force throws away. */
async function clear(
  tx: Transaction,
  { migrations, force }: { migrations: readonly Migration[]; force: boolean },
): Promise<void> {
  if (await readVersion(tx, migrations) === 0) return;
  if (!force) {
    for (const table of await tablesOf(tx)) {
      const { rows } = await readRows(tx, { table });
      if (rows > 0) {
        throw new AppError(
          "CONFLICT",
          `The database holds something ("${table}": ${rows} rows); --force throws it away`,
        );
      }
    }
  }
  await tx.script("drop schema bkg cascade");
}

async function* readLines(path: string): AsyncGenerator<string> {
  const file = await Deno.open(path);
  const text = file.readable.pipeThrough(new DecompressionStream("gzip"))
    .pipeThrough(new TextDecoderStream());
  let rest = "";
  try {
    for await (const chunk of text) {
      const lines = (rest + chunk).split("\n");
      rest = lines.pop() ?? "";
      yield* lines;
    }
  } catch (cause) {
    if (cause instanceof AppError) throw cause;
    throw new AppError("INVALID_INPUT", `"${path}" is damaged, or no backup of bkg`, { cause });
  }
  if (rest !== "") yield rest;
}

function parseHeader(line: string): Header | undefined {
  const value = parse(line) as Partial<Header> | undefined;
  const ok = value?.format === format && value.formatVersion === 1 &&
    Number.isInteger(value.schema) && Number(value.schema) > 0;
  return ok ? value as Header : undefined;
}

function parseMark(line: string): Mark | undefined {
  const value = parse(line) as Partial<TableSum> & { complete?: unknown } | undefined;
  if (typeof value !== "object" || value === null) return undefined;
  if (value.complete === true) return { complete: true };
  if (typeof value.table !== "string") return undefined;
  return value as Mark;
}

function parse(line: string): unknown {
  try {
    return JSON.parse(line);
  } catch {
    return undefined;
  }
}

/** A name as SQL writes it. */
function quoted(name: string): string {
  return `"${name.replaceAll('"', '""')}"`;
}

function damaged(path: string, what: string, options: { cause?: unknown } = {}): AppError {
  return new AppError("INVALID_INPUT", `"${path}" ${what}`, options);
}
