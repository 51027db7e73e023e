// Single-use codes that a person signs in with. Only their hashes are kept, in memory: a restart ends them.
// 192 random bits cannot be guessed; the limit on wrong ones keeps noise and work away, and locks nobody out.

import { createHash, randomBytes } from "node:crypto";
import { AppError } from "../../plugins/runtime/contract/error.ts";
import type { Principal } from "../../plugins/runtime/host/host.ts";

export interface SignInCodes {
  /** A code for one sign-in as `principal`. */
  create(principal: Principal): { code: string; expiresAtMs: number };
  /**
   * Whose code it is; from now on it is used. Throws UNAUTHENTICATED, the same for wrong, used and expired, or, after
   * too many of them, RATE_LIMITED.
   */
  take(code: string): Principal;
}

export function createSignInCodes({ now = Date.now }: { now?: () => number } = {}): SignInCodes {
  // In the order of their making, which is the order in which they expire.
  const outstanding = new Map<string, { principal: Principal; expiresAtMs: number }>();
  let wrongAtMs: number[] = [];

  /** Counts one more wrong code; what is over the limit is not counted, so that the wait ends. */
  function refuse(): AppError {
    const atMs = now();
    wrongAtMs = wrongAtMs.filter((earlierMs) => earlierMs > atMs - wrongWindowMs);
    const oldestMs = wrongAtMs[0];
    if (oldestMs !== undefined && wrongAtMs.length >= maxWrong) {
      return new AppError("RATE_LIMITED", "Too many wrong sign-in codes; wait a minute", {
        details: { retryAfterMs: oldestMs + wrongWindowMs - atMs },
      });
    }
    wrongAtMs.push(atMs);
    return new AppError(
      "UNAUTHENTICATED",
      'This sign-in code is wrong, used or expired; "bkg login" prints another link',
    );
  }

  return {
    create(principal) {
      const expiresAtMs = now() + codeLifetimeMs;
      const code = randomBytes(24).toString("base64url");
      outstanding.set(hashOf(code), { principal, expiresAtMs });
      const [oldest] = outstanding.keys();
      if (outstanding.size > maxOutstanding && oldest !== undefined) outstanding.delete(oldest);
      return { code, expiresAtMs };
    },
    take(code) {
      // One hash and one look-up, whatever is wrong with it.
      const hash = hashOf(code);
      const found = outstanding.get(hash);
      outstanding.delete(hash);
      if (found === undefined || found.expiresAtMs <= now()) throw refuse();
      return found.principal;
    },
  };
}

const codeLifetimeMs = 15 * 60_000;
const maxOutstanding = 100;
const maxWrong = 10;
const wrongWindowMs = 60_000;

function hashOf(code: string): string {
  return createHash("sha256").update(code).digest("base64url");
}
