import assert from "node:assert/strict";
import { AppError, type ErrorCode } from "../../plugins/runtime/contract/error.ts";
import type { Timers } from "../../plugins/runtime/host/timers.ts";
import { type BrowserStorage, createBrowserStorage } from "./browser_storage.ts";
import { createRefreshLock, type RefreshLock } from "./refresh_lock.ts";
import { createSession, sessionKey } from "./session.ts";
import { readCode, takeCode } from "./sign_in_code.ts";
import { createTabs } from "./testing_tabs.ts";

const principal = { id: "operator", name: "admin", role: "admin", scopes: ["*"] };
const code = "A".repeat(32);
const minuteMs = 60_000;
const dayMs = 24 * 60 * minuteMs;

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
  assert.deepEqual(take(`#code=${code}`), [{ code }, ["/bkg/chats?a=1"]]);
  assert.deepEqual(take(`#invitation=${code}`), [{ invitation: code }, ["/bkg/chats?a=1"]]);
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
  for (const text of pasted) assert.deepEqual(readCode(text), { code }, text);
  assert.deepEqual(readCode(`https://x.org/bkg/#invitation=${code} `), { invitation: code });
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
  await here.signIn({ code });
  await settle();
  assert.equal(nameOf(here.token), "token-1");
  assert.equal(nameOf(there.token), "token-1");
  assert.deepEqual(there.principal, principal);
  using later = device.openTab();
  assert.equal(nameOf(later.token), "token-1");
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
  await here.signIn({ code });
  here.expire("Your session has ended; sign in again");
  await settle();
  assert.equal(there.token, undefined);
  assert.match(there.notice ?? "", /has ended/);
  using later = device.openTab();
  assert.match(later.notice ?? "", /has ended/);
  await later.signIn({ code });
  assert.equal(later.notice, undefined);
});

Deno.test("a code that is refused says why; who is signed in stays so", async () => {
  const device = openDevice();
  using session = device.openTab();
  device.answer = () => problem(401, "UNAUTHENTICATED", "This sign-in code is used");
  await rejects(session.signIn({ code }), "UNAUTHENTICATED");
  assert.match(session.notice ?? "", /is used/);
  assert.equal(session.signingIn, false);
  assert.equal(device.stored(), undefined);
  device.answer = undefined;
  await session.signIn({ code });
  device.answer = () => problem(401, "UNAUTHENTICATED", "This sign-in code is used");
  await rejects(session.signIn({ code }), "UNAUTHENTICATED");
  assert.equal(nameOf(session.token), "token-1");
  assert.equal(session.notice, undefined);
});

Deno.test("what answers a sign-in without a token is no session", async () => {
  const device = openDevice();
  using session = device.openTab();
  for (
    const body of [
      "<h1>proxy</h1>",
      "{}",
      "null",
      '{"token":5}',
      '{"token":"a"}',
      '{"token":"a\\nb","refreshToken":"b"}',
    ]
  ) {
    device.answer = () => new Response(body);
    await rejects(session.signIn({ code }), "UNAVAILABLE");
    assert.equal(session.token, undefined, body);
  }
  device.answer = () => Promise.reject(new TypeError("Failed to fetch"));
  await rejects(session.signIn({ code }), "UNAVAILABLE");
  assert.match(session.notice ?? "", /cannot be reached/);
});

Deno.test("a second sign-in ends the first session on the server", async () => {
  const device = openDevice();
  using session = device.openTab();
  await session.signIn({ code });
  await session.signIn({ code });
  await settle();
  assert.equal(nameOf(session.token), "token-2");
  assert.ok(device.asked.includes("POST /auth/logout token-1"));
});

