// Accounts as one identity may use them: nobody gives a role or scopes that he lacks, nor touches an account that may
// do more than he. Limits are free: who manages users decides on them. Callers: /admin routes, guarded_keys.

import type { Accounts, UserView } from "./accounts.ts";
import type { Identity } from "./authenticator.ts";
import { lackingScope } from "./scope_cover.ts";
import { forbidden, type Scope } from "./scopes.ts";

/** Throws FORBIDDEN naming the scope, beside what the accounts throw. */
export function guardAccounts(accounts: Accounts, acting: Identity): Accounts {
  const requireRole = (role: string) => requireRoleOf(accounts, acting, role);

  async function requireUser(id: string): Promise<UserView> {
    const user = await accounts.get(id);
    await requireRole(user.role);
    return user;
  }

  return {
    list: (page) => accounts.list(page),
    get: (id) => accounts.get(id),
    findByName: (name) => accounts.findByName(name),
    roles: () => accounts.roles(),
    async create(user) {
      await requireRole(user.role);
      requireScopes(acting, user.scopes ?? []);
      return await accounts.create(user);
    },
    async change(id, change) {
      await requireUser(id);
      if (change.role !== undefined) await requireRole(change.role);
      requireScopes(acting, change.scopes ?? []);
      return await accounts.change(id, change);
    },
    async invite(id) {
      await requireUser(id);
      return await accounts.invite(id);
    },
    async setPassword(id, password) {
      await requireUser(id);
      await accounts.setPassword(id, password);
    },
    async delete(id) {
      await requireUser(id);
      await accounts.delete(id);
    },
    async putRole(role) {
      await requireRole(role.name);
      requireScopes(acting, role.scopes);
      return await accounts.putRole(role);
    },
    async deleteRole(name) {
      await requireRole(name);
      await accounts.deleteRole(name);
    },
  };
}

/** Throws FORBIDDEN naming the first scope that `acting` lacks. */
export function requireScopes(acting: Identity, scopes: readonly string[]): void {
  const lacking = lackingScope(acting.scopes, scopes);
  if (lacking !== undefined) throw forbidden(lacking as Scope);
}

/** An unknown role is left to what would use it. */
export async function requireRoleOf(
  accounts: Pick<Accounts, "roles">,
  acting: Identity,
  name: string,
): Promise<void> {
  const role = (await accounts.roles()).find((role) => role.name === name);
  requireScopes(acting, role?.scopes ?? []);
}
