// Single-use codes that sign in as the local operator. Only their hashes are kept, in memory: a restart ends them.

import { randomBytes } from "node:crypto";
import { hashSecret } from "./secrets.ts";

export interface SignInCodes {
  create(): { code: string; expiresAtMs: number };
  /** Whether it is one; from now on it is used. */
  take(code: string): boolean;
}

export function createSignInCodes({ now }: { now: () => number }): SignInCodes {
  // In the order of their making, which is the order in which they expire.
  const outstanding = new Map<string, number>();
  return {
    create() {
      const expiresAtMs = now() + codeLifetimeMs;
      const code = randomBytes(24).toString("base64url");
      outstanding.set(hashSecret(code), expiresAtMs);
      const [oldest] = outstanding.keys();
      if (outstanding.size > maxOutstanding && oldest !== undefined) outstanding.delete(oldest);
      return { code, expiresAtMs };
    },
    take(code) {
      // One hash and one look-up, whatever is wrong with it.
      const hash = hashSecret(code);
      const expiresAtMs = outstanding.get(hash);
      outstanding.delete(hash);
      return expiresAtMs !== undefined && expiresAtMs > now();
    },
  };
}

const codeLifetimeMs = 15 * 60_000;
const maxOutstanding = 100;
