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
  let windowStartMs = -Infinity;
  let windowServices = 0;

  function close(): void {
    if (open !== undefined) sink?.({ ...open });
    open = undefined;
  }

  function isFlood(object: string, atMs: number): boolean {
    if (open?.object === object) return false;
    if (atMs - windowStartMs >= 1000 || atMs < windowStartMs) {
      windowStartMs = atMs;
      windowServices = 0;
    }
    return ++windowServices > maxServicesPerSecond;
  }

  return {
    add(principal, action, name, outcome) {
      const atMs = now();
      const object = action === "service" && isFlood(name, atMs) ? "(many)" : name;
      if (
        open !== undefined && atMs - open.atMs < mergeMs && open.object === object &&
        open.outcome === outcome && open.principal === principal && open.action === action
      ) {
        open.count++;
        return;
      }
      close();
      open = { atMs, count: 1, principal, action, object, outcome };
      ring[added++ % capacity] = open;
    },
    tail(limit) {
      const count = Math.max(0, Math.min(Math.floor(limit) || 0, ring.length));
      return Array.from({ length: count }, (_, index) => ring[(added - count + index) % capacity])
        .filter((entry) => entry !== undefined)
        .map((entry) => ({ ...entry }));
    },
    flush(all = false) {
      if (open !== undefined && (all || now() - open.atMs >= mergeMs)) close();
    },
  };
}

const mergeMs = 1000;
const maxServicesPerSecond = 100;
