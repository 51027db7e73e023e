// Every route that is served, by every scope that there is, generated from what is registered and from the OpenAPI
// document: a new route takes part without being named here, and one without a rule ends the start of the server.

import assert from "node:assert/strict";
import { scopeNames } from "../../auth/scopes.ts";
import type { App } from "../../app.ts";
import { type ComposedServer, startComposed } from "../composed_server.ts";
import { SocketClient } from "../socket_host.ts";

/** What anyone with any credential may do; all else needs a scope. */
const anyCredential = [
  "GET /auth/me",
  "POST /auth/logout",
  "GET /ws/plugins",
  "GET /ws/plugins/:id",
];

/** What no credential is needed for. */
const openRoutes = [
  ...["GET /.well-known/jwks.json", "GET /auth/status", "POST /auth/login", "POST /auth/refresh"],
  ...["GET /docs", "GET /healthz", "GET /openapi.json", "GET /readyz"],
];

/** Where it is not the body that says. */
const capabilityOf: Record<string, string> = {
  "/v1/embeddings": "llm.embed",
  "/v1/rerank": "llm.rerank",
};

const demo = "demo-stories-q8_0";
const chat = { model: demo, messages: [{ role: "user", content: "Tell me" }], maxTokens: 2 };
const notesOf = (scope: string) => ({ status: 403, code: "FORBIDDEN", scope });

