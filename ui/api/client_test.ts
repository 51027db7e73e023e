import assert from "node:assert/strict";
import { AppError, type ErrorCode } from "../../plugins/runtime/contract/error.ts";
import { createApi } from "./client.ts";

Deno.test("a call that meets an expired token is sent once more with a new one, with its body", async () => {
  const page = openPage(async (request) => {
    if (request.headers.get("authorization") !== "Bearer new") return refusal();
    return Response.json({ got: await request.json() });
  });
  page.session.renewed = "new";
  const answer = await page.api.send("POST", "/api/x", { body: { some: "text" } });
  assert.deepEqual(answer, { got: { some: "text" } });
  assert.equal(page.requests.length, 2);
  assert.deepEqual(page.ended, []);
  const stream = openPage((request) =>
    request.headers.get("authorization") === "Bearer new"
      ? events(["event: result\ndata: 3\n\n"])
      : refusal()
  );
  stream.session.renewed = "new";
  assert.deepEqual(await stream.api.stream("a.b", {}, {}).next(), { done: true, value: 3 });
});

Deno.test("a call whose session is over throws, and is not sent again and again", async () => {
  const over = openPage(() => refusal());
  await rejects(over.api.get("/api/plugins"), "UNAUTHENTICATED", /valid key/);
  assert.equal(over.requests.length, 1);
  const refused = openPage(() => refusal());
  refused.session.renewed = "new";
  await rejects(refused.api.get("/api/plugins"), "UNAUTHENTICATED", /valid key/);
  assert.equal(refused.requests.length, 2);
  assert.equal(refused.ended.length, 1);
  const away = openPage(() => refusal());
  away.session.renewed = "unreachable";
  await rejects(away.api.get("/api/plugins"), "UNAVAILABLE", /cannot be reached/);
  assert.deepEqual(away.ended, []);
});

Deno.test("a proxy's own answers are told as such and end no session", async () => {
  const answers: [() => Response, RegExp][] = [
    [() => html(200), /Something else than bkg answered/],
    [() => html(502), /proxy before the server answered with status 502/],
    [() => html(401), /proxy before the server answered with status 401/],
    [() => new Response(null, { status: 302, headers: { location: "/login" } }), /sign in there/],
    [() => Response.json({ message: "no" }, { status: 401 }), /status 401/],
    [() => new Response("{", { headers: { "content-type": "application/json" } }), /in pieces/],
  ];
  for (const [answer, message] of answers) {
    const page = openPage(answer);
    await rejects(page.api.get("/api/plugins"), "UNAVAILABLE", message);
    assert.deepEqual(page.ended, []);
  }
  const stream = openPage(() => html(200)).api.stream("a.b", {}, {});
  await rejects(stream.next(), "UNAVAILABLE", /Something else than bkg/);
});

Deno.test("the server's error comes with its code, details and whether to try again", async () => {
  const page = openPage(() =>
    Response.json({ code: "QUEUE_FULL", detail: "Too much", retryable: true, details: { at: 1 } }, {
      status: 503,
      headers: { "content-type": "application/problem+json; charset=utf-8" },
    })
  );
  const error = await rejects(
    page.api.send("POST", "/api/x", { body: {} }),
    "QUEUE_FULL",
    /Too much/,
  );
  assert.equal(error.retryable, true);
  assert.deepEqual(error.details, { at: 1 });
});

Deno.test("a server that is gone, slow or left has each its error", async () => {
  const gone = openPage(() => Promise.reject(new TypeError("Failed to fetch")));
  await rejects(gone.api.get("/api/plugins"), "UNAVAILABLE", /cannot be reached/);
  const slow = openPage((request) => never(request.signal), { timeoutMs: 50 });
  await rejects(slow.api.get("/api/plugins"), "TIMEOUT");
  const left = new AbortController();
  const leaving = rejects(slow.api.send("POST", "/x", { signal: left.signal }), "CANCELLED");
  left.abort();
  await leaving;
});

Deno.test("paths stay below the page's address, so that the token goes nowhere else", async () => {
  const page = openPage((request) => Response.json({ url: request.url }));
  const urlOf = async (path: string) => (await page.api.get<{ url: string }>(path)).url;
  assert.equal(await urlOf("/api/plugins"), "http://bkg.test/prefix/api/plugins");
  assert.equal(await urlOf("api/plugins?a=1"), "http://bkg.test/prefix/api/plugins?a=1");
  assert.equal(await urlOf("//evil.test/x"), "http://bkg.test/prefix/evil.test/x");
  assert.equal(await urlOf("http://evil.test/x"), "http://bkg.test/prefix/http://evil.test/x");
  assert.equal(await urlOf("\\\\evil.test/x"), "http://bkg.test/prefix///evil.test/x");
  await rejects(page.api.get("/../auth/me"), "INVALID_INPUT");
  await rejects(page.api.get("/api/%2e%2e/%2e%2e/x"), "INVALID_INPUT");
});

