import assert from "node:assert/strict";
import { createHash } from "node:crypto";
import { join } from "node:path";
import type { Timers } from "../../plugins/runtime/host/timers.ts";
import { openTestDatabase } from "../testing/test_database.ts";
import { type Access, openAccess } from "./access.ts";
import { openSessionStore } from "./session_store.ts";

const operatorToken = "bkg_operator_" + "A".repeat(43);
const operator = { id: "operator", role: "operator" } as const;
const posix = Deno.build.os !== "windows";
const dayMs = 24 * 60 * 60_000;

Deno.test("exchange refuses a used, an expired and a wrong code with one message", async () => {
  await inFolder(async (folder) => {
    const world = await open(folder);
    const { signIn, clock } = world;
    const used = signIn.createCode(operator);
    assert.match(used.code, /^[A-Za-z0-9_-]{32}$/);
    assert.equal(used.expiresAtMs, clock.nowMs + 15 * 60_000);
    const both = await Promise.allSettled([signIn.exchange(used.code), signIn.exchange(used.code)]);
    assert.deepEqual(both.map(({ status }) => status), ["fulfilled", "rejected"]);
    const expired = signIn.createCode(operator);
    clock.nowMs = expired.expiresAtMs;
    const messages = new Set<string>();
    for (const code of [used.code, expired.code, "x", "", "é".repeat(500), "__proto__"]) {
      await assert.rejects(signIn.exchange(code), (error: Error & { code: string }) => {
        assert.equal(error.code, "UNAUTHENTICATED");
        messages.add(error.message);
        return true;
      });
    }
    assert.equal(messages.size, 1);
  });
});

Deno.test("exchange answers the eleventh wrong code of a minute with when to come again", async () => {
  await inFolder(async (folder) => {
    const { signIn, clock } = await open(folder);
    const wrong = () => signIn.exchange("wrong");
    for (let count = 0; count < 10; count++) {
      await assert.rejects(wrong(), { code: "UNAUTHENTICATED" });
      clock.nowMs += 1000;
    }
    for (let count = 0; count < 3; count++) {
      await assert.rejects(wrong(), { code: "RATE_LIMITED", details: { retryAfterMs: 50_000 } });
    }
    // Nobody is locked out by a stranger's guesses.
    await signIn.exchange(signIn.createCode(operator).code);
    clock.nowMs += 50_000;
    await assert.rejects(wrong(), { code: "UNAUTHENTICATED" });
    await assert.rejects(wrong(), { code: "RATE_LIMITED" });
  });
});

Deno.test("createCode keeps a hundred codes, the newest", async () => {
  await inFolder(async (folder) => {
    const { signIn } = await open(folder);
    const codes = Array.from({ length: 101 }, () => signIn.createCode(operator).code);
    await assert.rejects(signIn.exchange(codes[0]!), { code: "UNAUTHENTICATED" });
    await signIn.exchange(codes[1]!);
    await signIn.exchange(codes[100]!);
  });
});

Deno.test("authenticate knows the key and sessions, and refuses all else with one message", async () => {
  await inFolder(async (folder) => {
    const { auth, signIn } = await open(folder);
    const { token } = await signIn.exchange(signIn.createCode(operator).code);
    const messages = new Set<string>();
    for (
      const bearer of [
        undefined,
        "",
        "bkg_session_",
        `bkg_session_${"A".repeat(43)}`,
        token + " ",
        token.slice(0, -1),
        token.toUpperCase(),
        operatorToken + "x",
      ]
    ) {
      assert.throws(() => auth.authenticate(bearer), (error: Error & { code: string }) => {
        assert.equal(error.code, "UNAUTHENTICATED");
        messages.add(error.message);
        return true;
      });
    }
    assert.equal(messages.size, 1);
    for (const bearer of [token, operatorToken, token, operatorToken]) {
      assert.deepEqual(auth.authenticate(bearer), operator);
    }
  });
});

