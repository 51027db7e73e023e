// One call as a person watches it: its items as they come, its result, its error, its times. All of it is a
// plugin's: texts are cut for the screen, whole for a download. Caller: bkg-capability.

import type { AppError } from "../../plugins/runtime/contract/error.ts";

/** Of a stream, so many of the last items are shown. */
export const maxShownItems = 200;

export interface CallResult {
  text: string;
  /** Of `text`, about. */
  bytes: number;
  shown: string;
  cut: boolean;
}

export interface CallProgress {
  readonly state: "running" | "done" | "stopped" | "failed";
  /** How many came. */
  readonly items: number;
  /** The last ones, one a line. */
  readonly itemsText: string;
  readonly result: CallResult | undefined;
  readonly error: AppError | undefined;
  /** The error's details as text. */
  readonly details: string | undefined;
  readonly startedAtMs: number;
  readonly firstAtMs: number | undefined;
  readonly endedAtMs: number | undefined;
  readonly nowMs: number;
  item(value: unknown): void;
  /** `result` is undefined when there is none beside the items. */
  end(result: unknown): void;
  fail(error: AppError, stopped: boolean): void;
}

/** `now` is a monotonic clock, ms. */
export function createCallProgress(now: () => number): CallProgress {
  const startedAtMs = now();
  let shown: string[] = [];
  let items = 0;
  let state: CallProgress["state"] = "running";
  let firstAtMs: number | undefined;
  let endedAtMs: number | undefined;
  let result: CallResult | undefined;
  let error: AppError | undefined;
  return {
    startedAtMs,
    get state() {
      return state;
    },
    get items() {
      return items;
    },
    get itemsText() {
      return shown.slice(-maxShownItems).join("\n");
    },
    get result() {
      return result;
    },
    get error() {
      return error;
    },
    get details() {
      return error?.details === undefined
        ? undefined
        : cut(textOf(error.details), maxShownChars).text;
    },
    get firstAtMs() {
      return firstAtMs;
    },
    get endedAtMs() {
      return endedAtMs;
    },
    get nowMs() {
      return now();
    },
    item(value) {
      firstAtMs ??= now();
      items++;
      shown.push(cut(JSON.stringify(value) ?? "null", maxItemChars).text);
      if (shown.length > 2 * maxShownItems) shown = shown.slice(-maxShownItems);
    },
    end(value) {
      endedAtMs = now();
      state = "done";
      if (value === undefined) return;
      const text = textOf(value);
      const { text: start, cut: isCut } = cut(text, maxShownChars);
      result = { text, bytes: text.length, shown: start, cut: isCut };
    },
    fail(thrown, stopped) {
      endedAtMs = now();
      state = stopped ? "stopped" : "failed";
      if (!stopped) error = thrown;
    },
  };
}

const maxItemChars = 1000;
const maxShownChars = 20_000;

function textOf(value: unknown): string {
  return JSON.stringify(value, undefined, 2) ?? "null";
}

function cut(text: string, maxChars: number): { text: string; cut: boolean } {
  return text.length <= maxChars
    ? { text, cut: false }
    : { text: `${text.slice(0, maxChars)}…`, cut: true };
}
