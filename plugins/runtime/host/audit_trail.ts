// Who did what with one plugin: a bounded ring in memory, and a sink that keeps it.
// Equal entries in a row within one second are one entry with a count, so that a busy plugin stays cheap.
// A plugin that makes up ever new service calls is cut to some entries a second: the sink is a disk.

import type { AuditEntry } from "./host.ts";

export interface AuditTrail {
  add(
    principal: string,
    action: string,
    object: string,
    outcome: AuditEntry["outcome"],
  ): void;
  /** The last `limit` entries, newest last. */
  tail(limit: number): AuditEntry[];
  /** Hands the entry that is still open to the sink, once it is a second old; `all` does at once. */
  flush(all?: boolean): void;
}

export interface AuditTrailDeps {
  /** Ms since the epoch. */
  now: () => number;
  /** Called once for each entry, when its count is final. */
  sink?: (entry: AuditEntry) => void;
  capacity?: number;
}

export function createAuditTrail({ now, sink, capacity = 500 }: AuditTrailDeps): AuditTrail {
  const ring: AuditEntry[] = [];
  let added = 0;
  let open: AuditEntry | undefined;
  /** What a flood of this second is counted in; apart from `open`, or other entries between would cut it to pieces. */
  const floods = new Map<AuditEntry["outcome"], AuditEntry>();
  let windowStartMs = -Infinity;
  let windowServices = 0;

  function close(): void {
    if (open !== undefined) sink?.({ ...open });
    open = undefined;
  }

  function closeFloods(): void {
    for (const entry of floods.values()) sink?.({ ...entry });
    floods.clear();
  }

  function keep(entry: AuditEntry): AuditEntry {
    ring[added++ % capacity] = entry;
    return entry;
  }

  function roll(atMs: number): void {
    if (atMs - windowStartMs < mergeMs && atMs >= windowStartMs) return;
    closeFloods();
    windowStartMs = atMs;
    windowServices = 0;
  }

  function addFlood(principal: string, outcome: AuditEntry["outcome"], atMs: number): void {
    const entry = floods.get(outcome);
    if (entry !== undefined) {
      entry.count++;
      return;
    }
    const first = { atMs, count: 1, principal, action: "service", object: "(many)", outcome };
    floods.set(outcome, keep(first));
  }

  return {
    add(principal, action, object, outcome) {
      const atMs = now();
      if (
        open !== undefined && atMs - open.atMs < mergeMs && open.object === object &&
        open.outcome === outcome && open.principal === principal && open.action === action
      ) {
        open.count++;
        return;
      }
      if (action === "service") {
        roll(atMs);
        if (++windowServices > maxServicesPerSecond) return addFlood(principal, outcome, atMs);
      }
      close();
      open = keep({ atMs, count: 1, principal, action, object, outcome });
    },
    tail(limit) {
      const count = Math.max(0, Math.min(Math.floor(limit) || 0, ring.length));
      return Array.from({ length: count }, (_, index) => ring[(added - count + index) % capacity])
        .filter((entry) => entry !== undefined)
        .map((entry) => ({ ...entry }));
    },
    flush(all = false) {
      if (open !== undefined && (all || now() - open.atMs >= mergeMs)) close();
      if (all || now() - windowStartMs >= mergeMs) closeFloods();
    },
  };
}

const mergeMs = 1000;
const maxServicesPerSecond = 100;