Deno.test("tokens are renewed before they expire, by one tab for all, and nobody notices", async () => {
  const device = openDevice();
  const tabs = [device.openTab(), device.openTab(), device.openTab()];
  const [first] = tabs;
  await first!.signIn({ code });
  await settle();
  device.pass(13 * minuteMs);
  await settle();
  assert.equal(device.refreshes, 0);
  device.pass(minuteMs);
  await settle();
  assert.equal(device.refreshes, 1);
  for (const tab of tabs) {
    assert.equal(nameOf(tab.token), "token-2");
    assert.equal(tab.id, "s1");
    assert.equal(tab.notice, undefined);
  }
  // For as long as somebody is here.
  for (let count = 0; count < 100; count++) {
    device.pass(7 * minuteMs);
    await settle();
  }
  assert.equal(device.refreshes, 51);
  for (const tab of tabs) {
    assert.equal(nameOf(tab.token), "token-52");
    tab[Symbol.dispose]();
  }
});

Deno.test("after a long sleep the first use renews, once for all who wait", async () => {
  const device = openDevice();
  using tab = device.openTab();
  await tab.signIn({ code });
  device.sleep(20 * dayMs);
  using later = device.openTab();
  assert.equal(nameOf(later.token), "token-1");
  const bearers = await Promise.all([later.bearer(), later.bearer(), tab.bearer(), tab.bearer()]);
  assert.deepEqual(bearers.map(nameOf), Array(4).fill("token-2"));
  assert.equal(device.refreshes, 1);
});

Deno.test("a refused refresh signs out with a notice, in every tab", async () => {
  const device = openDevice();
  using here = device.openTab();
  using there = device.openTab();
  await here.signIn({ code });
  await settle();
  device.answer = () => problem(401, "UNAUTHENTICATED", "Your session has ended; sign in again");
  assert.equal(await here.refresh(here.token!), "ended");
  await settle();
  for (const tab of [here, there]) {
    assert.equal(tab.token, undefined);
    assert.match(tab.notice ?? "", /has ended/);
  }
});

Deno.test("a server that is away keeps the session, and the next use tries again", async () => {
  const device = openDevice();
  using tab = device.openTab();
  await tab.signIn({ code });
  const away: (() => Response | Promise<Response>)[] = [
    () => Promise.reject(new TypeError("Failed to fetch")),
    () => new Response("<h1>502</h1>", { status: 502 }),
    () => new Response("<h1>sign in to the proxy</h1>", { status: 401 }),
    () => problem(503, "UNAVAILABLE", "The database cannot be reached at the moment"),
    () => problem(429, "RATE_LIMITED", "Too many"),
    () => new Response("<h1>something else</h1>"),
  ];
  device.sleep(20 * minuteMs);
  for (const answer of away) {
    device.answer = answer;
    assert.equal(await tab.refresh(tab.token!), "unreachable");
    assert.equal(nameOf(await tab.bearer()), "token-1");
  }
  device.answer = undefined;
  assert.equal(nameOf(await tab.bearer()), "token-2");
});

Deno.test("a token that another tab has renewed already is taken, whatever the events do", async () => {
  const device = openDevice();
  using tab = device.openTab();
  await tab.signIn({ code });
  const stored = JSON.parse(device.stored()!);
  const first = tab.token!;
  // As written by a tab whose event has not come yet.
  device.putSilently(
    JSON.stringify({ ...stored, token: "token-9", refreshToken: "bkg_refresh_s1_9" }),
  );
  assert.equal(await tab.refresh(first), "renewed");
  assert.equal(nameOf(tab.token), "token-9");
  assert.equal(device.refreshes, 0);
  // Or that comes in while the server refuses the one that was used.
  device.answer = () => {
    device.answer = undefined;
    device.putSilently(
      JSON.stringify({ ...stored, token: "token-10", refreshToken: "bkg_refresh_s1_10" }),
    );
    return problem(401, "UNAUTHENTICATED", "Your session has ended; sign in again");
  };
  assert.equal(await tab.refresh("token-9"), "renewed");
  assert.equal(nameOf(tab.token), "token-10");
  // What was refused for a token that is not in force any more is no reason to renew.
  assert.equal(await tab.refresh(first), "renewed");
  assert.equal(device.refreshes, 1);
});

