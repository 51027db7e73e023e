import assert from "node:assert/strict";
import { AppError, type ErrorCode } from "../../plugins/runtime/contract/error.ts";
import type { Timers } from "../../plugins/runtime/host/timers.ts";
import { type BrowserStorage, createBrowserStorage } from "./browser_storage.ts";
import { createSession, sessionKey } from "./session.ts";
import { readCode, takeCode } from "./sign_in_code.ts";
import { createTabs } from "./testing_tabs.ts";

const principal = { id: "operator", role: "operator" };
const code = "A".repeat(32);

Deno.test("the code leaves the address before it is used, and nothing else of the address does", () => {
  const take = (hash: string) => {
    const urls: string[] = [];
    const history = {
      state: { at: 1 },
      replaceState: (_: unknown, __: "", url: string) => void urls.push(url),
    };
    const taken = takeCode({ location: { hash, pathname: "/bkg/chats", search: "?a=1" }, history });
    return [taken, urls];
  };
  assert.deepEqual(take(`#code=${code}`), [code, ["/bkg/chats?a=1"]]);
  assert.deepEqual(take(`#code=<script>`), [undefined, ["/bkg/chats?a=1"]]);
  assert.deepEqual(take("#section"), [undefined, []]);
  assert.deepEqual(take(""), [undefined, []]);
});

Deno.test("a code is found in what people paste", () => {
  const pasted = [
    code,
    ` ${code}\n`,
    `http://localhost:43119/#code=${code}`,
    `https://x.org/bkg/#code=${code}  `,
    `#code=${code}`,
    `code=${code}`,
    `Open http://localhost:43119/#code=${code} to sign in`,
  ];
  for (const text of pasted) assert.equal(readCode(text), code, text);
  for (
    const text of ["", " ", "http://localhost:43119/", "two words here", "short", "x".repeat(500)]
  ) {
    assert.equal(readCode(text), undefined, text);
  }
});

Deno.test("signIn keeps the session for every tab and the next visit, and signOut ends it everywhere", async () => {
  const device = openDevice();
  using here = device.openTab();
  using there = device.openTab();
  assert.equal(here.token, undefined);
  await here.signIn(code);
  await settle();
  assert.equal(here.token, "token-1");
  assert.equal(there.token, "token-1");
  assert.deepEqual(there.principal, principal);
  using later = device.openTab();
  assert.equal(later.token, "token-1");
  await there.signOut();
  await settle();
  assert.deepEqual([here.token, there.token, later.token], [undefined, undefined, undefined]);
  assert.equal(there.notice, undefined);
  assert.match(here.notice ?? "", /in another tab/);
  assert.deepEqual(device.asked.at(-1), "POST /auth/logout token-1");
  assert.equal(device.stored(), undefined);
});

Deno.test("expire tells every tab why, and a later visit too", async () => {
  const device = openDevice();
  using here = device.openTab();
  using there = device.openTab();
  await here.signIn(code);
  here.expire("Your session has ended; sign in again");
  await settle();
  assert.equal(there.token, undefined);
  assert.match(there.notice ?? "", /has ended/);
  using later = device.openTab();
  assert.match(later.notice ?? "", /has ended/);
  await later.signIn(code);
  assert.equal(later.notice, undefined);
});

Deno.test("a code that is refused says why; who is signed in stays so", async () => {
  const device = openDevice();
  using session = device.openTab();
  device.answer = () => problem(401, "UNAUTHENTICATED", "This sign-in code is used");
  await rejects(session.signIn(code), "UNAUTHENTICATED");
  assert.match(session.notice ?? "", /is used/);
  assert.equal(session.signingIn, false);
  assert.equal(device.stored(), undefined);
  device.answer = undefined;
  await session.signIn(code);
  device.answer = () => problem(401, "UNAUTHENTICATED", "This sign-in code is used");
  await rejects(session.signIn(code), "UNAUTHENTICATED");
  assert.equal(session.token, "token-1");
  assert.equal(session.notice, undefined);
});

Deno.test("what answers a sign-in without a token is no session", async () => {
  const device = openDevice();
  using session = device.openTab();
  for (const body of ["<h1>proxy</h1>", "{}", "null", '{"token":5}', '{"token":"a\\nb"}']) {
    device.answer = () => new Response(body);
    await rejects(session.signIn(code), "UNAVAILABLE");
    assert.equal(session.token, undefined, body);
  }
  device.answer = () => Promise.reject(new TypeError("Failed to fetch"));
  await rejects(session.signIn(code), "UNAVAILABLE");
  assert.match(session.notice ?? "", /cannot be reached/);
});

Deno.test("a second sign-in ends the first session on the server", async () => {
  const device = openDevice();
  using session = device.openTab();
  await session.signIn(code);
  await session.signIn(code);
  await settle();
  assert.equal(session.token, "token-2");
  assert.ok(device.asked.includes("POST /auth/logout token-1"));
});

Deno.test("a session ends at its time, however long that is, and after a long sleep", async () => {
  const device = openDevice();
  using session = device.openTab();
  device.lifetimeMs = 40 * 24 * 60 * 60_000;
  await session.signIn(code);
  device.pass(39 * 24 * 60 * 60_000);
  assert.equal(session.token, "token-1");
  device.pass(24 * 60 * 60_000);
  assert.equal(session.token, undefined);
  assert.match(session.notice ?? "", /expired/);
  await session.signIn(code);
  // Timers stand still while a laptop sleeps; the next visit sees the clock.
  device.sleep(41 * 24 * 60 * 60_000);
  using later = device.openTab();
  assert.equal(later.token, undefined);
});

