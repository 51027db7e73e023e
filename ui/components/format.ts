// Numbers as people read them, always with their unit, and strangers' texts cut to size. English, as the page is.

import { toPlainLines } from "../../plugins/runtime/contract/plain_text.ts";

const minuteMs = 60_000;
const hourMs = 60 * minuteMs;
const dayMs = 24 * hourMs;

const whole = new Intl.NumberFormat("en", { maximumFractionDigits: 0 });
const threeDigits = new Intl.NumberFormat("en", {
  maximumSignificantDigits: 3,
  roundingPriority: "auto",
});
const time = new Intl.DateTimeFormat("en-GB", { timeStyle: "medium" });
const dateAndTime = new Intl.DateTimeFormat("en-GB", { dateStyle: "medium", timeStyle: "short" });

/** `-` stands for a number that is not known. */
export const unknownNumber = "–";

/** 1536 -> "1.5 KiB" */
export function formatBytes(bytes: number | undefined): string {
  if (bytes === undefined || !Number.isFinite(bytes)) return unknownNumber;
  const units = ["B", "KiB", "MiB", "GiB", "TiB"];
  let value = Math.max(0, bytes);
  let unit = 0;
  while (value >= 999.5 && unit < units.length - 1) {
    value /= 1024;
    unit++;
  }
  return `${unit === 0 ? whole.format(value) : threeDigits.format(value)} ${units[unit]}`;
}

/** 1234567 -> "1,234,567"; from ten million on "12.3 M". */
export function formatCount(count: number | undefined): string {
  if (count === undefined || !Number.isFinite(count)) return unknownNumber;
  if (Math.abs(count) < 10_000_000) return whole.format(count);
  return Math.abs(count) < 1e9
    ? `${threeDigits.format(count / 1e6)} M`
    : `${threeDigits.format(count / 1e9)} G`;
}

/** "1 model", "3 models" */
export function formatPlural(count: number, noun: string): string {
  return `${formatCount(count)} ${noun}${count === 1 ? "" : "s"}`;
}

/** A number with up to three digits that count: 0.1234 -> "0.123". */
export function formatNumber(value: number | undefined): string {
  if (value === undefined || !Number.isFinite(value)) return unknownNumber;
  return Math.abs(value) >= 1000 ? formatCount(value) : threeDigits.format(value);
}

/** 12.34 -> "12.3%" */
export function formatPercent(percent: number | undefined): string {
  if (percent === undefined || !Number.isFinite(percent)) return unknownNumber;
  if (percent !== 0 && Math.abs(percent) < 0.1) return "<0.1%";
  return `${percent < 10 ? Math.round(percent * 10) / 10 : whole.format(percent)}%`;
}

/** 3.21 -> "3.21/s" */
export function formatRate(perSecond: number | undefined): string {
  return perSecond === undefined || !Number.isFinite(perSecond)
    ? unknownNumber
    : `${formatNumber(perSecond)}/s`;
}

/** 192_000 -> "3 min 12 s"; the two largest units. */
export function formatDuration(ms: number | undefined): string {
  if (ms === undefined || !Number.isFinite(ms)) return unknownNumber;
  const total = Math.max(0, ms);
  if (total < 1000) return `${Math.round(total)} ms`;
  if (total < minuteMs) return `${Math.floor(total / 1000)} s`;
  const parts = total < hourMs
    ? ([[minuteMs, "min"], [1000, "s"]] as const)
    : total < dayMs
    ? ([[hourMs, "h"], [minuteMs, "min"]] as const)
    : ([[dayMs, "d"], [hourMs, "h"]] as const);
  const first = Math.floor(total / parts[0][0]);
  const second = Math.floor((total % parts[0][0]) / parts[1][0]);
  const text = `${whole.format(first)} ${parts[0][1]}`;
  return second === 0 ? text : `${text} ${second} ${parts[1][1]}`;
}

/** 0.4213 -> "0.421 ms", 12.34 -> "12.3 ms": of what is over before one looks; from a second on as any duration. */
export function formatMilliseconds(ms: number | undefined): string {
  return ms === undefined || !Number.isFinite(ms) || ms >= 1000
    ? formatDuration(ms)
    : `${threeDigits.format(Math.max(0, ms))} ms`;
}

/** "just now", "3 min ago", or the date when it is more than a day ago. */
export function formatAgo(atMs: number, nowMs: number): string {
  const age = nowMs - atMs;
  if (age < 10_000) return "just now";
  if (age >= dayMs) return formatDateTime(atMs);
  const unit = age < minuteMs ? 1000 : age < hourMs ? minuteMs : hourMs;
  return `${formatDuration(Math.floor(age / unit) * unit)} ago`;
}

/** "14:03:09" */
export function formatTime(atMs: number): string {
  return time.format(atMs);
}

/** "3 May 2026, 14:03" */
export function formatDateTime(atMs: number): string {
  return dateAndTime.format(atMs);
}

/** The first `maxChars` characters of a text that a stranger wrote, which can no longer steer its surroundings. */
export function capText(text: string, maxChars: number): string {
  if (text.length <= maxChars) return toPlainLines(text);
  const last = text.charCodeAt(maxChars - 1);
  // Never half a character.
  const end = last >= 0xd800 && last <= 0xdbff ? maxChars - 1 : maxChars;
  return `${toPlainLines(text.slice(0, end)).trimEnd()}…`;
}
