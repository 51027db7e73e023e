// Cursors of lists: where a page ended, so that the next one begins there whatever was added or deleted meanwhile.
// Clients hand them back as they got them; what they changed is refused.

import type { z } from "zod";
import { AppError } from "../../plugins/runtime/contract/error.ts";
import type { Page } from "./accounts.ts";

/** `rows` is one longer than the page when there is more. */
export function cutPage<Row>(
  rows: readonly Row[],
  { limit, keyOf }: { limit: number; keyOf: (row: Row) => readonly (string | number)[] },
): { items: Row[]; next?: string } {
  const items = rows.slice(0, limit);
  const last = items.at(-1);
  if (rows.length <= limit || last === undefined) return { items };
  return {
    items,
    next: btoa(JSON.stringify(keyOf(last))).replaceAll("+", "-").replaceAll("/", "_"),
  };
}

/** Throws INVALID_INPUT. `key` is the shape of what `keyOf` made. */
export function readPage<Key extends z.ZodType>(
  { limit = 50, after }: Page,
  key: Key,
): { limit: number; after: z.infer<Key> | undefined } {
  if (!Number.isInteger(limit) || limit < 1 || limit > maxLimit) {
    throw invalid("limit", `"limit" must be a whole number from 1 to ${maxLimit}`);
  }
  if (after === undefined) return { limit, after: undefined };
  try {
    if (after.length > maxCursorLength) throw new Error("too long");
    const text = atob(after.replaceAll("-", "+").replaceAll("_", "/"));
    return { limit, after: key.parse(JSON.parse(text)) };
  } catch {
    throw invalid("after", '"after" is no cursor of this list: send the "next" of the page before');
  }
}

const maxLimit = 200;
const maxCursorLength = 500;

function invalid(field: string, message: string): AppError {
  return new AppError("INVALID_INPUT", message, { details: { field } });
}
