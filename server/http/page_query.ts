// `?limit=` and `?after=` of a list that is answered in pages.

import type { Context } from "hono";
import { z } from "zod";
import { AppError } from "../../plugins/runtime/contract/error.ts";
import type { Page } from "../auth/accounts.ts";
import type { HttpEnv } from "./services.ts";

/** As an operation describes them. */
export const pageParameters = [
  {
    name: "limit",
    description: "how many at most",
    schema: z.int().min(1).max(200).default(50),
  },
  {
    name: "after",
    description: "the 'next' of the page before",
    schema: z.string().max(500),
  },
];

/** Throws INVALID_INPUT for a limit that is no number; the list looks after the rest. */
export function readPageQuery(context: Context<HttpEnv>): Page {
  const limit = readText(context, "limit", 10);
  const after = readText(context, "after", 500);
  if (limit !== undefined && !/^\d+$/.test(limit)) {
    throw new AppError("INVALID_INPUT", '"limit" must be a whole number from 1 to 200', {
      details: { field: "limit" },
    });
  }
  return { limit: limit === undefined ? undefined : Number(limit), after };
}

/** A parameter of the query; an empty one counts as absent. Throws INVALID_INPUT for one that is too long. */
export function readText(
  context: Context<HttpEnv>,
  name: string,
  maxLength: number,
): string | undefined {
  const text = context.req.query(name);
  if (text !== undefined && text.length > maxLength) {
    throw new AppError("INVALID_INPUT", `"${name}" must have at most ${maxLength} characters`, {
      details: { field: name, maxLength },
    });
  }
  return text === "" ? undefined : text;
}
