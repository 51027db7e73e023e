import assert from "node:assert/strict";
import { createHmac } from "node:crypto";
import {
  createLocalJWKSet,
  exportJWK,
  exportSPKI,
  generateKeyPair,
  importJWK,
  jwtVerify,
} from "jose";
import { openTestDatabase } from "../testing/test_database.ts";
import { openTestAccess, TestClock, visitor } from "../testing/test_access.ts";
import { createAccessTokens } from "./access_tokens.ts";
import type { Tokens } from "./sign_in.ts";

const database = await openTestDatabase();
const { db } = database;
Deno.test.afterAll(async () => await database[Symbol.asyncDispose]());

const minuteMs = 60_000;
const dayMs = 24 * 60 * minuteMs;

Deno.test("a token says what it is for, and the published key proves it", async () => {
  await withSession(async ({ tokens, access }) => {
    const jwks = await access.signIn.jwks();
    assert.equal(jwks.keys.length, 1);
    assert.deepEqual(Object.keys(jwks.keys[0]!).sort(), ["alg", "crv", "kid", "kty", "use", "x"]);
    const { payload, protectedHeader } = await jwtVerify(
      tokens.token,
      createLocalJWKSet(jwks as unknown as Parameters<typeof createLocalJWKSet>[0]),
      {
        issuer: "https://example.org/bkg",
        audience: "bkg",
        currentDate: new Date(access.clock.nowMs),
      },
    );
    assert.deepEqual(protectedHeader, { alg: "EdDSA", kid: jwks.keys[0]!["kid"], typ: "JWT" });
    assert.deepEqual(
      Object.keys(payload).sort(),
      ["aud", "exp", "iat", "iss", "jti", "role", "sid", "sub"],
    );
    assert.deepEqual([payload.sub, payload["role"]], ["operator", "admin"]);
    assert.equal(payload.exp! - payload.iat!, 900);
  });
});

Deno.test("forged tokens are refused: alg none, alg confusion, others' keys, claims, expiry", async () => {
  await withSession(async ({ tokens, access }) => {
    const { auth, clock, signIn } = access;
    const [header, payload, signature] = tokens.token.split(".") as [string, string, string];
    const head = decode(header);
    const claims = decode(payload);
    const [jwk] = (await signIn.jwks()).keys;
    const publicKey = await importJWK(jwk as object) as CryptoKey;
    const pem = await exportSPKI(publicKey);
    const raw = new Uint8Array(await crypto.subtle.exportKey("raw", publicKey));
    const own = await generateKeyPair("EdDSA", { crv: "Ed25519", extractable: true });
    const ownJwk = await exportJWK(own.publicKey);
    const sign = async (key: CryptoKey, more: object, headers: object = {}) => {
      const text = `${encode({ ...head, ...headers })}.${encode({ ...claims, ...more })}`;
      const bytes = await crypto.subtle.sign("Ed25519", key, new TextEncoder().encode(text));
      return `${text}.${toBase64(new Uint8Array(bytes))}`;
    };
    const signed = (more: object, headers?: object) => sign(own.privateKey, more, headers);
    const hs256 = (secret: string | Uint8Array, headers: object = {}) => {
      const text = `${encode({ ...head, ...headers, alg: "HS256" })}.${payload}`;
      return `${text}.${createHmac("sha256", secret).update(text).digest("base64url")}`;
    };
    const stored = await db
      .sql`select private_jwk from signing_keys where private_jwk->>'kty' = 'OKP'`;
    const real = await importJWK({
      ...stored[0]!["private_jwk"] as object,
      alg: "EdDSA",
    }) as CryptoKey;
    const byUs = (more: object, headers?: object) => sign(real, more, headers);
    const without = (name: string) => byUs({ [name]: undefined });
    const forged: Record<string, string | Promise<string>> = {
      "alg none": `${encode({ ...head, alg: "none" })}.${payload}.`,
      "alg None": `${encode({ ...head, alg: "None" })}.${payload}.${signature}`,
      "no signature": `${header}.${payload}.`,
      "HS256 with the public key, PEM": hs256(pem),
      "HS256 with the public key, raw": hs256(raw),
      "HS256 with the public key, JWK": hs256(JSON.stringify(jwk)),
      "another's key": signed({}),
      "another's key, named": signed({}, { jwk: ownJwk }),
      "another's key by URL": signed({}, { jku: "https://evil.example/jwks.json" }),
      "another key id": byUs({}, { kid: "other" }),
      "no key id": byUs({}, { kid: undefined }),
      "a path as key id": byUs({}, { kid: "../../dev/null" }),
      "another issuer": byUs({ iss: "https://evil.example" }),
      "another audience": byUs({ aud: "other" }),
      "expired": byUs({ exp: clock.nowMs / 1000 }),
      "not yet": byUs({ nbf: clock.nowMs / 1000 + 60 }),
      "another user": byUs({ sub: "somebody" }),
      "another session": byUs({ sid: "aaaaaaaaaaaa" }),
      "critical header": byUs({}, { crit: ["x"], x: 1 }),
      "tampered claims": `${header}.${encode({ ...claims, role: "god" })}.${signature}`,
      "tampered signature": `${header}.${payload}.${signature.slice(1)}A`,
      ...Object.fromEntries(
        ["iss", "aud", "sub", "sid", "exp", "iat", "jti"].map((
          name,
        ) => [`no ${name}`, without(name)]),
      ),
    };
    for (const [name, making] of Object.entries(forged)) {
      const bearer = await making;
      await assert.rejects(async () => await auth.authenticate(bearer), {
        code: "UNAUTHENTICATED",
      }, name);
    }
    assert.equal((await auth.authenticate(await byUs({}))).id, "operator");
    assert.equal((await auth.authenticate(tokens.token)).id, "operator");
  });
});

