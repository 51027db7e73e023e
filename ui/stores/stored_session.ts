// A session as it lies in localStorage, which anyone at this device may have edited. Caller: session.ts.

import type { Principal } from "../../plugins/runtime/host/host.ts";

/** A token, or a `notice` why there is none any more, or nothing. */
export interface StoredSession {
  token?: string;
  expiresAtMs?: number;
  /** Undefined until the server told it. */
  principal?: Principal;
  notice?: string;
}

/** Reads JSON of `{token, expiresAtMs?, principal?}` or `{notice}`; whatever else it is, is nothing. */
export function parseStoredSession(text: string | undefined): StoredSession {
  const { token, expiresAtMs, principal, notice } = fieldsOf(text);
  if (typeof notice === "string") return { notice: notice.slice(0, 300) };
  // What is no token would make an invalid header, and each request would fail.
  if (typeof token !== "string" || !/^[\w.-]{1,4096}$/.test(token)) return {};
  return {
    token,
    ...(typeof expiresAtMs === "number" ? { expiresAtMs } : {}),
    ...(isPrincipal(principal) ? { principal: { id: principal.id, role: principal.role } } : {}),
  };
}

function fieldsOf(text: string | undefined): Record<string, unknown> {
  try {
    const value: unknown = JSON.parse(text ?? "");
    return typeof value === "object" && value !== null ? value as Record<string, unknown> : {};
  } catch {
    return {};
  }
}

function isPrincipal(value: unknown): value is Principal {
  if (typeof value !== "object" || value === null) return false;
  const { id, role } = value as Record<string, unknown>;
  return typeof id === "string" && typeof role === "string" && roles.has(role);
}

const roles: ReadonlySet<string> = new Set<Principal["role"]>(["admin", "operator", "user"]);
