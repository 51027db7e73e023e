// Access tokens: short-lived JWTs (RFC 7519), signed with Ed25519 (RFC 8037) by keys that are renewed every 30 days.
// Callers: sign_in (signs), bearer_look_up (verifies). A token alone proves nothing: its session must still be there.

import { randomBytes } from "node:crypto";
import { jwtVerify, SignJWT } from "jose";
import type { Db } from "../db/db.ts";
import { createSigningKeys } from "./signing_keys.ts";

export interface AccessTokens {
  sign(subject: { userId: string; sessionId: string; role: string }): Promise<SignedToken>;
  /** Undefined for what this server did not sign, or not for this, or too long ago. */
  verify(token: string): Promise<AccessClaims | undefined>;
  /** Public halves, RFC 7517. */
  jwks(): Promise<{ keys: Record<string, unknown>[] }>;
}

export interface SignedToken {
  token: string;
  expiresAtMs: number;
}

export interface AccessClaims {
  userId: string;
  sessionId: string;
  expiresAtMs: number;
}

export interface AccessTokensOptions {
  db: Db;
  /** The public URL; default "bkg". */
  issuer?: string | undefined;
  now?: () => number;
}

export function createAccessTokens(options: AccessTokensOptions): AccessTokens {
  const { db, issuer = "bkg", now = Date.now } = options;
  const keys = createSigningKeys({ db, now, tokenLifetimeMs: lifetimeMs });
  return {
    async sign({ userId, sessionId, role }) {
      const { id, privateKey } = await keys.current();
      const issuedAt = Math.floor(now() / 1000);
      const expiresAt = issuedAt + lifetimeMs / 1000;
      const token = await new SignJWT({ sid: sessionId, role })
        .setProtectedHeader({ alg: algorithm, kid: id, typ: "JWT" })
        .setIssuer(issuer).setAudience(audience).setSubject(userId)
        .setJti(randomBytes(12).toString("base64url"))
        .setIssuedAt(issuedAt).setExpirationTime(expiresAt)
        .sign(privateKey);
      return { token, expiresAtMs: expiresAt * 1000 };
    },
    async verify(token) {
      const kid = keyIdOf(token);
      const key = kid === undefined ? undefined : await keys.find(kid);
      if (key === undefined) return undefined;
      try {
        const { payload } = await jwtVerify(token, key.publicKey, {
          // The key's own algorithm, whatever the token says of itself (RFC 8725 3.1).
          algorithms: [algorithm],
          issuer,
          audience,
          requiredClaims: ["sub", "sid", "exp", "iat", "jti"],
          currentDate: new Date(now()),
        });
        const { sub, sid, exp } = payload;
        if (typeof sub !== "string" || typeof sid !== "string" || exp === undefined) {
          return undefined;
        }
        return { userId: sub, sessionId: sid, expiresAtMs: exp * 1000 };
      } catch {
        return undefined;
      }
    },
    jwks: () => keys.jwks(),
  };
}

const algorithm = "EdDSA";
const audience = "bkg";
const lifetimeMs = 15 * 60_000;

/** Of a token that is not proved yet. */
function keyIdOf(token: string): string | undefined {
  try {
    const header: unknown = JSON.parse(
      new TextDecoder().decode(Uint8Array.fromBase64(token.slice(0, token.indexOf(".")), {
        alphabet: "base64url",
      })),
    );
    const kid = (header as { kid?: unknown } | null)?.kid;
    return typeof kid === "string" ? kid : undefined;
  } catch {
    return undefined;
  }
}
