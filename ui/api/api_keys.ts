// API keys: one's own, and for those who may everyone's.

import type { Api } from "./client.ts";
import { type PageOf, type PageRequest, withQuery } from "./paging.ts";
import type { UsageLimits } from "./users.ts";

export interface KeyView {
  id: string;
  userId: string;
  userName: string;
  name: string;
  scopes: string[];
  limits: UsageLimits | null;
  createdAtMs: number;
  /** null: never. */
  expiresAtMs: number | null;
  lastUsedAtMs: number | null;
  /** Until when the secret before the last rotation is still good. */
  previousUntilMs: number | null;
}

/** The whole key, told this once. */
export interface NewKey {
  key: string;
  view: KeyView;
}

/** Whose keys: one's own, or everyone's. */
export type KeyOwners = "own" | "all";

export async function listKeys(
  api: Api,
  { owners, after, signal }: PageRequest & { owners: KeyOwners },
): Promise<PageOf<KeyView>> {
  const path = withQuery(keysPath(owners), { after });
  const { keys, next } = await api.get<{ keys: KeyView[]; next?: string }>(path, { signal });
  return { items: keys, next };
}

/** A key of one's own. */
export function createKey(
  api: Api,
  key: { name: string; scopes: string[]; limits: UsageLimits | null; expiresAtMs: number | null },
): Promise<NewKey> {
  return api.send("POST", keysPath("own"), { body: key });
}

/** `overlapMs`: how long the old secret stays good. */
export function rotateKey(
  api: Api,
  { owners, id, overlapMs }: { owners: KeyOwners; id: string; overlapMs: number },
): Promise<NewKey> {
  return api.send("POST", `${keyPath(owners, id)}/rotate`, { body: { overlapMs } });
}

export async function revokeKey(
  api: Api,
  { owners, id }: { owners: KeyOwners; id: string },
): Promise<void> {
  await api.send("DELETE", keyPath(owners, id));
}

function keysPath(owners: KeyOwners): string {
  return owners === "own" ? "/api/keys" : "/admin/keys";
}

function keyPath(owners: KeyOwners, id: string): string {
  return `${keysPath(owners)}/${encodeURIComponent(id)}`;
}
