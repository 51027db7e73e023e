// What was used: calls, tokens and time by day (UTC), user, key, plugin and capability. Counted in memory on the way of
// a call, and added to the database each second: a kill costs the last one. Callers: guarded bus, quotas, routes.

import { z } from "zod";
import type { Identity } from "../auth/authenticator.ts";
import type { UsageMeter, UsedCall } from "../auth/guarded_bus.ts";
import { cutPage, readPage } from "../auth/page_cursor.ts";
import type { TokenTallies, TokenTally } from "../auth/quotas.ts";
import { dayAt, dayMs, monthAt } from "../auth/utc_calendar.ts";
import type { Db } from "../db/db.ts";
import { createTokenTally, type LiveTally } from "./token_tally.ts";
import { toStorableText } from "./storable_text.ts";
import type { UsageLog } from "./usage_log.ts";
import {
  addRows,
  emptyRow,
  mergeRow,
  storedRowSchema,
  toUsageDay,
  type UsageRow,
} from "./usage_rows.ts";

export interface UsageStore extends UsageMeter, TokenTallies, UsageLog, AsyncDisposable {}

export interface UsageStoreOptions {
  db: Db;
  /** Asked each time that old rows go; default 400 days. */
  maxAgeMs?: () => number;
  /** Longest time that calls are held back, ms. Default 1 s. */
  batchMs?: number;
  /** Most rows that are held back while the database is away; older ones are lost. Default 20,000. */
  maxHeld?: number;
  /** Most users and keys whose used tokens are kept at hand. Default 10,000. */
  maxTallies?: number;
  /** Ms since the epoch. */
  now?: () => number;
  failed(error: unknown): void;
}

