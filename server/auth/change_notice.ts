// Tells the identities of a change once it is committed, so that it holds when the caller is answered.

import { toAppError } from "../../plugins/runtime/contract/error.ts";
import type { Change, Identities } from "./identities.ts";

/** Runs a change of the database; also told of is one that may hold although its answer was lost. */
export async function changing<Result>(
  { identities, run, touches }: {
    identities: Pick<Identities, "changed">;
    run: () => Promise<Result>;
    touches: (result: Result | undefined) => readonly Change[];
  },
): Promise<Result> {
  let result: Result | undefined;
  try {
    return result = await run();
  } catch (error) {
    if (refusals.has(toAppError(error).code)) touches = () => [];
    throw error;
  } finally {
    for (const change of touches(result)) identities.changed(change);
  }
}

/** Nothing was changed. */
const refusals: ReadonlySet<string> = new Set([
  "INVALID_INPUT",
  "FORBIDDEN",
  "NOT_FOUND",
  "CONFLICT",
]);