Deno.test("scopes over every route, header, message and /v1 path", async (t) => {
  await using server = await startComposed();
  const { app } = server;
  const people = await makePeople(server);
  const routes = app.routes.filter(({ rule }) => rule !== "page");
  const document = await readJson(app, "GET /openapi.json", { bearer: server.token });
  const capabilities = Object.keys(document.paths).flatMap((path) =>
    /^\/api\/capabilities\/(.+)$/.exec(path)?.[1] ?? []
  );

  await t.step("the document tells of each route what it asks for, and of nothing else", () => {
    const described = Object.entries(document.paths).flatMap(([path, operations]) =>
      Object.entries(operations as Record<string, Record<string, string>>)
        .map(([method, operation]) => `${method.toUpperCase()} ${path} ${operation["x-bkg-scope"]}`)
    );
    const served = routes.filter(({ pattern }) => !/^\/(?:ws|api\/capabilities)\//.test(pattern))
      .map(({ method, pattern, rule }) => `${method} ${documented(pattern)} ${rule}`);
    const invoked = capabilities.map((id) => `POST /api/capabilities/${id} invoke:${id}`);
    assert.deepEqual(described.sort(), [...served, ...invoked].sort());
    assert.ok(capabilities.includes("llm.chat") && capabilities.length > 2, capabilities.join());
  });

  await t.step("what needs no scope, or no credential, is what is named here", () => {
    const ruled = (wanted: readonly string[]) =>
      routes.filter(({ rule }) => wanted.includes(rule))
        .map(({ method, pattern }) => `${method} ${pattern}`).sort();
    assert.deepEqual(ruled(["any"]), [...anyCredential].sort());
    assert.deepEqual(ruled(["open", "optional"]), [...openRoutes].sort());
    assert.deepEqual(ruled(["invoke"]), [
      "POST /api/capabilities/:name",
      "POST /api/plugins/:id/invoke",
      "POST /v1/chat/completions",
      "POST /v1/completions",
      "POST /v1/embeddings",
      "POST /v1/rerank",
    ]);
  });

  await t.step(
    "without a credential, or with one where none belongs, nothing is answered",
    async () => {
      for (const { method, pattern, rule } of routes) {
        if (openRoutes.includes(`${method} ${pattern}`)) continue;
        const path = fill(pattern, people);
        for (
          const headers of [
            {},
            { cookie: `token=${people.key}; bkg=${people.key}` },
            { "x-api-key": people.key, "api-key": people.key },
            { authorization: people.key },
            { authorization: `Basic ${btoa(`bkg:${people.key}`)}` },
            { authorization: `Bearer ${people.key}x` },
          ] as Record<string, string>[]
        ) {
          const query = `?token=${people.key}&access_token=${people.key}&api_key=${people.key}`;
          const asked = await ask(app, `${method} ${path}${query}`, { headers, body: {} });
          assert.equal(asked.status, 401, `${method} ${path} (${rule}) ${JSON.stringify(headers)}`);
        }
      }
    },
  );

  for (const [kind, bearer] of [["key", people.key], ["session", people.session]] as const) {
    await t.step(
      `an operator's ${kind} for llm.chat alone reaches nothing else by any route`,
      async () => {
        const spellings = ["Bearer ", "bearer ", "BEARER   "];
        for (const [at, { method, pattern, rule }] of routes.entries()) {
          const name = `${method} ${pattern}`;
          if ([...anyCredential, ...openRoutes].includes(name)) continue;
          const path = fill(pattern, people);
          const body = bodyFor(pattern, "llm.complete");
          const headers = { authorization: spellings[at % 3]! + bearer };
          const asks = capabilityOf[pattern] ?? "llm.complete";
          const wanted = notesOf(rule === "invoke" ? `invoke:${asks}` : rule);
          const asked = pattern === "/api/capabilities/:name"
            ? `${method} /api/capabilities/llm.complete`
            : `${method} ${path}`;
          if (pattern === "/v1/chat/completions") continue;
          assert.deepEqual(await notes(ask(app, asked, { headers, body })), wanted, asked);
          if (method === "GET") {
            const head = await ask(app, `HEAD ${path}`, { headers });
            assert.equal(head.status, 403, `HEAD ${path}`);
          }
        }
        for (const id of capabilities.filter((id) => id !== "llm.chat")) {
          const wanted = notesOf(`invoke:${id}`);
          const direct = ask(app, `POST /api/capabilities/${id}`, { bearer, body: {} });
          assert.deepEqual(await notes(direct), wanted, id);
          const invoked = ask(app, "POST /api/plugins/llmserver/invoke", {
            bearer,
            body: { capability: id, payload: {} },
          });
          assert.deepEqual(await notes(invoked), wanted, id);
          const streamed = ask(app, `POST /api/capabilities/${id}`, {
            bearer,
            body: {},
            headers: { accept: "text/event-stream" },
          });
          assert.deepEqual(await notes(streamed), wanted, id);
        }
      },
    );

    await t.step(`by its ${kind} llm.chat answers in each of its ways`, async () => {
      const openAiChat = { ...chat, maxTokens: undefined, max_tokens: 2 };
      const calls: [request: string, body: unknown][] = [
        ["POST /api/capabilities/llm.chat", chat],
        ["POST /api/plugins/llmserver/invoke", { capability: "llm.chat", payload: chat }],
        ["POST /v1/chat/completions", openAiChat],
        ["POST /v1/chat/completions", { ...openAiChat, stream: true }],
        ["GET /auth/me", undefined],
      ];
      for (const [request, body] of calls) {
        assert.equal((await ask(app, request, { bearer, body })).status, 200, request);
      }
    });

    await t.step(
      `its ${kind} on a WebSocket sees no plugin, hears nothing, calls llm.chat`,
      async () => {
        for (const path of ["/ws/plugins", "/ws/plugins/llmserver", "/ws/plugins/none"]) {
          const socket = await openSocket(server, path, bearer);
          assert.deepEqual((await socket.nth("bootstrap")).payload.plugins, []);
          const subscriptions = ["status", "telemetry", "logs", "jobs"].flatMap((topic) => [
            { action: "SUB", topic },
            { action: "SUB", topic, pluginId: "llmserver", after: 0 },
            { action: "UNSUB", topic, pluginId: "none" },
          ]);
          for (const message of subscriptions) socket.send(message);
          for (const id of capabilities) {
            if (id !== "llm.chat") {
              socket.send({ action: "INVOKE", id, capability: id, payload: {} });
            }
          }
          const wanted = subscriptions.length + capabilities.length - 1;
          await socket.nth("error", wanted);
          for (const { id, payload } of socket.of("error")) {
            assert.equal(payload.code, "FORBIDDEN", JSON.stringify([id, payload]));
          }
          const whole = { action: "INVOKE", id: "chat", capability: "llm.chat", payload: chat };
          if (path !== "/ws/plugins/none") {
            socket.send(whole);
            assert.equal((await socket.nth("result")).id, "chat");
          }
          assert.deepEqual(
            [...socket.of("status"), ...socket.of("telemetry"), ...socket.of("logs")],
            [],
          );
          await socket.close();
        }
      },
    );
  }

  await t.step("each scope alone opens the operations that name it, and no other", async () => {
    for (const scope of scopeNames) {
      const bearer = await makeKey(server, "operator", [scope]);
      let opened = 0;
      for (const { method, pattern, rule } of routes) {
        const name = `${method} ${pattern}`;
        if (anyCredential.includes(name) || openRoutes.includes(name)) continue;
        // Nothing has this id: what is let in finds nothing, and changes nothing.
        const path = pattern.replace(/:\w+(?:\{[^}]*\})?/g, "none");
        const answered = await notes(
          ask(app, `${method} ${path}`, { bearer, body: bodyFor(pattern, "llm.chat") }),
        );
        if (rule === scope) {
          opened++;
          // Past the gate; what gives others all scopes asks for all of them.
          const open = answered.scope === undefined || answered.scope === "*";
          assert.ok(answered.status !== 401 && open, `${scope}: ${name}`);
          continue;
        }
        const missing = rule === "invoke" ? "invoke:*" : rule;
        assert.deepEqual(answered, notesOf(missing), `${scope}: ${name}`);
      }
      // A scope that opens nothing is one that nobody can test.
      assert.ok(opened > 0, scope);
    }
  });

  await t.step("a path that is written another way opens nothing", async () => {
    const bearer = people.key;
    const odd = [
      ...["/api/plugins/", "//api/plugins", "/api//plugins", "/API/plugins", "/api/./plugins"],
      ...["/%61pi/plugins", "/api/plugins%2f", "/api/plugins;a=b", "/healthz/../api/plugins"],
      ...["/api/plugins/llmserver/", "/api/plugins/%2e%2e/models", "/v1/../api/models", "/admin"],
    ];
    for (const path of odd) {
      const { status } = await ask(app, `GET ${path}`, { bearer });
      assert.ok(status === 404 || status === 403, `${path}: ${status}`);
      assert.equal((await ask(app, `GET ${path}`, {})).status, 401, path);
    }
  });

  await t.step(
    "a role that is lowered ends what its sockets see, and its keys' scopes",
    async () => {
      const bearer = await makeKey(server, people.user, ["invoke:*", "plugins:read"], {
        scopes: null,
      });
      const socket = await openSocket(server, "/ws/plugins", bearer);
      assert.ok((await socket.nth("bootstrap")).payload.plugins.length > 0);
      await readJson(app, `PATCH /admin/users/${people.user}`, {
        bearer: server.token,
        body: { scopes: ["invoke:llm.chat"] },
      });
      assert.equal((await socket.closed).code, 4401);
      assert.equal((await ask(app, "GET /api/plugins", { bearer })).status, 403);
    },
  );

  await t.step("signing out is open to all of them, and ends the session", async () => {
    assert.equal((await ask(app, "POST /auth/logout", { bearer: people.session })).status, 200);
    assert.equal((await ask(app, "GET /auth/me", { bearer: people.session })).status, 401);
  });
});

