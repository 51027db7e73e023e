// The last lines of one plugin; it outlives the plugin's cells. What a plugin writes is untrusted text:
// cleaned, capped in bytes, and counted instead of kept when it floods.

import type { LogLevel, LogLine } from "./host.ts";
import { toPlainFields, toPlainText } from "../contract/plain_text.ts";

export interface LogRing {
  write(source: LogLine["source"], level: LogLevel, message: string, fields?: unknown): void;
  /** Takes a "log" that the plugin notified, untrusted. */
  receive(value: unknown): void;
  /** The last `lines` lines, oldest first. */
  tail(lines: number): LogLine[];
  /** Writes the line about dropped ones when it is due. */
  flush(): void;
}

export interface LogRingDeps {
  /** Ms since the epoch. */
  now: () => number;
  onLine?: (line: LogLine) => void;
  capacity?: number;
  /** Lines of the plugin within one second; the rest is counted. */
  maxLinesPerSecond?: number;
}

export function createLogRing(
  { now, onLine, capacity = 1000, maxLinesPerSecond = 1000 }: LogRingDeps,
): LogRing {
  const ring: LogLine[] = [];
  let nextSeq = 0;
  let windowStartMs = -Infinity;
  let windowLines = 0;
  let windowHostLines = 0;
  let dropped = 0;

  function write(
    source: LogLine["source"],
    level: LogLevel,
    message: string,
    fields?: unknown,
  ): void {
    const atMs = now();
    roll(atMs);
    // The host's own lines have a budget apart: a plugin can cause them, and must not drown them.
    const isFlood = source === "host"
      ? ++windowHostLines > maxHostLinesPerSecond
      : ++windowLines > maxLinesPerSecond;
    if (isFlood) {
      dropped++;
      return;
    }
    const plain = toPlainFields(fields, maxFieldBytes);
    const line = { atMs, level, source, message: toPlainText(message, maxMessageBytes) };
    keep(plain === undefined ? line : { ...line, fields: plain });
  }

  function roll(atMs: number): void {
    if (atMs - windowStartMs < 1000 && atMs >= windowStartMs) return;
    windowStartMs = atMs;
    windowLines = 0;
    windowHostLines = 0;
    if (dropped === 0) return;
    const message = `Dropped ${dropped} lines: a plugin may write ${maxLinesPerSecond} a second`;
    dropped = 0;
    keep({ atMs, level: "warn", source: "host", message });
  }

  function keep(line: Omit<LogLine, "seq">): void {
    const numbered = { seq: nextSeq, ...line };
    ring[nextSeq++ % capacity] = numbered;
    onLine?.(numbered);
  }

  return {
    write,
    receive(value) {
      const { level, message, fields } = (value ?? {}) as Record<string, unknown>;
      const known = levels.has(level as LogLevel) ? level as LogLevel : "info";
      write("plugin", known, typeof message === "string" ? message : "", fields);
    },
    tail(lines) {
      const count = Math.max(0, Math.min(Math.floor(lines) || 0, ring.length));
      const start = nextSeq - count;
      return Array.from({ length: count }, (_, index) => ring[(start + index) % capacity])
        .filter((line) => line !== undefined);
    },
    flush: () => roll(now()),
  };
}

const maxHostLinesPerSecond = 100;
const maxMessageBytes = 8192;
const maxFieldBytes = 4096;
const levels: ReadonlySet<LogLevel> = new Set<LogLevel>(["debug", "info", "warn", "error"]);