Deno.test("a clock that is hours wrong neither ends a session nor renews without end", async () => {
  for (const skewMs of [-300 * dayMs, -5 * 60 * minuteMs, 5 * 60 * minuteMs, 300 * dayMs]) {
    const device = openDevice();
    device.skewMs = skewMs;
    using tab = device.openTab();
    await tab.signIn({ code });
    for (let count = 0; count < 10; count++) {
      assert.equal(nameOf(await tab.bearer()), "token-1", `${skewMs}`);
    }
    device.pass(13 * minuteMs);
    await settle();
    assert.equal(device.refreshes, 0);
    device.pass(minuteMs);
    await settle();
    assert.equal(nameOf(tab.token), "token-2");
    // It is set right in the middle: at most one renewal too many.
    device.sleep(-skewMs);
    await tab.bearer();
    await tab.bearer();
    assert.ok(device.refreshes <= 2, `${device.refreshes}`);
    assert.equal(tab.notice, undefined);
  }
});

Deno.test("signing out with an expired token ends the session on the server all the same", async () => {
  const device = openDevice();
  using tab = device.openTab();
  await tab.signIn({ code });
  device.expired.add("token-1");
  await tab.signOut();
  assert.deepEqual(device.asked.slice(-3), [
    "POST /auth/logout token-1",
    "POST /auth/refresh",
    "POST /auth/logout token-2",
  ]);
  assert.equal(device.stored(), undefined);
});

Deno.test("who signs out while tokens are renewed stays out", async () => {
  const device = openDevice();
  using tab = device.openTab();
  await tab.signIn({ code });
  const { promise, resolve } = Promise.withResolvers<Response>();
  device.answer = () => {
    device.answer = undefined;
    return promise;
  };
  const refreshing = tab.refresh(tab.token!);
  await settle();
  await tab.signOut();
  resolve(device.tokens());
  assert.equal(await refreshing, "ended");
  await settle();
  assert.equal(tab.token, undefined);
  assert.equal(device.stored(), undefined);
  assert.equal(device.asked.at(-1), "POST /auth/logout token-2");
});

Deno.test("a name and a password, and an invitation, sign in as a code does", async () => {
  const device = openDevice();
  using tab = device.openTab();
  await tab.signIn({ name: "eve", password: "some words" });
  assert.equal(tab.principal?.name, "admin");
  tab.setInvitation("B".repeat(43));
  assert.equal(tab.invitation, "B".repeat(43));
  device.answer = () => problem(400, "INVALID_INPUT", "too short");
  await rejects(tab.signIn({ invitation: "B".repeat(43), password: "x" }), "INVALID_INPUT");
  assert.equal(tab.invitation, "B".repeat(43));
  device.answer = undefined;
  await tab.signIn({ invitation: "B".repeat(43), password: "some words" });
  assert.equal(tab.invitation, undefined);
  assert.equal(nameOf(tab.token), "token-2");
});

Deno.test("without the browser's locks a mark in storage lets one tab renew, and a lost mark holds nobody", async () => {
  const tabs = createTabs();
  const order: string[] = [];
  const work = (name: string) => async () => {
    order.push(`${name} begins`);
    await new Promise((resolve) => setTimeout(resolve, 30));
    order.push(`${name} ends`);
  };
  const [one, two] = [
    createRefreshLock({ storage: tabs.open(), maxHeldMs: 300 }),
    createRefreshLock({ storage: tabs.open(), maxHeldMs: 300 }),
  ];
  await Promise.all([one(work("one")), two(work("two"))]);
  assert.deepEqual(order, ["one begins", "one ends", "two begins", "two ends"]);
  await assert.rejects(one(() => Promise.reject(new Error("x"))), /x/);
  const gone = tabs.open();
  gone.set("bkg.refresh", `somebody ${Date.now() + 250}`);
  const startedAtMs = performance.now();
  await two(work("two"));
  const tookMs = performance.now() - startedAtMs;
  assert.ok(tookMs > 200 && tookMs < 1000, `${tookMs} ms`);
  gone.set("bkg.refresh", `somebody ${Date.now() + 1e9}`);
  await two(work("two"));
});

