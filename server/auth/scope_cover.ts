// Whether a list of scopes stays within others: nobody gives what he lacks. Callers: guarded_accounts, guarded_keys.

import { covers, scopeNames, type Scopes } from "./scopes.ts";

/** The first entry of `wanted` that a list of `held` does not cover; undefined when every list covers all. */
export function lackingScope(
  held: Pick<Scopes, "lists">,
  wanted: readonly string[],
): string | undefined {
  const { lists } = held;
  return wanted.find((entry) =>
    lists.length === 0 || !lists.every((list) => coversEntry(list, entry))
  );
}

/** "plugins:*" is also covered by all of its names together. */
function coversEntry(list: readonly string[], wanted: string): boolean {
  if (list.some((entry) => covers(entry, wanted))) return true;
  // Of capabilities there are ever more names.
  if (!/^[a-z]+:\*$/.test(wanted) || wanted === "invoke:*") return false;
  const names = scopeNames.filter((name) => covers(wanted, name));
  return names.length > 0 && names.every((name) => list.some((entry) => covers(entry, name)));
}