Deno.test("a stream gives its items, then its result", async () => {
  const page = openPage(() =>
    events(['data: {"i":1}\n\n: ping\n\ndata: {"i"', ":2}\n", "\nevent: ", "result\ndata: 3\n\n"])
  );
  const seen: unknown[] = [];
  const stream = page.api.stream("demo.count", { to: 2 }, {});
  let next = await stream.next();
  for (; !next.done; next = await stream.next()) seen.push(next.value);
  assert.deepEqual([seen, next.value], [[{ i: 1 }, { i: 2 }], 3]);
  const [request] = page.requests;
  assert.equal(request?.url, "http://bkg.test/prefix/api/capabilities/demo.count");
  assert.equal(request?.headers.get("accept"), "text/event-stream");
  assert.equal(request?.headers.get("authorization"), "Bearer good");
});

Deno.test("a stream that fails, breaks off or is cut throws after its items", async () => {
  const cases: [() => Response, ErrorCode, RegExp][] = [
    [
      () => events(["data: 1\n\n", 'event: error\ndata: {"code":"CELL_LOST","detail":"Gone"}\n\n']),
      "CELL_LOST",
      /Gone/,
    ],
    [() => events(["data: 1\n\n"]), "UNAVAILABLE", /before the answer was complete/],
    [() => events(["data: 1\n\n", new TypeError("reset")]), "UNAVAILABLE", /connection .* lost/],
    [() => events(["data: 1\n\n", "data: {\n\n"]), "UNAVAILABLE", /not be read/],
    [() => events(["data: 1\n\n", "event: error\ndata: null\n\n"]), "INTERNAL", /without a reason/],
  ];
  for (const [answer, code, message] of cases) {
    const stream = openPage(answer).api.stream("a.b", {}, {});
    assert.deepEqual(await stream.next(), { done: false, value: 1 });
    await rejects(stream.next(), code, message);
  }
  const ended = openPage(() =>
    events(['event: error\ndata: {"code":"UNAUTHENTICATED","detail":"The session has ended"}\n\n'])
  );
  // Its session may live on with other rights: that is for the server to say.
  await rejects(ended.api.stream("a.b", {}, {}).next(), "UNAUTHENTICATED");
  assert.deepEqual([ended.session.verified, ended.ended], [1, []]);
});

Deno.test("leaving a stream, by return or by signal, ends the request", async () => {
  const page = openPage((request) => events(["data: 1\n\n", never(request.signal)]));
  for await (const item of page.api.stream("a.b", {}, {})) {
    assert.equal(item, 1);
    break;
  }
  assert.equal(page.requests[0]?.signal.aborted, true);

  const left = new AbortController();
  const stream = page.api.stream("a.b", {}, { signal: left.signal });
  await stream.next();
  const leaving = rejects(stream.next(), "CANCELLED");
  left.abort();
  await leaving;
  assert.equal(page.requests[1]?.signal.aborted, true);
});

function openPage(
  answer: (request: Request) => Response | Promise<Response>,
  options: { timeoutMs?: number } = {},
) {
  const requests: Request[] = [];
  const ended: string[] = [];
  const session = {
    token: "good",
    /** What a refresh brings: a token, no session any more, or nobody who answers. */
    renewed: undefined as string | "unreachable" | undefined,
    verified: 0,
    bearer: () => Promise.resolve(session.token),
    refresh(token: string) {
      assert.equal(token, session.token);
      if (session.renewed === undefined) return Promise.resolve("ended" as const);
      if (session.renewed === "unreachable") return Promise.resolve("unreachable" as const);
      session.token = session.renewed;
      return Promise.resolve("renewed" as const);
    },
    verify() {
      session.verified++;
      return Promise.resolve("valid" as const);
    },
    expire: (notice: string) => void ended.push(notice),
  };
  const doFetch = (async (url: URL, init: RequestInit) => {
    const request = new Request(url, init);
    requests.push(request);
    return await answer(request);
  }) as typeof fetch;
  const baseUrl = "http://bkg.test/prefix/chats";
  return {
    api: createApi({ session, fetch: doFetch, baseUrl, ...options }),
    session,
    requests,
    ended,
  };
}

function problem(status: number, code: ErrorCode, detail: string): Response {
  return Response.json({ code, detail, status }, { status });
}

function refusal(): Response {
  return problem(401, "UNAUTHENTICATED", "A valid key is needed");
}

function html(status: number): Response {
  return new Response("<h1>nginx</h1>", { status, headers: { "content-type": "text/html" } });
}

function events(pieces: (string | Error | Promise<never>)[]): Response {
  const encoder = new TextEncoder();
  const rest = [...pieces];
  const body = new ReadableStream<Uint8Array>({
    async pull(controller) {
      const piece = rest.shift();
      if (piece === undefined) controller.close();
      else if (typeof piece === "string") controller.enqueue(encoder.encode(piece));
      else if (piece instanceof Error) controller.error(piece);
      else await piece;
    },
  }, { highWaterMark: 0 });
  return new Response(body, { headers: { "content-type": "text/event-stream" } });
}

/** Settles when the request is aborted, as a real one does. */
function never(signal: AbortSignal): Promise<never> {
  const { promise, reject } = Promise.withResolvers<never>();
  signal.addEventListener("abort", () => reject(signal.reason), { once: true });
  promise.catch(() => {});
  return promise;
}

async function rejects(
  promise: Promise<unknown>,
  code: ErrorCode,
  message = /./,
): Promise<AppError> {
  try {
    await promise;
  } catch (error) {
    assert.ok(error instanceof AppError, String(error));
    assert.equal(error.code, code, error.message);
    assert.match(error.message, message);
    return error;
  }
  throw new Error("it did not reject");
}
