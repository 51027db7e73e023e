// A session as it lies in localStorage, which anyone at this device may have edited. Caller: session.ts.

/** Who is signed in. */
export interface SessionPrincipal {
  readonly id: string;
  /** What the person signs in with. */
  readonly name: string;
  readonly role: string;
  /** What this session may do. */
  readonly scopes: readonly string[];
}

export interface SignedIn {
  /** Access token, sent as the bearer. */
  token: string;
  /** Of the access token, by this device's clock. */
  expiresAtMs: number;
  /** Good for one exchange. */
  refreshToken: string;
  /** Of the session, by this device's clock; the server decides. */
  sessionExpiresAtMs: number;
  /** Undefined until the server told it. */
  principal?: SessionPrincipal | undefined;
}

/** Tokens, or a `notice` why there are none any more, or nothing. */
export type StoredSession = SignedIn | { token?: undefined; notice?: string };

/** Reads JSON of a `StoredSession`; whatever else it is, is nothing. */
export function parseStoredSession(text: string | undefined): StoredSession {
  const { notice, ...fields } = fieldsOf(text);
  if (typeof notice === "string") return { notice: notice.slice(0, 300) };
  const { token, expiresAtMs, refreshToken, sessionExpiresAtMs, principal } = fields;
  if (!isToken(token) || !isToken(refreshToken)) return {};
  return {
    token,
    refreshToken,
    expiresAtMs: typeof expiresAtMs === "number" ? expiresAtMs : 0,
    sessionExpiresAtMs: typeof sessionExpiresAtMs === "number" ? sessionExpiresAtMs : 0,
    principal: readPrincipal(principal),
  };
}

/**
 * Reads the server's answer to a sign-in or a refresh; undefined when it is none. Times are the server's, which may
 * differ from this device's by hours: they are moved by what the access token says of when it was made.
 */
export function readTokens(text: string, nowMs: number): SignedIn | undefined {
  const tokens = parseStoredSession(text);
  if (tokens.token === undefined) return undefined;
  const issuedAtMs = issueTimeOf(tokens.token);
  const shiftMs = issuedAtMs === undefined ? 0 : nowMs - issuedAtMs;
  return {
    ...tokens,
    expiresAtMs: tokens.expiresAtMs + shiftMs,
    sessionExpiresAtMs: tokens.sessionExpiresAtMs + shiftMs,
  };
}

/** Whoever is signed in, across refreshes; another sign-in is another session. */
export function sessionIdOf({ refreshToken }: SignedIn): string {
  return /^bkg_refresh_([a-z0-9]+)_/.exec(refreshToken)?.[1] ?? refreshToken;
}

export function readPrincipal(value: unknown): SessionPrincipal | undefined {
  if (typeof value !== "object" || value === null) return undefined;
  const { id, name, role, scopes } = value as Record<string, unknown>;
  if (typeof id !== "string" || typeof name !== "string" || typeof role !== "string") {
    return undefined;
  }
  if (!Array.isArray(scopes) || scopes.some((scope) => typeof scope !== "string")) {
    return undefined;
  }
  return { id, name, role, scopes };
}

function fieldsOf(text: string | undefined): Record<string, unknown> {
  try {
    const value: unknown = JSON.parse(text ?? "");
    return typeof value === "object" && value !== null ? value as Record<string, unknown> : {};
  } catch {
    return {};
  }
}

/** What is no token would make an invalid header, and each request would fail. */
function isToken(value: unknown): value is string {
  return typeof value === "string" && /^[\w.-]{1,4096}$/.test(value);
}

/** A JWT's `iat`; nothing is proved by it. */
function issueTimeOf(token: string): number | undefined {
  try {
    const part = token.split(".")[1] ?? "";
    const claims = fieldsOf(atob(part.replaceAll("-", "+").replaceAll("_", "/")));
    return typeof claims["iat"] === "number" ? claims["iat"] * 1000 : undefined;
  } catch {
    return undefined;
  }
}