Deno.test("verify tells an ended session from a server that is not there", async () => {
  const device = openDevice();
  using session = device.openTab();
  assert.equal(await session.verify(), "ended");
  await session.signIn({ code });
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
    assert.equal(nameOf(session.token), "token-1");
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
    await session.signIn({ code });
    assert.equal(nameOf(session.token), "token-1");
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
    '{"token":"a","refreshToken":"a b"}',
    '{"refreshToken":"a"}',
  ];
  for (const text of bad) {
    const device = openDevice();
    device.put(text);
    using session = device.openTab();
    assert.equal(session.token, undefined, text);
  }
  const device = openDevice();
  device.put('{"token":"a","refreshToken":"b","principal":{"id":"x"},"__proto__":{"notice":"x"}}');
  using session = device.openTab();
  assert.equal(session.token, "a");
  assert.equal(session.principal, undefined);
});

function openDevice(onlyStorage?: BrowserStorage) {
  const tabs = createTabs();
  const own = tabs.open();
  let nowMs = 1_000_000;
  let tokens = 0;
  let sessions = 0;
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
    /** How far this device's clock is ahead of the server's. */
    skewMs: 0,
    refreshes: 0,
    /** Tokens that the server takes no more. */
    expired: new Set<string>(),
    tokens: () => tokensOf(`token-${++tokens}`, `s${sessions}`),
    stored: () => own.get(sessionKey),
    put: (text: string) => own.set(sessionKey, text),
    putSilently: (text: string) => tabs.write(sessionKey, text),
    /** Time goes by, in steps of ten seconds. */
    pass(ms: number) {
      for (const endMs = nowMs + ms; nowMs < endMs;) {
        nowMs = Math.min(endMs, nowMs + 10_000);
        const due = timers.filter(({ atMs }) => atMs <= nowMs);
        timers = timers.filter(({ atMs }) => atMs > nowMs);
        for (const { run } of due) run();
      }
    },
    sleep: (ms: number) => void (nowMs += ms),
    openTab: () =>
      createSession({
        storage: onlyStorage ?? tabs.open(),
        lock,
        fetch: doFetch,
        baseUrl: "http://bkg.test/",
        now: () => nowMs,
        timers: moved,
      }),
  };
  /** As the browser's: one after the other. */
  let turn: Promise<unknown> = Promise.resolve();
  const lock: RefreshLock = <Result>(run: () => Promise<Result>) => {
    const mine = turn.then(run);
    turn = mine.catch(() => {});
    return mine;
  };
  function tokensOf(name: string, sessionId: string): Response {
    const serverMs = Math.floor((nowMs - device.skewMs) / 1000) * 1000;
    const claims = btoa(JSON.stringify({ iat: serverMs / 1000 }));
    return Response.json({
      token: `${name}.${claims.replaceAll("=", "")}.s`,
      expiresAtMs: serverMs + 15 * minuteMs,
      refreshToken: `bkg_refresh_${sessionId}_${name}`,
      sessionExpiresAtMs: serverMs + 30 * dayMs,
      principal,
    });
  }
  const doFetch = (async (url: URL, init: RequestInit) => {
    const token = new Headers(init.headers).get("authorization")?.slice(7).split(".")[0] ?? "";
    device.asked.push(`${init.method} ${url.pathname} ${token}`.trim());
    if (url.pathname === "/auth/refresh") device.refreshes++;
    if (url.pathname === "/auth/login") sessions++;
    if (device.answer !== undefined) return await device.answer();
    if (device.expired.has(token)) return problem(401, "UNAUTHENTICATED", "A valid key is needed");
    if (url.pathname === "/auth/me") return Response.json({ principal });
    return url.pathname === "/auth/logout" ? Response.json({}) : device.tokens();
  }) as typeof fetch;
  return device;
}

function nameOf(token: string | undefined): string | undefined {
  return token?.split(".")[0];
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
