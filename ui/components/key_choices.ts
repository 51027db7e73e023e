// What the wizard for API keys offers, as values. Caller: bkg-key-wizard.

import { allows } from "../api/scopes.ts";

export type Use = "chat" | "all" | "custom";

export const expiryChoices = ["30 days", "90 days", "1 year", "custom", "never"] as const;
export type ExpiryChoice = typeof expiryChoices[number];

/** The scopes of a key for `use`; none when the person lacks them. */
export function scopesOf(
  use: Use,
  { mine, custom }: { mine: readonly string[]; custom: readonly string[] },
): readonly string[] {
  switch (use) {
    case "all":
      return mine;
    case "custom":
      return custom;
    case "chat": {
      const models = allows(mine, "invoke:llm.*")
        ? ["invoke:llm.*"]
        : mine.filter((scope) => scope.startsWith("invoke:llm."));
      if (models.length === 0) return [];
      return allows(mine, "models:read") ? [...models, "models:read"] : models;
    }
  }
}

/** When a key ends, ms since the epoch; null: never; undefined: no day that is to come. */
export function expiryOf(
  choice: ExpiryChoice,
  { day, nowMs }: { day: string; nowMs: number },
): number | null | undefined {
  switch (choice) {
    case "30 days":
      return nowMs + 30 * dayMs;
    case "90 days":
      return nowMs + 90 * dayMs;
    case "1 year":
      return nowMs + 365 * dayMs;
    case "never":
      return null;
    case "custom": {
      // To the end of the day where the person is.
      const [year = 0, month = 0, date = 0] = day.split("-").map(Number);
      const endMs = new Date(year, month - 1, date + 1).getTime() - 1000;
      return /^\d{4}-\d{2}-\d{2}$/.test(day) && endMs > nowMs && endMs <= maxMs ? endMs : undefined;
    }
  }
}

/** The day where the person is, such as "2026-01-31". */
export function isoDay(atMs: number): string {
  const date = new Date(atMs);
  const two = (value: number) => String(value).padStart(2, "0");
  return `${date.getFullYear()}-${two(date.getMonth() + 1)}-${two(date.getDate())}`;
}

const dayMs = 24 * 60 * 60_000;
const maxMs = 8.64e15;
