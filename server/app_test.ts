import assert from "node:assert/strict";
import { serveHttp } from "./serve.ts";
import { ask, createTestApp as setUp, token, until } from "./testing/test_app.ts";

const key = { authorization: `Bearer ${token}` };
const json = { ...key, "content-type": "application/json" };
const events = { ...json, accept: "text/event-stream" };

Deno.test("a missing, wrong or misplaced key is refused everywhere but on open routes", async () => {
  const { app } = setUp();
  for (
    const authorization of [
      undefined,
      "",
      "Bearer",
      "Bearer ",
      `Bearer ${token.toLowerCase()}`,
      `Bearer ${token}x`,
      `Basic ${token}`,
      token,
    ]
  ) {
    for (const path of ["/api/plugins", "/v1/models", "/metrics", "/nothing", "/healthz/"]) {
      const headers = authorization === undefined ? {} : { authorization };
      const response = await app.fetch(ask(path, { headers }));
      assert.equal(response.status, 401, `${path} ${authorization}`);
      assert.equal(response.headers.get("www-authenticate"), "Bearer");
      await response.body?.cancel();
    }
  }
  // RFC 9110 11.1: the scheme's case does not matter.
  assert.equal(
    (await app.fetch(ask("/api/plugins", { headers: { authorization: `bEARER ${token}` } })))
      .status,
    200,
  );
  for (const path of ["/healthz", "/readyz", "/openapi.json", "/docs"]) {
    assert.equal((await app.fetch(ask(path))).status, 200, path);
  }
  app.close();
});

Deno.test("/readyz asks the database once a second, and says when it does not answer", async () => {
  let ok = true;
  let asked = 0;
  let nowMs = 0;
  const database = { health: () => Promise.resolve({ ok, asked: ++asked }) };
  const { app } = setUp({}, { database, now: () => nowMs });
  const probe = async () => (await app.fetch(ask("/readyz"))).status;
  assert.deepEqual(await Promise.all([probe(), probe(), probe()]), [200, 200, 200]);
  ok = false;
  nowMs = 999;
  assert.equal(await probe(), 200);
  assert.equal(asked, 1);
  nowMs = 1000;
  const response = await app.fetch(ask("/readyz"));
  assert.equal(response.status, 503);
  assert.equal((await response.json()).detail, "The database does not answer");
  assert.equal((await app.fetch(ask("/healthz"))).status, 200);
  ok = true;
  nowMs = 2000;
  assert.equal(await probe(), 200);
  assert.equal(asked, 3);
  app.close();
});

Deno.test("an unknown Host is misdirected, with a valid key too", async () => {
  const { app } = setUp({ allowedHosts: ["nas.lan"], publicUrl: "https://x.org/bkg" });
  const status = async (host: string) =>
    (await app.fetch(ask("/api/plugins", { headers: { ...key, host } }))).status;
  for (const host of ["evil.example", "localhost.evil.example", "127.0.0.1.evil.example", "a b"]) {
    assert.equal(await status(host), 421, host);
  }
  for (const host of ["10.0.0.1", "[::2]", "x.org.evil", ""]) {
    assert.equal(await status(host), 421, host);
  }
  for (
    const host of ["LOCALHOST:1", "127.0.0.1:43119", "[::1]:80", "nas.lan", "x.org", "a.localhost"]
  ) {
    assert.equal(await status(host), 200, host);
  }
  const prefixed = await app.fetch(ask("/bkg/api/plugins", { headers: { ...key, host: "x.org" } }));
  assert.equal(prefixed.status, 200);
  const open = setUp({ host: "0.0.0.0" });
  const byAddress = ask("/api/plugins", { headers: { ...key, host: "10.0.0.1:80" } });
  assert.equal((await open.app.fetch(byAddress)).status, 200);
});

