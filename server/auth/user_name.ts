// A user's name as it is stored and looked up: one spelling, so that no two people look the same.

import { AppError } from "../../plugins/runtime/contract/error.ts";

/** NFKC and lower case; undefined for what is no name: 1 to 64 of a-z, 0-9 and . _ @ - */
export function readUserName(text: string): string | undefined {
  // Measured first: normalising megabytes is work that nobody asked for.
  if (text.length > maxLength) return undefined;
  const name = text.normalize("NFKC").toLowerCase();
  return shape.test(name) ? name : undefined;
}

/** The same; throws INVALID_INPUT. */
export function parseUserName(text: string): string {
  const name = readUserName(text);
  if (name !== undefined) return name;
  throw new AppError(
    "INVALID_INPUT",
    '"name" must be 1 to 64 letters a-z, digits and characters of "._@-"',
    { details: { field: "name", minLength: 1, maxLength } },
  );
}

const maxLength = 64;
const shape = /^[a-z0-9._@-]{1,64}$/;