interface People {
  user: string;
  key: string;
  keyId: string;
  session: string;
  sessionId: string;
}

interface Asking {
  bearer?: string;
  headers?: Record<string, string>;
  body?: unknown;
}

async function makePeople(server: ComposedServer): Promise<People> {
  const { app, token: bearer } = server;
  const password = "a horse with a battery";
  const made = await readJson(app, "POST /admin/users", {
    bearer,
    body: { name: "olga", role: "operator", scopes: ["invoke:llm.chat"], password },
  });
  const user = made.user.id;
  const tokens = await readJson(app, "POST /auth/login", { body: { name: "olga", password } });
  const key = await readJson(app, "POST /admin/keys", {
    bearer,
    body: { userId: user, name: "chat", scopes: ["invoke:llm.chat"] },
  });
  const me = await readJson(app, "GET /auth/me", { bearer: tokens.token });
  return {
    user,
    key: key.key,
    keyId: key.view.id,
    session: tokens.token,
    sessionId: me.credential.id,
  };
}

async function makeKey(
  { app, token: bearer }: ComposedServer,
  userId: string,
  scopes: readonly string[],
  change?: Record<string, unknown>,
): Promise<string> {
  if (change !== undefined) {
    await readJson(app, `PATCH /admin/users/${userId}`, { bearer, body: change });
  }
  const body = { userId, name: scopes[0], scopes };
  return (await readJson(app, "POST /admin/keys", { bearer, body })).key;
}

