// What a credential may do, as a list of scopes: "area:verb", "invoke:<capability>", or with "*" for the rest.
// Callers: every gate (HTTP routes, sockets, the bus). Deny by default.

import { z } from "zod";
import { AppError } from "../../plugins/runtime/contract/error.ts";

/** What a route or a message asks for; `invoke:<capability>` is asked by the bus alone. */
export const scopeNames = [
  /** One's own keys, usage, chats, presets, sessions and password. */
  "account",
  "plugins:read",
  /** Start, stop, configure, install. */
  "plugins:manage",
  /** What a plugin is given: for admins. */
  "plugins:consent",
  /** Log lines and audit of plugins: they may hold what others asked. */
  "logs:read",
  "models:read",
  "models:manage",
  "metrics:read",
  "users:manage",
  /** Of everyone. */
  "keys:manage",
  "audit:read",
  /** Of everyone. */
  "usage:read",
  "settings:manage",
  "backups:read",
] as const;

export type Scope = typeof scopeNames[number] | `invoke:${string}`;

/** One entry of a list of scopes: "*", a name above, "invoke:llm.chat", "invoke:llm.*", "invoke:*", "plugins:*". */
export const scopeSchema = z.string().max(200).refine(
  isGrantable,
  'must be a scope, such as "invoke:llm.chat", "plugins:read" or "*"',
);

export const scopesSchema = z.array(scopeSchema).max(100);

/** What each built-in role may do. */
export const builtinRoles = {
  admin: ["*"],
  operator: [
    ...["invoke:*", "account", "plugins:read", "plugins:manage", "logs:read"],
    ...["models:read", "models:manage", "metrics:read"],
  ],
  user: ["invoke:*", "account", "plugins:read", "models:read"],
} as const satisfies Record<string, readonly string[]>;

export interface Scopes {
  allows(scope: Scope): boolean;
  /** Whether any capability may be called. */
  readonly invokesAny: boolean;
  /** As they were given; of a narrowed set, those of both. */
  readonly lists: readonly (readonly string[])[];
}

/** Allows what every list allows: a user's scopes narrow the role's, a key's narrow its owner's. */
export function createScopes(...lists: readonly (readonly string[])[]): Scopes {
  const known = new Map<string, boolean>();
  return {
    lists,
    allows(scope) {
      const remembered = known.get(scope);
      if (remembered !== undefined) return remembered;
      const allowed = lists.length > 0 &&
        lists.every((list) => list.some((entry) => covers(entry, scope)));
      // Names of capabilities are the clients' text.
      if (known.size >= maxRemembered) known.clear();
      known.set(scope, allowed);
      return allowed;
    },
    invokesAny: lists.length > 0 &&
      lists.every((list) => list.some((entry) => entry === "*" || entry.startsWith("invoke:"))),
  };
}

const maxRemembered = 500;

/** What a gate throws: FORBIDDEN that tells what is missing. */
export function forbidden(wanted: Scope): AppError {
  // The name of a capability is the client's text.
  const scope = wanted.slice(0, 200).toWellFormed();
  return new AppError("FORBIDDEN", `This needs the scope "${scope}", which your credential lacks`, {
    details: { scope },
  });
}

/** Whether `entry` of a list covers `scope`: equal, or up to a "*" at the entry's end. */
export function covers(entry: string, scope: string): boolean {
  return entry === scope || (entry.endsWith("*") && scope.startsWith(entry.slice(0, -1)));
}

function isGrantable(entry: string): boolean {
  if (entry === "*" || (scopeNames as readonly string[]).includes(entry)) return true;
  if (/^invoke:(?:\*|[a-z][A-Za-z0-9_-]*(?:\.[A-Za-z][A-Za-z0-9_-]*)*(?:\.\*)?)$/.test(entry)) {
    return true;
  }
  return /^[a-z]+:\*$/.test(entry) &&
    scopeNames.some((name) => name.startsWith(entry.slice(0, -1)));
}
