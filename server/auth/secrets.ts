// Secrets as they are made, kept and compared: random, as their SHA-256 alone, in constant time.
// Callers: whoever hands out a key, a code or a token.

import { Buffer } from "node:buffer";
import { createHash, randomBytes, timingSafeEqual } from "node:crypto";

/** 256 random bits: 43 characters of base64url. */
export function newSecret(): string {
  return randomBytes(32).toString("base64url");
}

/** What is stored of a secret: SHA-256 of its text, base64url. */
export function hashSecret(secret: string): string {
  return createHash("sha256").update(secret).digest("base64url");
}

/** Whether `secret` is the one that `hash` was made of. */
export function isSecret(secret: string, hash: string): boolean {
  const expected = Buffer.from(hash, "base64url");
  const given = createHash("sha256").update(secret).digest();
  return expected.length === given.length && timingSafeEqual(expected, given);
}