Deno.test("a session holds across a restart until it is ended, and only its hash is stored", async () => {
  await inFolder(async (folder) => {
    const first = await open(folder);
    const { token, expiresAtMs } = await first.signIn.exchange(
      first.signIn.createCode(operator).code,
    );
    assert.match(token, /^bkg_session_[A-Za-z0-9_-]{43}$/);
    assert.equal(expiresAtMs, first.clock.nowMs + 30 * dayMs);
    const rows = JSON.stringify(await database.db.sql`select * from sessions`);
    assert.doesNotMatch(rows, new RegExp(token.slice(12)));
    const second = await open(folder);
    assert.deepEqual(second.auth.authenticate(token), operator);
    await second.signIn.signOut(token);
    await second.signIn.signOut(token);
    await second.signIn.signOut("no bearer");
    assert.throws(() => second.auth.authenticate(token), { code: "UNAUTHENTICATED" });
    const third = await open(folder);
    assert.throws(() => third.auth.authenticate(token), { code: "UNAUTHENTICATED" });
    assert.deepEqual(await database.db.sql`select hash from sessions`, []);
  });
});

Deno.test("a session expires at once, proved or not", async () => {
  await inFolder(async (folder) => {
    const { auth, signIn, clock } = await open(folder);
    const { token, expiresAtMs } = await signIn.exchange(signIn.createCode(operator).code);
    clock.nowMs = expiresAtMs - 1;
    auth.authenticate(token);
    clock.nowMs = expiresAtMs;
    assert.throws(() => auth.authenticate(token), { code: "UNAUTHENTICATED" });
    clock.nowMs = expiresAtMs - 1;
    assert.throws(() => auth.authenticate(token), { code: "UNAUTHENTICATED" });
  });
});

Deno.test("watch tells once: at a sign-out, at the expiry, and at once of what is none", async () => {
  await inFolder(async (folder) => {
    const { auth, signIn, clock } = await open(folder);
    const told: string[] = [];
    const session = async () => (await signIn.exchange(signIn.createCode(operator).code)).token;
    const [signedOut, expiring, left] = [await session(), await session(), await session()];
    auth.watch(signedOut, () => told.push("signed out"));
    auth.watch(signedOut, () => told.push("signed out too"));
    auth.watch(expiring, () => told.push("expired"));
    auth.watch(left, () => assert.fail("it was no longer watched"))();
    auth.watch(operatorToken, () => assert.fail("the key does not end"));
    await signIn.signOut(signedOut);
    assert.deepEqual(told, ["signed out", "signed out too"]);
    auth.watch(signedOut, () => told.push("ended before"));
    clock.advance(30 * dayMs - 1);
    assert.deepEqual(told.slice(2), ["ended before"]);
    clock.advance(1);
    assert.deepEqual(told.slice(3), ["expired"]);
    assert.equal(clock.timers.size, 0);
  });
});

Deno.test("the thousand-and-first session ends the oldest", async () => {
  await inFolder(async (folder) => {
    const sessions = Array.from({ length: 1000 }, (_, index) => ({
      hash: String(index).padStart(43, "0"),
      principal: operator,
      createdAtMs: index,
      expiresAtMs: 2e12,
    }));
    await Deno.writeTextFile(join(folder, "sessions.json"), JSON.stringify({ sessions }), {
      mode: 0o600,
    });
    const { signIn } = await open(folder);
    await signIn.exchange(signIn.createCode(operator).code);
    const [row] = await database.db.sql`
      select count(*) as count, min(created_at_ms) as oldest from sessions`;
    assert.deepEqual(row, { count: 1000, oldest: 1 });
    assert.ok((await Deno.stat(join(folder, "sessions.json.imported"))).isFile);
  });
});