Deno.test("a cross-site Origin is refused, an allowed one gets CORS and a preflight", async () => {
  const { app } = setUp({ allowedOrigins: ["https://chat.example.org"] });
  const get = (origin: string) =>
    app.fetch(ask("/api/plugins", { headers: { ...key, origin, host: "localhost:1" } }));
  for (
    const origin of [
      "https://evil.example",
      "null",
      "http://localhost:2",
      "https://chat.example.org.evil",
    ]
  ) {
    const response = await get(origin);
    assert.equal(response.status, 403, origin);
    assert.equal(response.headers.get("access-control-allow-origin"), null);
  }
  assert.equal((await get("http://localhost:1")).status, 200);
  const allowed = await get("https://chat.example.org");
  assert.equal(allowed.headers.get("access-control-allow-origin"), "https://chat.example.org");
  assert.equal(allowed.headers.get("access-control-allow-credentials"), null);

  const preflight = (origin: string) =>
    app.fetch(ask("/v1/chat/completions", {
      method: "OPTIONS",
      headers: {
        origin,
        "access-control-request-method": "POST",
        "access-control-request-headers": "authorization,x-stainless-os",
      },
    }));
  const yes = await preflight("https://chat.example.org");
  assert.equal(yes.status, 204);
  assert.equal(yes.headers.get("access-control-allow-headers"), "authorization,x-stainless-os");
  assert.equal((await preflight("https://evil.example")).status, 403);
  // An error must be readable by the page as well.
  const failed = await app.fetch(
    ask("/nothing", { headers: { ...key, origin: "https://chat.example.org" } }),
  );
  assert.equal(failed.status, 404);
  assert.equal(failed.headers.get("access-control-allow-origin"), "https://chat.example.org");
});

Deno.test("bodies: each fault has its answer", async () => {
  const { app } = setUp({ maxBodyBytes: 1000 });
  const post = async (body: BodyInit | null, headers: Record<string, string> = json) => {
    const response = await app.fetch(
      ask("/api/capabilities/test.echo", { method: "POST", headers, body }),
    );
    return { status: response.status, body: await response.json() };
  };
  assert.equal((await post("{}", key)).status, 415);
  assert.equal((await post("{}", { ...json, "content-type": "text/plain" })).status, 415);
  assert.equal(
    (await post("{}", { ...json, "content-type": "application/json; charset=utf-8" })).status,
    200,
  );
  assert.equal((await post("x".repeat(1001))).status, 413);
  assert.equal((await post("x", { ...json, "content-length": "1001" })).status, 413);
  assert.equal((await post("x", { ...json, "content-length": "-1x" })).status, 413);
  const flood = new ReadableStream({ pull: (to) => to.enqueue(new Uint8Array(400).fill(32)) });
  assert.equal((await post(flood)).body.code, "PAYLOAD_TOO_LARGE");
  for (const empty of [null, "", "  \n"]) {
    assert.match((await post(empty)).body.detail, /The body is empty/);
  }
  for (
    const [text, position] of [
      ['{"a": x}', 6],
      ['{"a":1', 6],
      ['{"a":1,}', 7],
      ["[1 2]", 3],
      ['{"text":"' + "y".repeat(300) + '"]', 310],
      ["nul", 3],
      ["1x", 1],
      ['"a\nb"', 2],
    ] as const
  ) {
    const { status, body } = await post(text);
    assert.equal(status, 400);
    assert.equal(body.details.position, position, `${text}: ${body.detail}`);
  }
  const broken = new ReadableStream({ pull: () => Promise.reject(new Error("gone")) });
  assert.equal((await post(broken)).body.code, "INVALID_INPUT");
  app.close();
});

