// Backups of the database by the clock, into the data folder; the oldest go. When the last one was is told by the names
// of the files, so that a restart neither forgets nor repeats one. Caller: compose.

import { join } from "node:path";
import { systemTimers, type Timers } from "../../plugins/runtime/host/timers.ts";
import { writeBackup } from "../db/backup.ts";
import type { Db } from "../db/db.ts";

export interface ScheduledBackups extends AsyncDisposable {
  readonly state: BackupState;
}

export interface BackupState {
  /** The newest one there is. */
  lastAtMs?: number;
  /** Why the last attempt made none; gone with the next success. */
  failure?: { atMs: number; message: string };
}

export interface ScheduledBackupsOptions {
  db: Db;
  /** Made when it is needed. */
  folder: string;
  /** Asked each time: `everyMs` 0 is never, `kept` how many there may be. */
  plan: () => { everyMs: number; kept: number };
  failed(error: unknown): void;
  /** Ms since the epoch. */
  now?: () => number;
  timers?: Timers;
}

/** Looks each minute, and first after one: a start has other things to do. */
export async function startScheduledBackups(
  options: ScheduledBackupsOptions,
): Promise<ScheduledBackups> {
  const { db, folder, plan, failed, now = Date.now, timers = systemTimers } = options;
  const state: BackupState = {};
  let running: Promise<void> | undefined;
  const [newest] = await scheduledIn(folder);
  if (newest !== undefined) state.lastAtMs = newest.atMs;

  function look(): void {
    const { everyMs } = plan();
    if (everyMs === 0 || running !== undefined) return;
    const { lastAtMs = -Infinity, failure } = state;
    // A clock that was set back would wait for long.
    if (now() - lastAtMs < everyMs && lastAtMs <= now()) return;
    if (failure !== undefined && now() - failure.atMs < Math.min(everyMs, retryMs)) return;
    running = backUp().finally(() => running = undefined);
  }

  async function backUp(): Promise<void> {
    const atMs = now();
    try {
      await Deno.mkdir(folder, { recursive: true, mode: 0o700 });
      await writeBackup(db, { path: join(folder, nameAt(atMs)) });
      state.lastAtMs = atMs;
      delete state.failure;
      await prune();
    } catch (error) {
      const message = error instanceof Error ? error.message : String(error);
      state.failure = { atMs, message: message.slice(0, 500) };
      failed(error);
    }
  }

  async function prune(): Promise<void> {
    const surplus = (await scheduledIn(folder)).slice(plan().kept);
    for (const { name } of surplus) await Deno.remove(join(folder, name));
    // What a kill left half.
    for (const name of await namesIn(folder)) {
      if (draftShape.test(name)) await Deno.remove(join(folder, name));
    }
  }

  const stop = timers.every(60_000, look);
  return {
    state,
    async [Symbol.asyncDispose]() {
      stop();
      await running;
    },
  };
}

const retryMs = 60 * 60_000;
const shape = /^scheduled-(\d{4}-\d\d-\d\dT\d\d)-(\d\d)-(\d\d)Z\.bkg$/;
const draftShape = /^scheduled-.*\.bkg\.partial$/;

function nameAt(ms: number): string {
  return `scheduled-${new Date(ms).toISOString().slice(0, 19).replaceAll(":", "-")}Z.bkg`;
}

/** Newest first. */
async function scheduledIn(folder: string): Promise<{ name: string; atMs: number }[]> {
  return (await namesIn(folder)).flatMap((name) => {
    const [, hour, minute, second] = shape.exec(name) ?? [];
    const atMs = Date.parse(`${hour}:${minute}:${second}Z`);
    return Number.isNaN(atMs) ? [] : [{ name, atMs }];
  }).sort((a, b) => b.atMs - a.atMs);
}

async function namesIn(folder: string): Promise<string[]> {
  try {
    return (await Array.fromAsync(Deno.readDir(folder))).map(({ name }) => name);
  } catch (error) {
    if (error instanceof Deno.errors.NotFound) return [];
    throw error;
  }
}
