// API keys: `bkg_<id>_<secret>`, of a user, with scopes that narrow the user's. Callers: /api/keys, /admin/keys,
// the `auth` service of plugins, `bkg key`.

import type { Page } from "./accounts.ts";
import type { UsageLimits } from "./limits.ts";

export interface KeyView {
  id: string;
  userId: string;
  /** Of the user. */
  userName: string;
  name: string;
  scopes: string[];
  limits: UsageLimits | null;
  createdAtMs: number;
  expiresAtMs: number | null;
  /** To the minute. */
  lastUsedAtMs: number | null;
  /** Until when the secret before the last rotation is still good. */
  previousUntilMs: number | null;
}

/** The whole key, shown this once. */
export interface NewKey {
  key: string;
  view: KeyView;
}

/** `userId` undefined: of anyone. Another's key is NOT_FOUND. */
export interface KeyOwner {
  userId: string | undefined;
}

export interface ApiKeys {
  /** Newest first. */
  list(owner: KeyOwner, page: Page): Promise<{ keys: KeyView[]; next?: string }>;
  get(owner: KeyOwner, id: string): Promise<KeyView>;
  /** At most 100 of a user: CONFLICT. What its maker lacks is FORBIDDEN: see guarded_keys. */
  create(
    key: {
      userId: string;
      name: string;
      scopes: string[];
      limits?: UsageLimits | null | undefined;
      expiresAtMs?: number | null | undefined;
    },
  ): Promise<NewKey>;
  change(
    owner: KeyOwner,
    id: string,
    change: {
      name?: string | undefined;
      scopes?: string[] | undefined;
      limits?: UsageLimits | null | undefined;
    },
  ): Promise<KeyView>;
  /** A new secret; the old one is good for `overlapMs` more (0 to 7 days; default 24 h). */
  rotate(owner: KeyOwner, id: string, options: { overlapMs?: number | undefined }): Promise<NewKey>;
  /** Holds at once: the next call is 401, streams and sockets end. */
  revoke(owner: KeyOwner, id: string): Promise<void>;
}