Deno.test("a token is refused from its expiry on, although it was seen", async () => {
  await withSession(async ({ tokens, access: { auth, clock } }) => {
    clock.nowMs = tokens.expiresAtMs - 1;
    await auth.authenticate(tokens.token);
    clock.nowMs = tokens.expiresAtMs;
    await assert.rejects(async () => await auth.authenticate(tokens.token), {
      code: "UNAUTHENTICATED",
    });
  });
});

Deno.test("a token of a session that has ended is refused, however good its signature", async () => {
  await withSession(async ({ tokens, access }) => {
    const { auth, clock } = access;
    await db.sql`delete from sessions`;
    await using restarted = await openTestAccess(db, { issuer: "https://example.org/bkg" });
    restarted.clock.nowMs = clock.nowMs;
    await assert.rejects(async () => await restarted.auth.authenticate(tokens.token), {
      code: "UNAUTHENTICATED",
    });
    await auth.authenticate(tokens.token);
  });
});

Deno.test("signing keys are renewed after 30 days; the old ones are believed until their tokens end", async () => {
  await database.reset();
  const clock = new TestClock();
  const tokens = createAccessTokens({ db, now: clock.now });
  const subject = { userId: "operator", sessionId: "s", role: "admin" };
  const first = await tokens.sign(subject);
  clock.nowMs += 30 * dayMs - minuteMs;
  const last = await tokens.sign(subject);
  assert.equal(kidOf(first.token), kidOf(last.token));
  clock.nowMs += minuteMs;
  const renewed = await tokens.sign(subject);
  assert.notEqual(kidOf(renewed.token), kidOf(first.token));
  assert.equal((await tokens.jwks()).keys.length, 2);
  for (const { token } of [last, renewed]) assert.ok(await tokens.verify(token));
  clock.nowMs = last.expiresAtMs;
  assert.equal(await tokens.verify(last.token), undefined);
  clock.nowMs += minuteMs;
  assert.deepEqual((await tokens.jwks()).keys.map(({ kid }) => kid), [kidOf(renewed.token)]);
  // The next renewal deletes what nobody believes.
  clock.nowMs += 31 * dayMs;
  await tokens.sign(subject);
  assert.equal((await db.sql`select id from signing_keys`).length, 2);
});

Deno.test("servers on one database agree on the key, and believe each other's", async () => {
  await database.reset();
  const clock = new TestClock();
  const servers = Array.from({ length: 4 }, () => createAccessTokens({ db, now: clock.now }));
  const subject = { userId: "operator", sessionId: "s", role: "admin" };
  const signed = await Promise.all(servers.map((server) => server.sign(subject)));
  assert.equal(new Set(signed.map(({ token }) => kidOf(token))).size, 1);
  clock.nowMs += 31 * dayMs;
  const { token } = await servers[0]!.sign(subject);
  assert.equal((await servers[1]!.verify(token))?.userId, "operator");
});

interface World {
  access: Awaited<ReturnType<typeof openTestAccess>>;
  tokens: Tokens;
}

async function withSession(run: (world: World) => Promise<void>): Promise<void> {
  await database.reset();
  await using access = await openTestAccess(db, { issuer: "https://example.org/bkg" });
  const { code } = access.signIn.createCode();
  await run({ access, tokens: await access.signIn.withCode(code, visitor) });
}

function decode(part: string): Record<string, unknown> {
  return JSON.parse(
    new TextDecoder().decode(Uint8Array.fromBase64(part, { alphabet: "base64url" })),
  );
}

function encode(value: unknown): string {
  return toBase64(new TextEncoder().encode(JSON.stringify(value)));
}

function toBase64(bytes: Uint8Array): string {
  return bytes.toBase64({ alphabet: "base64url", omitPadding: true });
}

function kidOf(token: string): unknown {
  return decode(token.slice(0, token.indexOf(".")))["kid"];
}
