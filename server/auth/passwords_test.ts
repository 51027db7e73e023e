import assert from "node:assert/strict";
import { buildBundles } from "../build/bundles.ts";
import { requireGoodPassword } from "./password_rules.ts";
import { createPasswords, type PasswordsOptions } from "./passwords.ts";

const { folder: bundles } = await buildBundles({ log: console.error });
const cheap = { memoryKib: 64, passes: 1 };

Deno.test("hash makes a PHC string of argon2id, and verify knows its password alone", async () => {
  using passwords = open();
  const hash = await passwords.hash("a horse with a battery");
  assert.match(hash, /^\$argon2id\$v=19\$m=19456,t=2,p=1\$[A-Za-z0-9+/]{22}\$[A-Za-z0-9+/]{43}$/);
  assert.notEqual(hash, await passwords.hash("a horse with a battery"));
  assert.equal(await passwords.verify("a horse with a battery", hash), true);
  for (const wrong of ["a horse with a batterx", "A horse with a battery", " ", hash]) {
    assert.equal(await passwords.verify(wrong, hash), false, wrong);
  }
  assert.equal(await passwords.verify("a horse with a battery", null), false);
});

Deno.test("the same characters in another composition are the same password", async () => {
  using passwords = open({ cost: cheap });
  const hash = await passwords.hash("Zoe\u0308 und Ⅳ Äpfel");
  assert.equal(await passwords.verify("Zo\u00eb und IV A\u0308pfel", hash), true);
});

Deno.test("isWeak tells hashes of less than today's parameters", async () => {
  using old = open({ cost: cheap });
  using today = open({ cost: { memoryKib: 128, passes: 1 } });
  const hash = await old.hash("a horse with a battery");
  assert.deepEqual([old.isWeak(hash), today.isWeak(hash), today.isWeak("$2b$10$x")], [
    false,
    true,
    true,
  ]);
  // Its own parameters are in it.
  assert.equal(await today.verify("a horse with a battery", hash), true);
});

Deno.test("more passwords than can wait are refused; the others are all answered", async () => {
  using passwords = open({ cost: { memoryKib: 1024, passes: 1 } });
  const asked = await Promise.allSettled(
    Array.from({ length: 50 }, () => passwords.hash("a horse with a battery")),
  );
  const refused = asked.filter(({ status }) => status === "rejected");
  assert.equal(refused.length, 50 - 2 - 32);
  for (const { reason } of refused as PromiseRejectedResult[]) {
    assert.equal(reason.code, "QUEUE_FULL");
    assert.ok(reason.details.retryAfterMs > 0);
  }
  await passwords.hash("a horse with a battery");
});

Deno.test("this thread goes on while a password is computed", async () => {
  using passwords = open();
  await passwords.hash("a horse with a battery");
  let longestMs = 0;
  let lastMs = performance.now();
  const ticking = setInterval(() => {
    longestMs = Math.max(longestMs, performance.now() - lastMs);
    lastMs = performance.now();
  }, 1);
  await Promise.all(Array.from({ length: 4 }, () => passwords.hash("a horse with a battery")));
  clearInterval(ticking);
  // One hash on this thread would be 60 ms and more at a stretch, four 240.
  console.log(`longest pause while four are computed: ${longestMs.toFixed(1)} ms`);
  assert.ok(longestMs < 150, `${longestMs} ms`);
});

Deno.test("a Worker without work is ended, and another one started when there is some", async () => {
  const delays: number[] = [];
  let elapse = () => {};
  using passwords = open({
    cost: cheap,
    idleMs: 1234,
    timers: {
      after: (delayMs, run) => {
        delays.push(delayMs);
        elapse = run;
        return () => {};
      },
      every: () => assert.fail("not used"),
    },
  });
  const hash = await passwords.hash("a horse with a battery");
  assert.deepEqual(delays, [1234]);
  elapse();
  assert.equal(await passwords.verify("a horse with a battery", hash), true);
});

Deno.test("what waits when the server ends is answered", async () => {
  const passwords = open();
  const waiting = Array.from({ length: 5 }, () => passwords.hash("a horse with a battery"));
  passwords[Symbol.dispose]();
  for (const asked of await Promise.allSettled(waiting)) {
    assert.equal(asked.status, "rejected");
    assert.equal((asked as PromiseRejectedResult).reason.code, "UNAVAILABLE");
  }
  await assert.rejects(passwords.hash("x"), { code: "UNAVAILABLE" });
});

Deno.test("requireGoodPassword refuses short, endless and common ones, and the name", () => {
  const bad = [
    ...["", "short", "123456789", "x".repeat(201), "🐎".repeat(9), "password123", "PassWord123"],
    ...["1234567890", "qwertyuiop", "aaaaaaaaaa", "eve@example.org", "EVE@example.org"],
  ];
  for (const password of bad) {
    assert.throws(() => requireGoodPassword(password, { name: "eve@example.org" }), {
      code: "INVALID_INPUT",
      message: /^"password" /,
      details: { field: "password", minLength: 10, maxLength: 200 },
    }, password);
  }
  const good = ["a horse with a battery", "🐎".repeat(5) + "🔋".repeat(5), "x".repeat(199) + "y"];
  for (const password of [...good, "eve@example.org1", "ab".repeat(5)]) {
    requireGoodPassword(password, { name: "eve@example.org" });
  }
});

function open(options: Partial<PasswordsOptions> = {}) {
  return createPasswords({ bundles, ...options });
}
