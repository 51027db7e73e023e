// Refresh tokens: `bkg_refresh_<session>_<secret>`, each good for one exchange. Caller: sessions.ts.
// A secret is 128 bits and a MAC over them, so that any that was ever handed out is told from an invented one; the one
// after it is computed from it, so that the same exchange has the same answer, whoever asks again, and when.

import { Buffer } from "node:buffer";
import { createHmac, randomBytes, timingSafeEqual } from "node:crypto";
import { z } from "zod";
import { type Db, json } from "../db/db.ts";
import { hashSecret } from "./secrets.ts";

export interface RefreshToken {
  sessionId: string;
  token: string;
  /** As it is stored. */
  hash: string;
}

export interface RefreshTokens {
  first(sessionId: string): Promise<RefreshToken>;
  next(before: RefreshToken): Promise<RefreshToken>;
  /** Undefined for what was not made here. */
  parse(token: string): Promise<RefreshToken | undefined>;
}

export function createRefreshTokens({ db, now }: { db: Db; now: () => number }): RefreshTokens {
  let key: Promise<Uint8Array> | undefined;

  function readKey(): Promise<Uint8Array> {
    key ??= loadKey(db, now).catch((error) => {
      key = undefined;
      throw error;
    });
    return key;
  }

  async function make(sessionId: string, nonce: Uint8Array): Promise<RefreshToken> {
    const mac = macOf(await readKey(), [`bkg refresh ${sessionId} `, nonce]);
    const secret = Buffer.concat([nonce, mac]).toString("base64url");
    return { sessionId, token: `bkg_refresh_${sessionId}_${secret}`, hash: hashSecret(secret) };
  }

  return {
    first: (sessionId) => make(sessionId, randomBytes(halfBytes)),
    async next({ sessionId, token }) {
      return await make(sessionId, macOf(await readKey(), ["bkg refresh next ", token]));
    },
    async parse(token) {
      const [, sessionId, secret] = shape.exec(token) ?? [];
      if (sessionId === undefined || secret === undefined) return undefined;
      const expected = await make(
        sessionId,
        Buffer.from(secret, "base64url").subarray(0, halfBytes),
      );
      const [given, right] = [Buffer.from(token), Buffer.from(expected.token)];
      return timingSafeEqual(given, right) ? expected : undefined;
    },
  };
}

const halfBytes = 16;
const shape = /^bkg_refresh_([a-z0-9]{12})_([A-Za-z0-9_-]{43})$/;
/** Among the signing keys, and none of them. */
const keyId = "refresh";
const jwkSchema = z.object({ kty: z.literal("oct"), k: z.base64url().length(43) });

/** Made at the first use; of servers that start together on one database, one's. */
async function loadKey(db: Db, now: () => number): Promise<Uint8Array> {
  const made = { kty: "oct", k: randomBytes(32).toString("base64url") };
  await db.sql`
    insert into signing_keys (id, private_jwk, created_at_ms)
    values (${keyId}, ${json(made)}, ${now()}) on conflict do nothing`;
  const [row] = await db.sql`select private_jwk from signing_keys where id = ${keyId}`;
  return Buffer.from(jwkSchema.parse(row?.["private_jwk"]).k, "base64url");
}

function macOf(key: Uint8Array, parts: (string | Uint8Array)[]): Uint8Array {
  const mac = createHmac("sha256", key);
  for (const part of parts) mac.update(part);
  return mac.digest().subarray(0, halfBytes);
}
