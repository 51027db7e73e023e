// What one plugin, and the host about it, write. What a plugin writes is untrusted text: cleaned, capped in
// bytes, and counted instead of kept when it floods.

import { z } from "zod";
import { toPlainFields, toPlainText } from "../contract/plain_text.ts";
import type { LogLevel, LogLine } from "./host.ts";

export interface PluginLog {
  write(source: LogLine["source"], level: LogLevel, message: string, fields?: unknown): void;
  /** Takes a "log" that the plugin notified, untrusted. */
  receive(value: unknown): void;
  /** Writes the line about dropped ones when it is due. */
  flush(): void;
}

/** Keeps log lines beyond the end of the host. */
export interface LogStore {
  /**
   * What earlier hosts appended, unchecked: the newest lines, oldest first. One more than is kept tells what is
   * missing exactly; what is no line stands for one that was lost.
   */
  load(pluginId: string): readonly unknown[];
  /** Never throws. */
  append(pluginId: string, line: LogLine): void;
}

export interface PluginLogDeps {
  /** Ms since the epoch. */
  now: () => number;
  keep(line: Omit<LogLine, "seq">): void;
  /** Lines of the plugin within one second; the rest is counted. */
  maxLinesPerSecond?: number;
}

export function createPluginLog(
  { now, keep, maxLinesPerSecond = 1000 }: PluginLogDeps,
): PluginLog {
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
    if (isFlood) dropped++;
    else keep(clean({ atMs, level, source, message }, fields));
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

  return {
    write,
    receive(value) {
      const { level, message, fields } = (value ?? {}) as Record<string, unknown>;
      const known = levels.has(level as LogLevel) ? level as LogLevel : "info";
      write("plugin", known, typeof message === "string" ? message : "", fields);
    },
    flush: () => roll(now()),
  };
}

/** A line that was stored, cleaned again: a file can be damaged. Undefined for what is none. */
export function readStoredLine(value: unknown): LogLine | undefined {
  const parsed = storedLine.safeParse(value);
  if (!parsed.success) return undefined;
  const { fields, ...line } = parsed.data;
  return clean(line, fields);
}

const levelNames = ["debug", "info", "warn", "error"] as const;
const levels: ReadonlySet<LogLevel> = new Set<LogLevel>(levelNames);
const maxHostLinesPerSecond = 100;
const maxMessageBytes = 8192;
const maxFieldBytes = 4096;

const storedLine = z.object({
  // Room above: a damaged number must not use up all that are left.
  seq: z.int().min(0).max(8e15),
  atMs: z.number(),
  level: z.enum(levelNames),
  source: z.enum(["plugin", "stdout", "stderr", "host"]),
  message: z.string(),
  fields: z.unknown().optional(),
});

function clean<Line extends { message: string }>(line: Line, fields: unknown) {
  const message = toPlainText(line.message, maxMessageBytes);
  const plain = toPlainFields(fields, maxFieldBytes);
  return plain === undefined ? { ...line, message } : { ...line, message, fields: plain };
}
