// Users and roles: what an admin manages at /users.

import type { Api } from "./client.ts";
import { type PageOf, type PageRequest, withQuery } from "./paging.ts";

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

export interface RoleView {
  name: string;
  builtin: boolean;
  scopes: string[];
  limits: UsageLimits | null;
  users: number;
}

export interface RequestLimit {
  requestsPerMinute: number;
}

export interface UsageLimits {
  requestsPerMinute?: number;
  /** By id. */
  plugins?: Record<string, RequestLimit>;
  capabilities?: Record<string, RequestLimit>;
  tokensPerDay?: number;
  tokensPerMonth?: number;
}

/** A link by which a user chooses a password; shown once. */
export interface Invitation {
  url: string;
  expiresAtMs: number;
}

export interface NewUser {
  name: string;
  role: string;
  scopes: string[] | null;
  limits: UsageLimits | null;
}

export type UserChange = Partial<NewUser & { disabled: boolean }>;

/** The id of the local operator's own account, which stays as it is. */
export const operatorId = "operator";

export async function listUsers(
  api: Api,
  { query, after, signal }: PageRequest & { query: string },
): Promise<PageOf<UserView>> {
  const path = withQuery("/admin/users", { query, after });
  const { users, next } = await api.get<{ users: UserView[]; next?: string }>(path, { signal });
  return { items: users, next };
}

export function getUser(api: Api, id: string): Promise<UserView> {
  return api.get(userPath(id));
}

export function createUser(
  api: Api,
  user: NewUser,
): Promise<{ user: UserView; invitation?: Invitation }> {
  return api.send("POST", "/admin/users", { body: user });
}

export function changeUser(api: Api, id: string, change: UserChange): Promise<UserView> {
  return api.send("PATCH", userPath(id), { body: change });
}

/** The old password and sessions end. */
export function inviteUser(api: Api, id: string): Promise<Invitation> {
  return api.send("POST", `${userPath(id)}/invite`);
}

export async function deleteUser(api: Api, id: string): Promise<void> {
  await api.send("DELETE", userPath(id));
}

export async function listRoles(api: Api, signal?: AbortSignal): Promise<RoleView[]> {
  const { roles } = await api.get<{ roles: RoleView[] }>("/admin/roles", signal && { signal });
  return roles;
}

/** Makes it or replaces it. */
export function putRole(
  api: Api,
  { name, scopes, limits }: Pick<RoleView, "name" | "scopes" | "limits">,
): Promise<RoleView> {
  return api.send("PUT", rolePath(name), { body: { scopes, limits } });
}

export async function deleteRole(api: Api, name: string): Promise<void> {
  await api.send("DELETE", rolePath(name));
}

function userPath(id: string): string {
  return `/admin/users/${encodeURIComponent(id)}`;
}

function rolePath(name: string): string {
  return `/admin/roles/${encodeURIComponent(name)}`;
}