Deno.test("a file of sessions that cannot be trusted signs nobody in, and the server starts", async () => {
  await inFolder(async (folder) => {
    const path = join(folder, "sessions.json");
    const token = `bkg_session_${"B".repeat(43)}`;
    const hash = createHash("sha256").update(token).digest("base64url");
    const session = { hash, principal: operator, createdAtMs: 1, expiresAtMs: 2e12 };
    const good = JSON.stringify({ sessions: [session] });
    const start = async (text: string, mode = 0o600) => {
      await database.reset();
      await Deno.remove(path).catch(() => {});
      await Deno.writeTextFile(path, text);
      await Deno.chmod(path, mode);
      return await open(folder);
    };
    const expectEnded = ({ auth, warnings }: Awaited<ReturnType<typeof open>>, reason: RegExp) => {
      assert.throws(() => auth.authenticate(token), { code: "UNAUTHENTICATED" });
      assert.match(warnings.join("\n"), reason);
    };
    const broken = [good.replace('"operator"}', '"god"}'), good.replace('"hash"', '"hush"')];
    for (const text of ["", "{", "[]", ...broken]) expectEnded(await start(text), /is damaged/);
    expectEnded(await start(good + " ".repeat(1024 * 1024)), /more than 1048576 bytes/);
    assert.deepEqual((await start(good)).auth.authenticate(token), operator);
    if (posix) {
      expectEnded(await start(good, 0o620), /could be written by other users \(mode 620\)/);
      const narrowed = await start(good, 0o644);
      assert.deepEqual(narrowed.auth.authenticate(token), operator);
      assert.match(narrowed.warnings.join(), /mode 644.*now 600/);
    }
    await database.reset();
    await Deno.writeTextFile(join(folder, "elsewhere.json"), good);
    await Deno.symlink(join(folder, "elsewhere.json"), path);
    expectEnded(await open(folder), /not a plain file/);
    assert.equal(await Deno.readTextFile(join(folder, "elsewhere.json")), good);
  });
});

Deno.test("a file of sessions is taken over once: who signed out stays out", async () => {
  await inFolder(async (folder) => {
    const path = join(folder, "sessions.json");
    const token = `bkg_session_${"C".repeat(43)}`;
    const hash = createHash("sha256").update(token).digest("base64url");
    const session = { hash, principal: operator, createdAtMs: 1, expiresAtMs: 2e12 };
    await Deno.writeTextFile(path, JSON.stringify({ sessions: [session] }), { mode: 0o600 });
    const first = await open(folder);
    await first.signIn.signOut(token);
    // As after a kill between the two halves of taking it over.
    await Deno.rename(`${path}.imported`, path);
    const second = await open(folder);
    assert.throws(() => second.auth.authenticate(token), { code: "UNAUTHENTICATED" });
  });
});

Deno.test("a session that cannot be stored is none", async () => {
  await inFolder(async (folder) => {
    const gone = await openTestDatabase();
    const { auth, signIn } = await open(folder, gone);
    await gone[Symbol.asyncDispose]();
    const { code } = signIn.createCode(operator);
    await assert.rejects(signIn.exchange(code), { code: "UNAVAILABLE" });
    await assert.rejects(signIn.exchange(code), { code: "UNAUTHENTICATED" });
    assert.deepEqual(auth.authenticate(operatorToken), operator);
  });
});

const database = await openTestDatabase();
Deno.test.afterAll(async () => await database[Symbol.asyncDispose]());

/** Time that a test moves by hand. */
class Clock implements Timers {
  nowMs = 1_000_000_000_000;
  readonly timers = new Map<() => void, number>();

  after(delayMs: number, run: () => void): () => void {
    this.timers.set(run, this.nowMs + delayMs);
    return () => void this.timers.delete(run);
  }

  every(): () => void {
    throw new Error("not used");
  }

  advance(ms: number): void {
    const endMs = this.nowMs + ms;
    while (true) {
      const [next] = [...this.timers].sort(([, a], [, b]) => a - b);
      if (next === undefined || next[1] > endMs) break;
      this.timers.delete(next[0]);
      this.nowMs = next[1];
      next[0]();
    }
    this.nowMs = endMs;
  }
}

async function open(
  dataDir: string,
  { db } = database,
): Promise<Access & { clock: Clock; warnings: string[] }> {
  const clock = new Clock();
  const warnings: string[] = [];
  const access = await openAccess({
    sessionStore: await openSessionStore({
      db,
      oldPath: join(dataDir, "sessions.json"),
      warn: (message) => warnings.push(message),
    }),
    operatorToken,
    now: () => clock.nowMs,
    timers: clock,
  });
  return { ...access, clock, warnings };
}

async function inFolder(run: (folder: string) => Promise<void>): Promise<void> {
  const folder = await Deno.makeTempDir();
  await database.reset();
  try {
    await run(folder);
  } finally {
    await Deno.remove(folder, { recursive: true });
  }
}
