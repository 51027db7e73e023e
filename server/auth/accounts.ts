// Users and roles: what an admin manages. Callers: /admin routes, `bkg user`, compose.
// Every change holds at once: credentials that it touches are looked up again, and what runs on them ends.

import type { UsageLimits } from "./limits.ts";

export interface UserView {
  id: string;
  name: string;
  role: string;
  /** null: all of the role's. */
  scopes: string[] | null;
  /** null: the role's. */
  limits: UsageLimits | null;
  status: "active" | "invited" | "disabled";
  hasPassword: boolean;
  createdAtMs: number;
  lastSignInAtMs: number | null;
}

export interface UserChange {
  name?: string | undefined;
  role?: string | undefined;
  scopes?: string[] | null | undefined;
  limits?: UsageLimits | null | undefined;
  disabled?: boolean | undefined;
}

/** A link's code, shown once. */
export interface Invitation {
  code: string;
  expiresAtMs: number;
}

export interface RoleView {
  name: string;
  builtin: boolean;
  scopes: string[];
  limits: UsageLimits | null;
  users: number;
}

export interface Page {
  /** 1 to 200; default 50. */
  limit?: number | undefined;
  /** The `next` of the page before. */
  after?: string | undefined;
}

/** The id of the local operator's own account: an admin who cannot be deleted, disabled or lowered. */
export const operatorId = "operator";

/** All throw NOT_FOUND for unknown ids; CONFLICT for a taken name; INVALID_INPUT naming field and limit. */
export interface Accounts {
  /** By name. `query` is a part of the name. */
  list(page: Page & { query?: string | undefined }): Promise<{ users: UserView[]; next?: string }>;
  get(id: string): Promise<UserView>;
  findByName(name: string): Promise<UserView | undefined>;
  /** Without a password the user is invited: `invitation` is valid for 72 hours. */
  create(
    user: {
      name: string;
      role: string;
      scopes?: string[] | null | undefined;
      limits?: UsageLimits | null | undefined;
      password?: string | undefined;
    },
  ): Promise<{ user: UserView; invitation?: Invitation }>;
  /** FORBIDDEN for what must not happen to the operator's account. */
  change(id: string, change: UserChange): Promise<UserView>;
  /** A new link to choose a password with; the old password and sessions end. */
  invite(id: string): Promise<Invitation>;
  /** For `bkg user reset-password` and BKG_ADMIN_PASSWORD; ends the user's sessions. */
  setPassword(id: string, password: string): Promise<void>;
  /** With everything that is theirs: sessions, keys, chats, presets. Usage and audit stay. */
  delete(id: string): Promise<void>;
  roles(): Promise<RoleView[]>;
  /** Makes it or replaces it. FORBIDDEN for "admin"; other built-in ones may be narrowed. */
  putRole(role: { name: string; scopes: string[]; limits: UsageLimits | null }): Promise<RoleView>;
  /** CONFLICT while users have it; FORBIDDEN for a built-in one. */
  deleteRole(name: string): Promise<void>;
}
