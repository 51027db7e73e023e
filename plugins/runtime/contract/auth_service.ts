// The service "auth": what a plugin may ask of the accounts of its host's server, for who is calling it.
// Both sides: the guest's `ctx.auth`, the host's broker.

export const authMethods = ["login", "createKey", "revokeKey", "listKeys", "validate"] as const;

export type AuthMethod = typeof authMethods[number];

/** Each does what the caller of the running call may do, and throws FORBIDDEN for the rest. */
export interface AuthService {
  /** A session of whoever the name and the password are. */
  login(input: { name: string; password: string }): Promise<SessionTokens>;
  /** A key of the caller's own; `key` is the whole of it, shown this once. */
  createKey(input: NewKeyInput): Promise<{ key: string; view: KeySummary }>;
  revokeKey(input: { id: string }): Promise<Record<string, never>>;
  /** The caller's own, newest first. */
  listKeys(input: { limit?: number; after?: string }): Promise<{
    keys: KeySummary[];
    next?: string;
  }>;
  /** Whose key it is; `valid` alone when it is none, or none any more. */
  validate(input: { key: string }): Promise<KeyValidity>;
}

export interface SessionTokens {
  token: string;
  /** Of the token, ms since the epoch. */
  expiresAtMs: number;
  refreshToken: string;
  sessionExpiresAtMs: number;
  principal: { id: string; name: string; role: string; scopes: string[] };
}

export interface NewKeyInput {
  name: string;
  scopes: string[];
  limits?: Record<string, unknown> | null;
  /** Ms since the epoch; absent or null: never. */
  expiresAtMs?: number | null;
}

export interface KeySummary {
  id: string;
  name: string;
  scopes: string[];
  limits: Record<string, unknown> | null;
  createdAtMs: number;
  expiresAtMs: number | null;
  lastUsedAtMs: number | null;
  previousUntilMs: number | null;
}

export interface KeyValidity {
  valid: boolean;
  principal?: { id: string; name: string; role: string };
  scopes?: string[];
  /** Absent: never. */
  expiresAtMs?: number;
}