Deno.test("verify tells an ended session from a server that is not there", async () => {
  const device = openDevice();
  using session = device.openTab();
  assert.equal(await session.verify(), "ended");
  await session.signIn(code);
  assert.deepEqual(await Promise.all([session.verify(), session.verify()]), ["valid", "valid"]);
  assert.equal(device.asked.filter((line) => line.startsWith("GET /auth/me")).length, 1);
  const away: (() => Response | Promise<Response>)[] = [
    () => Promise.reject(new TypeError("Failed to fetch")),
    () => new Response("<h1>502</h1>", { status: 502 }),
    () => new Response("<h1>sign in to the proxy</h1>", { status: 401 }),
  ];
  for (const answer of away) {
    device.answer = answer;
    assert.equal(await session.verify(), "unreachable");
    assert.equal(session.token, "token-1");
  }
  device.answer = () => problem(401, "UNAUTHENTICATED", "A valid key is needed");
  assert.equal(await session.verify(), "ended");
  assert.equal(session.token, undefined);
});

Deno.test("where storage is blocked or full, a session lasts as long as the page", async () => {
  const blocked = () => {
    throw new DOMException("The operation is insecure", "SecurityError");
  };
  const full = {
    getItem: () => null,
    setItem: () => {
      throw new DOMException("exceeded the quota", "QuotaExceededError");
    },
    removeItem: () => {},
  };
  for (const open of [blocked, () => full]) {
    const device = openDevice(createBrowserStorage({ open, events: new EventTarget() }));
    using session = device.openTab();
    await session.signIn(code);
    assert.equal(session.token, "token-1");
    await session.signOut();
    assert.equal(session.token, undefined);
  }
});

Deno.test("what lies in storage and is no session signs nobody in", () => {
  const bad = [
    "{",
    "null",
    "[]",
    '"token"',
    '{"token":""}',
    '{"token":"a b"}',
    '{"token":"a\\r\\nx: y"}',
    '{"token":"a","expiresAtMs":1}',
  ];
  for (const text of bad) {
    const device = openDevice();
    device.put(text);
    using session = device.openTab();
    assert.equal(session.token, undefined, text);
  }
  const device = openDevice();
  device.put('{"token":"a","principal":{"id":"x","role":"root"},"__proto__":{"notice":"x"}}');
  using session = device.openTab();
  assert.equal(session.token, "a");
  assert.equal(session.principal, undefined);
});

function openDevice(onlyStorage?: BrowserStorage) {
  const tabs = createTabs();
  const own = tabs.open();
  let nowMs = 1_000_000;
  let tokens = 0;
  let timers: { atMs: number; run: () => void }[] = [];
  const moved: Timers = {
    after(delayMs, run) {
      assert.ok(delayMs < 2 ** 31, "a timer that would overflow");
      const timer = { atMs: nowMs + delayMs, run };
      timers.push(timer);
      return () => timers = timers.filter((other) => other !== timer);
    },
    every: () => () => {},
  };
  const device = {
    asked: [] as string[],
    answer: undefined as (() => Response | Promise<Response>) | undefined,
    lifetimeMs: 60_000,
    stored: () => own.get(sessionKey),
    put: (text: string) => own.set(sessionKey, text),
    /** Time goes by, in steps of an hour. */
    pass(ms: number) {
      for (const endMs = nowMs + ms; nowMs < endMs;) {
        nowMs = Math.min(endMs, nowMs + 3_600_000);
        const due = timers.filter(({ atMs }) => atMs <= nowMs);
        timers = timers.filter(({ atMs }) => atMs > nowMs);
        for (const { run } of due) run();
      }
    },
    sleep: (ms: number) => void (nowMs += ms),
    openTab: () =>
      createSession({
        storage: onlyStorage ?? tabs.open(),
        fetch: doFetch,
        baseUrl: "http://bkg.test/",
        now: () => nowMs,
        timers: moved,
      }),
  };
  const doFetch = (async (url: URL, init: RequestInit) => {
    const token = new Headers(init.headers).get("authorization")?.slice(7) ?? "";
    device.asked.push(`${init.method} ${url.pathname} ${token}`.trim());
    if (device.answer !== undefined) return await device.answer();
    if (url.pathname === "/auth/me") return Response.json({ principal });
    if (url.pathname !== "/auth/login") return Response.json({});
    const expiresAtMs = nowMs + device.lifetimeMs;
    return Response.json({ token: `token-${++tokens}`, expiresAtMs, principal });
  }) as typeof fetch;
  return device;
}

function problem(status: number, errorCode: ErrorCode, detail: string): Response {
  return Response.json({ code: errorCode, detail }, { status });
}

/** Storage events and notices are told in microtasks. */
function settle(): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, 0));
}

async function rejects(promise: Promise<unknown>, errorCode: ErrorCode): Promise<void> {
  await assert.rejects(promise, (error) => error instanceof AppError && error.code === errorCode);
}
