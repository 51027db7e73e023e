// Rows of usage: made, added up, and added to the database. Caller: usage_store.

import { z } from "zod";
import type { Identity } from "../auth/authenticator.ts";
import { type Db, json } from "../db/db.ts";
import type { UsageDay } from "./usage_log.ts";

/** A row of the table, or what is to be added to one. */
export interface UsageRow {
  day: string;
  user_id: string;
  key_id: string;
  plugin_id: string;
  capability: string;
  calls: number;
  errors: number;
  prompt_tokens: number;
  completion_tokens: number;
  busy_ms: number;
}

export function emptyRow(
  { id, credential }: Identity,
  { day, capability, pluginId }: { day: string; capability: string; pluginId: string },
): UsageRow {
  return {
    day,
    user_id: id,
    key_id: credential.kind === "key" ? credential.id : "",
    plugin_id: pluginId,
    capability,
    calls: 0,
    errors: 0,
    prompt_tokens: 0,
    completion_tokens: 0,
    busy_ms: 0,
  };
}

/** Adds it to the one with the same key, or makes it that. */
export function mergeRow(rows: Map<string, UsageRow>, row: UsageRow): void {
  const { day, user_id, key_id, plugin_id, capability } = row;
  const key = [day, user_id, key_id, plugin_id, capability].join(" ");
  const sum = rows.get(key);
  if (sum === undefined) {
    rows.set(key, row);
    return;
  }
  sum.calls += row.calls;
  sum.errors += row.errors;
  sum.prompt_tokens += row.prompt_tokens;
  sum.completion_tokens += row.completion_tokens;
  sum.busy_ms += row.busy_ms;
}

/** One statement: all or nothing. */
export async function addRows(db: Db, rows: readonly UsageRow[]): Promise<void> {
  const whole = rows.map((row) => ({ ...row, busy_ms: Math.round(row.busy_ms) }));
  await db.sql`
    insert into usage
    select * from jsonb_to_recordset(${json(whole)}) as row (day text, user_id text, key_id text,
      plugin_id text, capability text, calls bigint, errors bigint, prompt_tokens bigint,
      completion_tokens bigint, busy_ms bigint)
    on conflict (day, user_id, key_id, plugin_id, capability) do update set
      calls = usage.calls + excluded.calls,
      errors = usage.errors + excluded.errors,
      prompt_tokens = usage.prompt_tokens + excluded.prompt_tokens,
      completion_tokens = usage.completion_tokens + excluded.completion_tokens,
      busy_ms = usage.busy_ms + excluded.busy_ms`;
}

export const storedRowSchema = z.object({
  day: z.string(),
  user_id: z.string(),
  user_name: z.string().nullable(),
  key_id: z.string(),
  plugin_id: z.string(),
  capability: z.string(),
  calls: z.int(),
  errors: z.int(),
  prompt_tokens: z.int(),
  completion_tokens: z.int(),
  busy_ms: z.int(),
});

type StoredRow = z.infer<typeof storedRowSchema>;

export function toUsageDay(row: StoredRow): UsageDay {
  return {
    day: row.day,
    userId: row.user_id,
    ...(row.user_name === null ? {} : { userName: row.user_name }),
    keyId: row.key_id,
    pluginId: row.plugin_id,
    capability: row.capability,
    calls: row.calls,
    errors: row.errors,
    promptTokens: row.prompt_tokens,
    completionTokens: row.completion_tokens,
    busyMs: row.busy_ms,
  };
}