Deno.test("a slow or truncated body over a socket is ended and frees everything", async () => {
  const { app } = setUp({ bodyTimeoutMs: 200 });
  const server = serveHttp(app, { host: "127.0.0.1", port: 0 });
  const head = `POST /api/capabilities/test.echo HTTP/1.1\r\nhost: localhost\r\n` +
    `authorization: Bearer ${token}\r\ncontent-type: application/json\r\n`;
  for (
    const rest of ["content-length: 100\r\n\r\n{", "transfer-encoding: chunked\r\n\r\n1\r\n{\r\n"]
  ) {
    const socket = await Deno.connect({ port: server.port });
    await socket.write(new TextEncoder().encode(head + rest));
    // Deno keeps the connection until the client lets go, so this reads one answer and leaves.
    const bytes = new Uint8Array(4096);
    const answer = new TextDecoder().decode(bytes.subarray(0, (await socket.read(bytes))!));
    socket.close();
    assert.match(answer, /^HTTP\/1\.1 408 /);
    assert.match(answer, /The body did not arrive within 200 ms/);
  }
  const cutOff = await Deno.connect({ port: server.port });
  await cutOff.write(new TextEncoder().encode(`${head}content-length: 100\r\n\r\n{`));
  await until(() => app.active === 1);
  cutOff.close();
  await until(() => app.active === 0);
  await server.shutdown();
});

Deno.test("unknown routes and methods are problems, with Allow", async () => {
  const { app } = setUp();
  const unknown = await app.fetch(ask("/api/nothing?secret=1", { headers: key }));
  assert.equal(unknown.status, 404);
  assert.equal(unknown.headers.get("content-type"), "application/problem+json");
  const problem = await unknown.json();
  assert.equal(problem.code, "NOT_FOUND");
  assert.equal(problem.instance, `urn:bkg:request:${unknown.headers.get("x-request-id")}`);
  assert.doesNotMatch(JSON.stringify(problem), /secret/);
  const method = await app.fetch(ask("/api/plugins/a/start", { method: "DELETE", headers: key }));
  assert.equal(method.status, 405);
  assert.equal(method.headers.get("allow"), "POST");
  const openAi = await app.fetch(ask("/v1/nothing", { headers: key }));
  assert.equal(openAi.status, 404);
  assert.equal((await openAi.json()).error.type, "invalid_request_error");
});

Deno.test("errors of a call keep code, details and Retry-After; the unexpected stays in the log", async () => {
  const { app, logged } = setUp();
  const call = (name: string) =>
    app.fetch(ask(`/api/capabilities/${name}`, { method: "POST", headers: json, body: "1" }));
  const full = await call("test.full");
  assert.equal(full.status, 503);
  assert.equal(full.headers.get("retry-after"), "3");
  assert.equal((await full.json()).retryable, true);
  const bug = await call("test.bug");
  assert.equal(bug.status, 500);
  assert.doesNotMatch(await bug.text(), /inner/);
  assert.match(logged(), /inner/);
  assert.doesNotMatch(logged(), /AAAAAAAA/);
});

