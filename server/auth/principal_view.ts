// An identity as its owner is told of it. Callers: sessions, /auth/me.

import type { Identity } from "./authenticator.ts";
import { covers } from "./scopes.ts";
import type { PrincipalView } from "./sign_in.ts";

export function toPrincipalView({ id, name, role, scopes: { lists } }: Identity): PrincipalView {
  const granted = new Set(lists.flat());
  const scopes = [...granted].filter((scope) =>
    lists.every((list) => list.some((entry) => covers(entry, scope)))
  );
  return { id, name, role, scopes };
}
