// How a model file is refused: one INVALID_MODEL whose message names the format, the field, the offset
// and the limit. Each validator makes its own refusal of it.

import { AppError } from "../../plugins/runtime/contract/error.ts";

export interface Refusal {
  /** What was being read: `tensor count`, `key "general.name"`; text out of the file is quoted in it. */
  field: string;
  /** Where in the file it starts, bytes. */
  offset: number;
  /** What would have been accepted. */
  limit: string | number | bigint;
}

/** Throws INVALID_MODEL: the field, its offset, what is wrong with it, and the limit. */
export type Refuse = (problem: string, refusal: Refusal) => never;

/** The refusal of one format, whose name the message starts with. */
export function createRefuse(format: string): Refuse {
  return (problem, { field, offset, limit }) => {
    throw new AppError(
      "INVALID_MODEL",
      `${format} ${field} at byte ${offset} ${problem} (limit: ${limit})`,
      { details: { field, offset, limit: typeof limit === "bigint" ? String(limit) : limit } },
    );
  };
}