Deno.test("SSE: items, result; an early error has its status, a late one is an event", async () => {
  const { app } = setUp();
  const call = (name: string, body: unknown) =>
    app.fetch(ask(`/api/capabilities/${name}`, {
      method: "POST",
      headers: events,
      body: JSON.stringify(body),
    }));
  const good = await call("test.count", { to: 2 });
  assert.equal(good.headers.get("content-type"), "text/event-stream");
  assert.equal(
    await good.text(),
    'data: {"i":1}\n\ndata: {"i":2}\n\nevent: result\ndata: {"done":true}\n\n',
  );
  assert.equal((await call("test.full", 1)).status, 503);
  const late = await (await call("test.late", 1)).text();
  assert.match(late, /^data: 1\n\nevent: error\ndata: \{.*"code":"CELL_LOST"/);
});

Deno.test("SSE: a quiet stream is pinged, a client that leaves aborts the call at once", async () => {
  const { app, calls } = setUp({ pingIntervalMs: 30, streamGraceMs: 10 });
  const server = serveHttp(app, { host: "127.0.0.1", port: 0 });
  const leaving = new AbortController();
  const response = await fetch(`${server.url}/api/plugins/test/invoke`, {
    method: "POST",
    headers: events,
    body: JSON.stringify({ capability: "test.hang", payload: 1 }),
    signal: leaving.signal,
  });
  const { value } = await response.body!.pipeThrough(new TextDecoderStream()).getReader().read();
  assert.equal(value, ": ping\n\n");
  assert.equal(calls.at(-1)!.signal!.aborted, false);
  const leftAtMs = performance.now();
  leaving.abort();
  await until(() => calls.at(-1)!.signal!.aborted);
  assert.ok(performance.now() - leftAtMs < 2000);
  await server.shutdown();
});

Deno.test("a JSON call whose client leaves is aborted at once", async () => {
  const { app, calls } = setUp();
  const server = serveHttp(app, { host: "127.0.0.1", port: 0 });
  const leaving = new AbortController();
  const call = fetch(`${server.url}/api/capabilities/test.hang`, {
    method: "POST",
    headers: json,
    body: "1",
    signal: leaving.signal,
  });
  await until(() => calls.length === 1);
  leaving.abort();
  await assert.rejects(call);
  await until(() => calls[0]!.signal!.aborted);
  await until(() => app.active === 0);
  await server.shutdown();
});

Deno.test("SSE: a client that never reads takes a bounded number of items", async () => {
  const { app, calls, counts } = setUp();
  const server = serveHttp(app, { host: "127.0.0.1", port: 0 });
  const socket = await Deno.connect({ port: server.port });
  await socket.write(new TextEncoder().encode(
    `POST /api/capabilities/test.flood HTTP/1.1\r\nhost: localhost\r\nauthorization: Bearer ${token}\r\n` +
      `accept: text/event-stream\r\ncontent-type: application/json\r\ncontent-length: 1\r\n\r\n1`,
  ));
  let last = -1;
  await until(() => {
    const settled = counts.flood > 0 && counts.flood === last;
    last = counts.flood;
    return settled;
  }, 200);
  // 64 KiB items: what the sockets' buffers hold and no more.
  assert.ok(counts.flood < 400, `${counts.flood} items`);
  socket.close();
  await until(() => calls.at(-1)!.signal!.aborted);
  await server.shutdown();
});

Deno.test("/api/plugins: views, actions, logs, grants, and capabilities of the plugin alone", async () => {
  const { app, calls } = setUp();
  const get = async (path: string, init: RequestInit = {}) => {
    const response = await app.fetch(ask(path, { headers: json, ...init }));
    return { status: response.status, body: await response.json() };
  };
  assert.equal((await get("/api/plugins")).body.plugins[0].id, "test");
  assert.equal((await get("/api/plugins/none")).status, 404);
  assert.equal((await get("/api/plugins/test/stop", { method: "POST" })).body.status, "stopped");
  assert.equal((await get("/api/plugins/test/logs?lines=3")).body.lines.length, 3);
  for (const lines of ["0", "x", "1e9", "1.5"]) {
    assert.equal((await get(`/api/plugins/test/logs?lines=${lines}`)).status, 400, lines);
  }
  const put = (body: unknown) =>
    get("/api/plugins/test/grants", { method: "PUT", body: JSON.stringify(body) });
  assert.deepEqual((await put({ models: ["m"] })).body.granted.models, ["m"]);
  const bad = await put({ modells: ["m"] });
  assert.equal(bad.status, 400);
  assert.match(bad.body.detail, /modells/);
  const invoke = (capability: string, id = "test") =>
    get(`/api/plugins/${id}/invoke`, {
      method: "POST",
      body: JSON.stringify({ capability, payload: { a: 1 } }),
    });
  assert.deepEqual((await invoke("test.echo")).body, { a: 1 });
  const { id, role } = calls.at(-1)!.principal;
  assert.deepEqual({ id, role }, { id: "operator", role: "admin" });
  assert.equal((await invoke("test.echo", "none")).status, 404);
  assert.equal((await invoke("other.echo")).status, 404);
});

Deno.test("/metrics: routes are patterns, plugins have their gauges", async () => {
  const { app } = setUp();
  await app.fetch(ask("/api/plugins/test", { headers: key }));
  await app.fetch(ask("/api/secret-path", { headers: key }));
  const text = await (await app.fetch(ask("/metrics", { headers: key }))).text();
  assert.match(
    text,
    /bkg_http_requests_total\{method="GET",route="\/api\/plugins\/:id",status="200"\} 1/,
  );
  assert.match(text, /bkg_http_requests_total\{method="GET",route="unmatched",status="404"\} 1/);
  assert.match(text, /bkg_http_request_seconds_bucket\{.*le="\+Inf"\} 1/);
  assert.match(text, /bkg_plugin_requests_total\{plugin="test"\} 7/);
  assert.match(text, /process_resident_memory_bytes \d+/);
  assert.doesNotMatch(text, /secret-path/);
});

Deno.test("/openapi.json: one operation a capability with a key; references stay inside", async () => {
  const { app } = setUp();
  const read = async (headers: Record<string, string>) =>
    (await app.fetch(ask("/openapi.json", { headers }))).json();
  const open = await read({});
  assert.equal(open.paths["/api/capabilities/test.count"], undefined);
  assert.ok(open.paths["/api/plugins/{id}/invoke"].post.requestBody);
  const document = await read(key);
  assert.equal(document.openapi, "3.1.0");
  const { responses, requestBody } = document.paths["/api/capabilities/test.count"].post;
  assert.ok(responses["200"].content["text/event-stream"]);
  assert.equal(
    requestBody.content["application/json"].schema.$ref,
    "#/components/schemas/test.count.input",
  );
  const ids: string[] = [];
  for (
    const [path, operations] of Object.entries<
      Record<string, { operationId: string; parameters?: { name: string }[] }>
    >(document.paths)
  ) {
    for (const operation of Object.values(operations)) {
      ids.push(operation.operationId);
      for (const [, name] of path.matchAll(/\{(\w+)\}/g)) {
        assert.ok(operation.parameters?.some((one) => one.name === name), `${path} ${name}`);
      }
    }
  }
  assert.equal(new Set(ids).size, ids.length, "operationIds are unique");
  const references = [...JSON.stringify(document).matchAll(/"\$ref":"([^"]+)"/g)];
  assert.ok(references.length > 5);
  for (const [, reference] of references) {
    const steps = reference!.replace(/^#\//, "").split("/");
    const target = steps.reduce<unknown>(
      (at, step) => (at as Record<string, unknown> | undefined)?.[step],
      document,
    );
    assert.ok(target !== undefined, reference);
  }
  const docs = await app.fetch(ask("/docs", { headers: key }));
  assert.match(
    docs.headers.get("content-security-policy")!,
    /^default-src 'none'; style-src 'sha256-/,
  );
  const page = await docs.text();
  assert.match(page, /test\.count/);
  assert.doesNotMatch(page, /<script/);
});

Deno.test("shutdown: /readyz says so, a stream may end, a second call cuts it", async () => {
  const { app } = setUp();
  const server = serveHttp(app, { host: "127.0.0.1", port: 0 }, { drainMs: 60_000 });
  const response = await fetch(`${server.url}/api/capabilities/test.slow`, {
    method: "POST",
    headers: events,
    body: "1",
  });
  const done = server.shutdown();
  assert.equal((await app.fetch(ask("/readyz"))).status, 503);
  assert.match(await response.text(), /event: result/);
  await done;

  const again = setUp();
  const stuck = serveHttp(again.app, { host: "127.0.0.1", port: 0 }, { drainMs: 60_000 });
  const hanging = await fetch(`${stuck.url}/api/capabilities/test.stuck`, {
    method: "POST",
    headers: events,
    body: "1",
  });
  const first = stuck.shutdown();
  void stuck.shutdown();
  await assert.rejects(hanging.text());
  await first;
});

Deno.test("serveHttp: a taken port is a conflict that names the way out", async () => {
  const { app } = setUp();
  const server = serveHttp(app, { host: "127.0.0.1", port: 0 });
  assert.throws(() => serveHttp(app, { host: "127.0.0.1", port: server.port }), {
    code: "CONFLICT",
    message: /in use.*BKG_PORT/,
  });
  await server.shutdown();
});
