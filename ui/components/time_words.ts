// Moments as people say them; the exact one is in the tooltip.

import { html, type TemplateResult } from "lit";
import { formatAgo, formatDateTime, formatDuration } from "./format.ts";

const exact = new Intl.DateTimeFormat("en-GB", { dateStyle: "full", timeStyle: "long" });

/** "3 min ago"; `never` for a moment that has not been. */
export function pastTime(
  atMs: number | null,
  { nowMs = Date.now(), never = "never" }: { nowMs?: number; never?: string } = {},
): TemplateResult | string {
  return atMs === null ? never : stamp(atMs, formatAgo(Math.min(atMs, nowMs), nowMs));
}

/** "in 3 d 4 h" up to a week ahead, else the date. */
export function comingTime(atMs: number, nowMs: number = Date.now()): TemplateResult {
  const leftMs = atMs - nowMs;
  if (leftMs <= 0) return stamp(atMs, "now");
  return stamp(atMs, leftMs < 7 * dayMs ? `in ${formatDuration(leftMs)}` : formatDateTime(atMs));
}

/** "3 May 2026, 14:03" */
export function exactTime(atMs: number): TemplateResult {
  return stamp(atMs, formatDateTime(atMs));
}

const dayMs = 24 * 60 * 60_000;
/** What a Date can hold. */
const maxMs = 8.64e15;

function stamp(atMs: number, text: string): TemplateResult {
  if (!(Math.abs(atMs) <= maxMs)) return html`–`;
  return html`<time datetime=${new Date(atMs).toISOString()} title=${
    exact.format(atMs)
  }>${text}</time>`;
}