export function openUsageStore(options: UsageStoreOptions): UsageStore {
  const { db, maxAgeMs = () => 400 * dayMs, batchMs = 1000, maxHeld = 20_000 } = options;
  const { maxTallies = 10_000, now = Date.now, failed } = options;
  /** Of this batch. An identity stays the same object, so a call finds its row without making a key. */
  let fresh = new Map<Identity, Map<string, UsageRow>>();
  /** What the next statement adds to the database, by key. */
  let held = new Map<string, UsageRow>();
  /** By subject, the one that was asked for longest ago first. */
  const tallies = new Map<string, LiveTally | Promise<TokenTally>>();
  let today = dayAt(now());
  let dropped = 0;
  let prunedDay = "";
  let timer: ReturnType<typeof setTimeout> | undefined;
  /** Statements run one after the other, so that a sum is never read while a batch is on its way. */
  let working: Promise<unknown> = Promise.resolve();

  function inTurn<Result>(work: () => Promise<Result>): Promise<Result> {
    const result = working.then(work);
    working = result.catch(() => {});
    return result;
  }

  function rowOf({ principal, capability, pluginId }: UsedCall): UsageRow {
    const nowMs = now();
    if (nowMs >= today.endMs || nowMs < today.startMs) {
      hold();
      today = dayAt(nowMs);
    }
    let ofIdentity = fresh.get(principal);
    if (ofIdentity === undefined) fresh.set(principal, ofIdentity = new Map());
    let row = ofIdentity.get(capability);
    if (row === undefined || row.plugin_id !== pluginId) {
      if (row !== undefined) mergeRow(held, row);
      row = emptyRow(principal, { day: today.name, capability, pluginId });
      ofIdentity.set(capability, row);
    }
    return row;
  }

  /** Ends this batch. */
  function hold(): void {
    for (const rows of fresh.values()) for (const row of rows.values()) mergeRow(held, row);
    fresh = new Map();
    for (const key of held.keys()) {
      if (held.size <= maxHeld) break;
      held.delete(key);
      dropped++;
    }
  }

  function later(delayMs: number): void {
    timer ??= setTimeout(() => {
      timer = undefined;
      void inTurn(flush);
    }, delayMs);
  }

  /** Never rejects: what could not be written is held, and tried again. */
  async function flush(): Promise<void> {
    clearTimeout(timer);
    timer = undefined;
    hold();
    const batch = held;
    if (batch.size === 0) return;
    held = new Map();
    try {
      await addRows(db, [...batch.values()]);
    } catch (error) {
      // The older ones first, which go first when there are too many.
      for (const row of held.values()) mergeRow(batch, row);
      held = batch;
      hold();
      failed(
        dropped > 0 ? new Error(`${dropped} rows of usage were lost`, { cause: error }) : error,
      );
      return later(retryMs);
    }
    await prune();
  }

  async function prune(): Promise<void> {
    if (prunedDay === today.name) return;
    const oldest = dayAt(now() - maxAgeMs()).name;
    try {
      await db.sql`delete from usage where day < ${oldest}`;
      prunedDay = today.name;
    } catch (error) {
      failed(error);
    }
  }

  async function load(subject: string): Promise<TokenTally> {
    const [kind = "", id = ""] = subject.split(":", 2);
    const month = monthAt(now()).name;
    const day = dayAt(now()).name;
    const [row] = await db.sql`
      select coalesce(sum(prompt_tokens + completion_tokens), 0)::bigint as month,
        coalesce(sum(prompt_tokens + completion_tokens) filter (where day = ${day}), 0)::bigint
          as day
      from usage
      where day >= ${`${month}-01`} and day <= ${`${month}-31`}
        and ((${kind}::text = 'user' and user_id = ${id}) or
          (${kind}::text = 'key' and key_id = ${id}))`;
    // From here on in one turn: what is added later finds the tally.
    const sums = sumsSchema.parse(row);
    for (const rows of [held, ...fresh.values()]) {
      for (const each of rows.values()) {
        if ((kind === "user" ? each.user_id : each.key_id) !== id) continue;
        const tokens = each.prompt_tokens + each.completion_tokens;
        if (each.day.startsWith(month)) sums.month += tokens;
        if (each.day === day) sums.day += tokens;
      }
    }
    const tally = createTokenTally({ ...sums, now });
    // Unless others have taken its place meanwhile.
    if (tallies.has(subject)) tallies.set(subject, tally);
    return tally;
  }

  function addTokens(subject: string, tokens: number): void {
    const tally = tallies.get(subject);
    // One that is being read will find them in the batch.
    if (tally !== undefined && !(tally instanceof Promise)) tally.add(tokens);
  }

  return {
    add(call) {
      const row = rowOf(call);
      row.calls++;
      if (call.failed) row.errors++;
      row.busy_ms += call.busyMs;
      const tokens = call.promptTokens + call.completionTokens;
      if (tokens > 0) {
        row.prompt_tokens += call.promptTokens;
        row.completion_tokens += call.completionTokens;
        addTokens(`user:${row.user_id}`, tokens);
        if (row.key_id !== "") addTokens(`key:${row.key_id}`, tokens);
      }
      if (timer === undefined) later(batchMs);
    },
    tally(subject) {
      const known = tallies.get(subject);
      if (known !== undefined) {
        tallies.delete(subject);
        tallies.set(subject, known);
        return known;
      }
      const loading = inTurn(() => load(subject));
      tallies.set(subject, loading);
      loading.catch(() => tallies.delete(subject));
      const [oldest] = tallies.keys();
      if (tallies.size > maxTallies && oldest !== undefined) tallies.delete(oldest);
      return loading;
    },
    async days({ from, to, after: cursor, ...query }) {
      const { after } = readPage({ after: cursor }, cursorSchema);
      const userId = query.userId === undefined ? null : toStorableText(query.userId);
      await inTurn(flush);
      const [day = "9999", user = "", key = "", plugin = "", capability = ""] =
        after?.map(toStorableText) ?? [];
      const rows = await db.sql`
        select usage.*, users.name as user_name
        from usage left join users on users.id = usage.user_id
        where day >= ${from} and day <= ${to}
          and (${userId}::text is null or user_id = ${userId})
          and (day, user_id, key_id, plugin_id, capability)
            < (${day}, ${user}, ${key}, ${plugin}, ${capability})
        order by day desc, user_id desc, key_id desc, plugin_id desc, capability desc
        limit ${pageRows + 1}`;
      const { items, ...next } = cutPage(rows.map((row) => storedRowSchema.parse(row)), {
        limit: pageRows,
        keyOf: (row) => [row.day, row.user_id, row.key_id, row.plugin_id, row.capability],
      });
      return { days: items.map(toUsageDay), ...next };
    },
    async [Symbol.asyncDispose]() {
      await inTurn(flush);
      clearTimeout(timer);
    },
  };
}

const retryMs = 2000;
const pageRows = 5000;

const sumsSchema = z.object({ day: z.int(), month: z.int() });
const cursorSchema = z.tuple([z.string(), z.string(), z.string(), z.string(), z.string()]);
