// The lines that a log view keeps, and those of them that its filter shows. Lines come in bursts and are taken in
// as one; the oldest go first. Caller: bkg-log-view.

import type { LogLevel, LogLine } from "../../plugins/runtime/host/host.ts";

export interface LogFilter {
  /** Shown are lines that hold it, whatever the case. */
  text: string;
  /** The least level that is shown. */
  level: LogLevel;
}

/** A line, or the place where the server no longer had what came before. */
export type LogRow = { kind: "line"; line: LogLine } | { kind: "gap"; seq: number };

export interface LogBuffer {
  /** What the filter shows, oldest first; the same list until something changes. */
  readonly rows: readonly LogRow[];
  /** All that is kept, shown or not. */
  readonly size: number;
  /** Lines that came since the pause. */
  readonly waiting: number;
  readonly paused: boolean;
  /** Answers how many rows at the start of `rows` were dropped to make room. */
  add(lines: readonly LogLine[]): number;
  /** Some lines are missing after what is here. */
  addGap(): void;
  filter(filter: LogFilter): void;
  /** While paused `rows` stays as it is. */
  pause(): void;
  resume(): void;
  clear(): void;
  /** Every line that the filter shows, as text. */
  text(): string;
}

export const logLevels: readonly LogLevel[] = ["debug", "info", "warn", "error"];

export function createLogBuffer({ capacity = 2000 }: { capacity?: number } = {}): LogBuffer {
  let kept: LogRow[] = [];
  let rows: LogRow[] = [];
  let waiting: LogRow[] = [];
  let waited = 0;
  let paused = false;
  let lastSeq = -1;
  let wanted: LogFilter = { text: "", level: "debug" };
  let needle = "";

  function shows(row: LogRow): boolean {
    if (row.kind === "gap") return true;
    const { line } = row;
    if (logLevels.indexOf(line.level) < logLevels.indexOf(wanted.level)) return false;
    return needle === "" || line.message.toLowerCase().includes(needle) ||
      (line.fields !== undefined && JSON.stringify(line.fields).toLowerCase().includes(needle));
  }

  function keep(added: readonly LogRow[]): number {
    const overflow = Math.max(0, kept.length + added.length - capacity);
    const before = rows.length;
    const shown = added.filter(shows);
    kept = kept.concat(added);
    if (shown.length > 0) rows = rows.concat(shown);
    if (overflow === 0) return 0;
    // The shown ones are among the kept in the same order, so one walk finds those that go.
    let dropped = 0;
    for (const gone of kept.slice(0, overflow)) if (rows[dropped] === gone) dropped++;
    kept = kept.slice(overflow);
    if (dropped > 0) rows = rows.slice(dropped);
    return Math.min(dropped, before);
  }

  function take(added: LogRow[]): number {
    if (!paused) return keep(added);
    waiting = waiting.concat(added).slice(-capacity);
    return 0;
  }

  return {
    get rows() {
      return rows;
    },
    get size() {
      return kept.length;
    },
    get waiting() {
      return waited;
    },
    get paused() {
      return paused;
    },
    add(lines) {
      // A reconnect may bring a line again.
      const fresh = lines.filter((line) => line.seq > lastSeq && (lastSeq = line.seq) >= 0);
      if (paused) waited += fresh.length;
      return take(fresh.map((line): LogRow => ({ kind: "line", line })));
    },
    addGap() {
      take([{ kind: "gap", seq: lastSeq }]);
    },
    filter(filter) {
      wanted = filter;
      needle = filter.text.trim().toLowerCase();
      rows = kept.filter(shows);
    },
    pause() {
      paused = true;
    },
    resume() {
      paused = false;
      const added = waiting;
      waiting = [];
      waited = 0;
      keep(added);
    },
    clear() {
      kept = [];
      rows = [];
      waiting = [];
      waited = 0;
    },
    text: () => rows.map(describeRow).join("\n") + (rows.length > 0 ? "\n" : ""),
  };
}

/** One row as text: time, level, source, message, fields. */
export function describeRow(row: LogRow): string {
  if (row.kind === "gap") return "--- some lines are missing here ---";
  const { atMs, level, source, message, fields } = row.line;
  const more = fields === undefined ? "" : ` ${JSON.stringify(fields)}`;
  return `${isoTime(atMs)} ${level.padEnd(5)} ${source.padEnd(6)} ${message}${more}`;
}

/** Which rows a window of fixed row height shows, with some more on both sides. */
export function visibleRange(
  { scrollTop, height, rowHeight, count }: {
    scrollTop: number;
    height: number;
    rowHeight: number;
    count: number;
  },
): { start: number; end: number } {
  const spare = 8;
  const last = Math.max(0, count - Math.ceil(height / rowHeight));
  const first = Math.min(Math.max(0, Math.floor(scrollTop / rowHeight)), last);
  const end = Math.min(count, first + Math.ceil(height / rowHeight) + 1 + spare);
  return { start: Math.max(0, first - spare), end };
}

function isoTime(atMs: number): string {
  const date = new Date(atMs);
  return Number.isNaN(date.getTime()) ? "-" : date.toISOString();
}
