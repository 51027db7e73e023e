// API keys as one identity may use them: a key never may do more than who makes it, nor than its owner.
// Whose keys they are is the caller's to say. Callers: /api/keys, /admin/keys, the `auth` service of plugins.

import { AppError } from "../../plugins/runtime/contract/error.ts";
import type { Accounts } from "./accounts.ts";
import type { ApiKeys } from "./api_keys.ts";
import type { Identity } from "./authenticator.ts";
import { requireRoleOf, requireScopes } from "./guarded_accounts.ts";
import { lackingScope } from "./scope_cover.ts";

/** Throws FORBIDDEN naming the scope, beside what the keys throw. */
export function guardKeys(
  { keys, accounts }: { keys: ApiKeys; accounts: Pick<Accounts, "get" | "roles"> },
  acting: Identity,
): ApiKeys {
  /** A key acts as its owner: only who may do all that the owner's role may, makes one for another. */
  async function requireOwner(userId: string, scopes: readonly string[]): Promise<void> {
    const user = await accounts.get(userId);
    if (userId !== acting.id) await requireRoleOf(accounts, acting, user.role);
    const role = (await accounts.roles()).find(({ name }) => name === user.role);
    const lists = [role?.scopes ?? [], ...(user.scopes === null ? [] : [user.scopes])];
    const lacking = lackingScope({ lists }, scopes);
    if (lacking === undefined) return;
    throw new AppError("FORBIDDEN", `The user "${user.name}" lacks the scope "${lacking}"`, {
      details: { scope: lacking },
    });
  }

  /** Else a key would outlive its expiry, and outgrow its limits, in another. */
  async function requireUnbound(): Promise<void> {
    if (acting.credential.kind !== "key") return;
    const key = await keys.get({ userId: acting.id }, acting.credential.id);
    if (key.expiresAtMs === null && key.limits === null) return;
    throw new AppError(
      "FORBIDDEN",
      "A key that expires or has limits neither makes nor changes other keys",
    );
  }

  return {
    list: (owner, page) => keys.list(owner, page),
    get: (owner, id) => keys.get(owner, id),
    async create(key) {
      requireScopes(acting, key.scopes);
      await requireUnbound();
      await requireOwner(key.userId, key.scopes);
      return await keys.create(key);
    },
    async change(owner, id, change) {
      const { userId, scopes } = await keys.get(owner, id);
      // Those that it has too: who lacks one could not have made this key.
      for (const list of [scopes, change.scopes ?? []]) requireScopes(acting, list);
      await requireUnbound();
      await requireOwner(userId, change.scopes ?? []);
      return await keys.change(owner, id, change);
    },
    async rotate(owner, id, options) {
      const { userId, scopes } = await keys.get(owner, id);
      // Who gets the secret gets all that the key may do.
      requireScopes(acting, scopes);
      const isItself = acting.credential.kind === "key" && acting.credential.id === id;
      if (!isItself) await requireUnbound();
      await requireOwner(userId, []);
      return await keys.rotate(owner, id, options);
    },
    revoke: (owner, id) => keys.revoke(owner, id),
  };
}
