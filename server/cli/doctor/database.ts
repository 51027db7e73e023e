// The database, without changing it: PGlite's folder is free or the running server's, PostgreSQL answers and is new
// enough. Caller: `bkg doctor`. The URL is a secret, and in no message.

import { join } from "node:path";
import { AppError } from "../../../plugins/runtime/contract/error.ts";
import { toPlainText } from "../../../plugins/runtime/contract/plain_text.ts";
import { buildBundles } from "../../build/bundles.ts";
import type { Finding } from "./finding.ts";

export interface DatabaseCheckOptions {
  dataDir: string;
  /** PostgreSQL's; absent: PGlite. */
  url: string | undefined;
  /** Whether a server with this data folder answers. */
  isServed: boolean;
  nowMs: number;
}

export function checkDatabase(options: DatabaseCheckOptions): Promise<Finding[]> {
  return options.url === undefined
    ? checkPglite(options)
    : checkPostgres({ ...options, url: options.url });
}

async function checkPglite({ dataDir, isServed }: DatabaseCheckOptions): Promise<Finding[]> {
  const what = "database";
  const { databaseFolder } = await import("../../db/open.ts");
  const folder = databaseFolder(dataDir);
  const isThere = await Deno.stat(folder).then(() => true, () => false);
  if (!isThere) return [{ state: "ok", what, message: `PGlite in "${folder}", made at the start` }];
  const { lockFolder } = await import("../../db/folder_lock.ts");
  try {
    (await lockFolder(folder))[Symbol.dispose]();
    return isServed
      ? [{
        state: "warn",
        what,
        message: `PGlite in "${folder}" is not the running server's: say BKG_DATA_DIR as it has it`,
      }]
      : [{ state: "ok", what, message: `PGlite in "${folder}", which nobody holds` }];
  } catch (error) {
    if (error instanceof AppError && error.code === "CONFLICT" && isServed) {
      return [{ state: "ok", what, message: `PGlite in "${folder}", held by the server` }];
    }
    return [{ state: "fail", what, message: messageOf(error) }];
  }
}

async function checkPostgres(
  { url, nowMs }: DatabaseCheckOptions & { url: string },
): Promise<Finding[]> {
  const what = "database";
  try {
    const { folder: bundles } = await buildBundles({ log: () => {} });
    const { openPostgres } = await import("../../db/postgres.ts");
    await using db = await openPostgres({
      url,
      assets: join(bundles, "database"),
      maxConnections: 1,
      deadlineMs: 5000,
    });
    const { latencyMs } = await db.health();
    const [row] = await db.sql`
      select current_setting('server_version') as version,
        (select default_version from pg_available_extensions where name = 'vector') as vector,
        (extract(epoch from clock_timestamp()) * 1000)::float8 as now`;
    const version = toPlainText(String(row?.["version"]), 50);
    const vector = row?.["vector"];
    const apartMs = Math.abs(Number(row?.["now"]) - nowMs);
    return [
      {
        state: "ok",
        what,
        message: `PostgreSQL ${version} answers in ${Math.round(latencyMs)} ms`,
      },
      vector === null
        ? {
          state: "warn",
          what: "pgvector",
          message: "is not installed beside PostgreSQL: collections of vectors will need it",
        }
        : { state: "ok", what: "pgvector", message: `${toPlainText(String(vector), 50)}` },
      ...(apartMs > maxApartMs
        ? [{
          state: "warn" as const,
          what: "clock",
          message: `is ${Math.round(apartMs / 1000)} s apart from PostgreSQL's: sync both (NTP)`,
        }]
        : []),
    ];
  } catch (error) {
    return [{
      state: "fail",
      what,
      message: `${messageOf(error)}: see that BKG_DATABASE_URL is right and PostgreSQL runs`,
    }];
  }
}

const maxApartMs = 10_000;

function messageOf(error: unknown): string {
  return toPlainText(error instanceof Error ? error.message : String(error), 300);
}