function ask(app: App, request: string, { bearer, headers, body }: Asking): Promise<Response> {
  const [method = "", path = ""] = request.split(" ");
  const hasBody = body !== undefined && method !== "GET" && method !== "HEAD";
  return app.fetch(
    new Request(`http://localhost${path}`, {
      method,
      headers: {
        "content-type": "application/json",
        ...(bearer === undefined ? {} : { authorization: `Bearer ${bearer}` }),
        ...headers,
      },
      ...(hasBody ? { body: JSON.stringify(body) } : {}),
    }),
  );
}

// deno-lint-ignore no-explicit-any -- of many shapes, each read once
async function readJson(app: App, request: string, asking: Asking): Promise<any> {
  const response = await ask(app, request, asking);
  const body = await response.json();
  assert.ok(response.ok, `${request}: ${JSON.stringify(body)}`);
  return body;
}

/** What a refusal says; the rest of an answer is let go of. */
async function notes(
  asked: Promise<Response>,
): Promise<{ status: number; code?: string; scope?: string }> {
  const response = await asked;
  const { status } = response;
  if (status !== 403) {
    await response.body?.cancel();
    return { status };
  }
  const body = await response.json();
  // OpenAI's error object has no room for details.
  const scope = body.details?.scope ?? /the scope "([^"]+)"/.exec(body.error?.message)?.[1];
  return { status, code: body.code ?? body.error?.code.toUpperCase(), ...(scope && { scope }) };
}

async function openSocket(
  { url }: ComposedServer,
  path: string,
  bearer: string,
): Promise<SocketClient> {
  const socket = new WebSocket(url.replace("http", "ws") + path, ["bkg", `bearer.${bearer}`]);
  const client = new SocketClient(socket);
  await client.opened;
  return client;
}

/** The path with ids of what is there. */
function fill(pattern: string, { user, keyId, sessionId }: People): string {
  const ids: [of: RegExp, id: string][] = [
    [/^\/api\/plugins\/|^\/ws\//, "llmserver"],
    [/^\/api\/models\/|^\/v1\/models\//, demo],
    [/^\/admin\/users\//, user],
    [/^\/admin\/roles\//, "user"],
    [/\/keys\//, keyId],
    [/\/sessions\//, sessionId],
  ];
  const id = ids.find(([of]) => of.test(pattern))?.[1] ?? "one";
  return pattern.replace("/files/:name", `/files/${demo}.gguf`)
    .replace(/:\w+(?:\{[^}]*\})?/, id);
}

/** As OpenAPI writes it: "/v1/models/{model}". */
function documented(pattern: string): string {
  return pattern.replace(/:(\w+)(?:\{[^}]*\})?/g, "{$1}");
}

/** What each route of `invoke` needs to see which capability is asked for. */
function bodyFor(pattern: string, capability: string): unknown {
  if (pattern.endsWith("/invoke")) return { capability, payload: {} };
  if (pattern === "/v1/completions") return { model: demo, prompt: "x" };
  if (pattern === "/v1/chat/completions") return { model: demo, messages: chat.messages };
  if (pattern === "/v1/embeddings") return { model: demo, input: "x" };
  if (pattern === "/v1/rerank") return { model: demo, query: "x", documents: ["y"] };
  return {};
}
