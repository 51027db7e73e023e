// What a credential may do, as the page needs it: to show what is allowed and leave out what is not. The server decides.

/** Who is signed in, as far as their scopes are known. */
export interface Scoped {
  readonly id: string;
  /** Undefined until the server told them. */
  readonly scopes?: readonly string[] | undefined;
}

/** Whether a list of scopes holds `scope`; "invoke" is any capability. */
export function allows(scopes: readonly string[], scope: string): boolean {
  return scopes.some((entry) => covers(entry, scope)) ||
    (scope === "invoke" && scopes.some((entry) => entry.startsWith("invoke:")));
}

export function may(person: Scoped | undefined, scope: string): boolean {
  return allows(person?.scopes ?? [], scope);
}

/** Whether `entry` of a list covers `scope`: equal, or up to a "*" at its end. */
export function covers(entry: string, scope: string): boolean {
  return entry === scope || (entry.endsWith("*") && scope.startsWith(entry.slice(0, -1)));
}
