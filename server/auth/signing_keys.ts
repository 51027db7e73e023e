// The keys that sign access tokens, in the database. Caller: access_tokens.
// A key that signs no longer is believed until its last token has expired; the next renewal deletes it.

import { randomBytes } from "node:crypto";
import { exportJWK, generateKeyPair, importJWK, type JWK } from "jose";
import { z } from "zod";
import { type Db, json, type Sql } from "../db/db.ts";

export interface SigningKey {
  id: string;
  createdAtMs: number;
  privateKey: CryptoKey;
  publicKey: CryptoKey;
  publicJwk: Record<string, unknown>;
}

export interface SigningKeys {
  /** The one that signs now; made when there is none, or when it is too old. */
  current(): Promise<SigningKey>;
  find(id: string): Promise<SigningKey | undefined>;
  jwks(): Promise<{ keys: Record<string, unknown>[] }>;
}

export interface SigningKeysOptions {
  db: Db;
  now: () => number;
  /** Longest life of what they sign. */
  tokenLifetimeMs: number;
}

export function createSigningKeys({ db, now, tokenLifetimeMs }: SigningKeysOptions): SigningKeys {
  /** Newest first. */
  let keys: readonly SigningKey[] = [];
  let loading: Promise<void> | undefined;
  let loadedAtMs = -Infinity;

  function load(make: boolean): Promise<void> {
    loading ??= db.transaction(async ({ sql }) => {
      const known = await read(sql);
      keys = make && !isFresh(known[0]) ? await renew(sql) : known;
      loadedAtMs = now();
    }).finally(() => loading = undefined);
    return loading;
  }

  async function renew(sql: Sql): Promise<SigningKey[]> {
    // Of servers that start together on one database, one makes the key.
    await sql`lock table signing_keys in exclusive mode`;
    const known = await read(sql);
    if (isFresh(known[0])) return known;
    const made = await makeKey(now());
    await sql`
      insert into signing_keys (id, private_jwk, created_at_ms)
      values (${made.id}, ${json(made.privateJwk)}, ${made.createdAtMs})`;
    const { privateJwk: _, ...key } = made;
    const believed = known.filter((_, index) => {
      const retiredAtMs = known[index - 1]?.createdAtMs ?? made.createdAtMs;
      return retiredAtMs + tokenLifetimeMs > now();
    });
    for (const { id } of known) {
      if (!believed.some((old) => old.id === id)) {
        await sql`delete from signing_keys where id = ${id}`;
      }
    }
    return [key, ...believed];
  }

  function isFresh(key: SigningKey | undefined): boolean {
    return key !== undefined && key.createdAtMs + rotateAfterMs > now();
  }

  function believed(): SigningKey[] {
    return keys.filter((_, index) => {
      const successor = keys[index - 1];
      return successor === undefined || successor.createdAtMs + tokenLifetimeMs > now();
    });
  }

  return {
    async current() {
      if (!isFresh(keys[0])) await load(true);
      return keys[0]!;
    },
    async find(id) {
      const known = () => believed().find((key) => key.id === id);
      // Another server on this database may have made it; who invents ids must not make work.
      if (known() === undefined && loadedAtMs + reloadAfterMs <= now()) await load(false);
      return known();
    },
    async jwks() {
      if (!isFresh(keys[0])) await load(true);
      return { keys: believed().map(({ publicJwk }) => publicJwk) };
    },
  };
}

const rotateAfterMs = 30 * 24 * 60 * 60_000;
const reloadAfterMs = 5000;

const rowSchema = z.object({
  id: z.string(),
  private_jwk: z.looseObject({ kty: z.literal("OKP"), crv: z.literal("Ed25519"), x: z.string() }),
  created_at_ms: z.int(),
});

async function read(sql: Sql): Promise<SigningKey[]> {
  const rows = await sql`
    select id, private_jwk, created_at_ms from signing_keys where private_jwk->>'kty' = 'OKP'
    order by created_at_ms desc, id collate "C"`;
  return await Promise.all(rows.map((row) => {
    const { id, private_jwk, created_at_ms } = rowSchema.parse(row);
    return toKey({ id, privateJwk: private_jwk, createdAtMs: created_at_ms });
  }));
}

async function makeKey(createdAtMs: number): Promise<SigningKey & { privateJwk: JWK }> {
  const { privateKey } = await generateKeyPair("EdDSA", { crv: "Ed25519", extractable: true });
  const privateJwk = await exportJWK(privateKey);
  const id = randomBytes(12).toString("base64url");
  return { ...await toKey({ id, privateJwk, createdAtMs }), privateJwk };
}

async function toKey(
  { id, privateJwk, createdAtMs }: { id: string; privateJwk: JWK; createdAtMs: number },
): Promise<SigningKey> {
  const { kty, crv, x } = privateJwk;
  const publicJwk = { kty: kty!, crv: crv!, x: x!, kid: id, alg: "EdDSA", use: "sig" };
  return {
    id,
    createdAtMs,
    privateKey: await importJWK({ ...privateJwk, alg: "EdDSA" }) as CryptoKey,
    publicKey: await importJWK(publicJwk) as CryptoKey,
    publicJwk,
  };
}
