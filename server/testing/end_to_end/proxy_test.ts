// The proxies' examples in deploy/ in front of a real server: everything a client does, at a name and below a path.

import assert from "node:assert/strict";
import { serverEvents } from "../../cli/client.ts";
import { type Proxy, type ProxyKind, proxyProblem, reservePorts, startProxy } from "../proxy.ts";
import { skipUnless } from "../require.ts";
import { type ServerProcess, startServer } from "../server_process.ts";

const model = "demo-stories-q8_0";
/** Where clients connect from: not the address by which the proxy, the only trusted one, reaches bkg. */
const clientAddress = "127.0.0.77";
const trusted = { BKG_TRUSTED_PROXIES: "127.0.0.1", BKG_LOG_LEVEL: "debug" };

for (const kind of ["caddy", "nginx"] as const) {
  const ignore = skipUnless(`bkg behind ${kind}`, proxyProblem(kind));

  Deno.test({
    name: `${kind}: bkg at a name of its own, which it learns from the proxy`,
    ignore,
    async fn(t) {
      const ports = reservePorts();
      await using server = await startServer({ env: trusted });
      const upstreamPort = Number(new URL(server.url).port);
      await using proxy = await startProxy(kind, { upstreamPort, ports });
      await useEverything(t, { kind, url: proxy.rootUrl, openApiServer: "/", proxy, server });
    },
  });

  Deno.test({
    name: `${kind}: bkg below a path`,
    ignore,
    async fn(t) {
      const ports = reservePorts();
      const url = `https://localhost:${ports.path}/bkg`;
      await using server = await startServer({ env: { ...trusted, BKG_PUBLIC_URL: url } });
      const upstreamPort = Number(new URL(server.url).port);
      await using proxy = await startProxy(kind, { upstreamPort, ports });
      await useEverything(t, { kind, url, openApiServer: url, proxy, server });
    },
  });
}

interface Facts {
  kind: ProxyKind;
  url: string;
  openApiServer: string;
  proxy: Proxy;
  server: ServerProcess;
}

async function useEverything(t: Deno.TestContext, facts: Facts): Promise<void> {
  const { kind, url, proxy, server } = facts;
  using client = Deno.createHttpClient({
    caCerts: [proxy.caCert],
    localAddress: clientAddress,
  });
  const key = { authorization: `Bearer ${server.token}` };
  const get = (path: string, headers: Record<string, string> = {}, init: RequestInit = {}) =>
    fetch(url + path, { ...init, headers, client, redirect: "manual" });
  const json = { ...key, "content-type": "application/json" };

  await t.step("the page and every file that it names", async () => {
    const page = await get("/", { accept: "text/html" });
    assert.equal(page.status, 200);
    assert.match(page.headers.get("content-security-policy") ?? "", /default-src/);
    const html = await page.text();
    const base = new URL(/<base href="([^"]+)"/.exec(html)![1]!, url);
    assert.equal(base.href, `${url}/`);
    const files = [...html.matchAll(/(?:src|href)="(assets\/[^"]+)"/g)].map(([, path]) => path!);
    assert.ok(files.length > 0, html);
    for (const path of files) {
      const file = await fetch(new URL(path, base), { client });
      assert.equal(file.status, 200, path);
      await file.body?.cancel();
    }
    const deep = await get("/plugins/llmserver", { accept: "text/html" });
    assert.equal(deep.status, 200);
    assert.ok((await deep.text()).includes(`<base href="${base.pathname}"`));
  });

  await t.step("the API, with a key and without", async () => {
    const plugins = await get("/api/plugins", key);
    assert.equal(plugins.status, 200);
    await plugins.body?.cancel();
    const bare = await get("/api/plugins");
    assert.equal(bare.status, 401);
    await bare.body?.cancel();
  });

  await t.step("links, OpenAPI and /docs name this address", async () => {
    const made = await (await get("/auth/codes", key, { method: "POST" })).json();
    assert.ok(made.url.startsWith(`${url}/`), made.url.replace(/#.*/, ""));
    const document = await (await get("/openapi.json", key)).json();
    assert.deepEqual(document.servers, [{ url: facts.openApiServer }]);
    const docs = await get("/docs", { accept: "text/html" });
    assert.equal(docs.status, 200);
    await docs.body?.cancel();
  });

  await t.step("pages of this address may call, those of others may not", async () => {
    const own = await get("/api/plugins", { ...key, origin: new URL(url).origin });
    assert.equal(own.status, 200);
    await own.body?.cancel();
    const strange = await get("/api/plugins", { ...key, origin: "https://evil.example" });
    assert.equal(strange.status, 403);
    await strange.body?.cancel();
  });

  await t.step("a name that is not bkg's gets nothing, whatever else it says", async () => {
    const answer = await askRaw(proxy, new URL(`${url}/api/plugins`), [
      "Host: evil.example",
      "X-Forwarded-Host: localhost",
      `Authorization: Bearer ${server.token}`,
    ]);
    // nginx answers for any name by a port's first site, and bkg refuses; Caddy has an empty page for it.
    assert.match(
      answer,
      kind === "nginx" ? /^HTTP\/1.1 421 / : /^HTTP\/1.1 200 .*Content-Length: 0/s,
    );
    assert.doesNotMatch(answer, /llmserver/);
  });

  await t.step("a WebSocket gets its bootstrap; one of another site is refused", async () => {
    const address = `${url.replace("https:", "wss:")}/ws/plugins`;
    const protocols = ["bkg", `bearer.${server.token}`];
    const headers = { origin: new URL(url).origin };
    const socket = new WebSocket(address, { protocols, headers, client });
    const first = Promise.withResolvers<{ type: string }>();
    socket.onmessage = ({ data }) => first.resolve(JSON.parse(data));
    socket.onerror = (event) => first.reject(new Error((event as ErrorEvent).message));
    assert.equal((await first.promise).type, "bootstrap");
    socket.onerror = null;
    const closed = Promise.withResolvers<void>();
    socket.onclose = () => closed.resolve();
    socket.close();
    await closed.promise;

    const strange = new WebSocket(address, {
      protocols,
      headers: { origin: "https://evil.example" },
      client,
    });
    const outcome = Promise.withResolvers<string>();
    strange.onopen = () => outcome.resolve("open");
    strange.onerror = () => outcome.resolve("refused");
    assert.equal(await outcome.promise, "refused");
    assert.ok(!proxy.output().includes(server.token), "the proxy logged a key");
  });

  await t.step("a chat streams in pieces", async () => {
    const accept = "text/event-stream";
    const response = await get("/api/capabilities/llm.chat", { ...json, accept }, {
      method: "POST",
      body: JSON.stringify({
        model,
        maxTokens: 60,
        messages: [{ role: "user", content: "Tell me a story about a fox and a lantern." }],
      }),
    });
    assert.equal(response.status, 200, response.ok ? "" : await response.text());
    const times: number[] = [];
    let last = "";
    for await (const { name } of serverEvents(response.body)) {
      times.push(performance.now());
      last = name;
    }
    assert.equal(last, "result");
    // What a proxy held back would come all at once.
    const distinct = times.filter((time, i) => i === 0 || time - times[i - 1]! > 1).length;
    assert.ok(distinct >= 5, `${times.length} events came in ${distinct} pieces`);
  });

  await t.step(
    "the log has the client's own address, not the proxy's and not a forged one",
    async () => {
      const path = "/api/models";
      const forged = {
        "x-forwarded-for": "6.6.6.6, 127.0.0.1",
        "x-real-ip": "6.6.6.6",
        forwarded: "for=6.6.6.6",
      };
      const response = await get(path, { ...key, ...forged });
      assert.equal(response.status, 200);
      await response.body?.cancel();
      const line = await logged(server, path);
      assert.equal(line.client, clientAddress);
      // Straight to bkg, from an address that is trusted with nothing.
      using stranger = Deno.createHttpClient({ localAddress: clientAddress });
      const direct = await fetch(`${server.url}/api/jobs`, { headers: forged, client: stranger });
      await direct.body?.cancel();
      assert.equal((await logged(server, "/api/jobs")).client, clientAddress);
    },
  );
}

/** The whole answer to a request that no client of the platform would send. */
async function askRaw(
  { caCert }: Proxy,
  { hostname, port, pathname }: URL,
  headers: string[],
): Promise<string> {
  const conn = await Deno.connectTls({ hostname, port: Number(port), caCerts: [caCert] });
  const request = [`GET ${pathname} HTTP/1.1`, ...headers, "Connection: close", "", ""];
  const writer = conn.writable.getWriter();
  await writer.write(new TextEncoder().encode(request.join("\r\n")));
  writer.releaseLock();
  return await new Response(conn.readable).text();
}

/** The last line of the access log for that path. */
async function logged(server: ServerProcess, path: string): Promise<{ client: string }> {
  const giveUpAt = performance.now() + 5000;
  while (performance.now() < giveUpAt) {
    const lines = server.output().split("\n").filter((line) => line.startsWith("{"))
      .map((line) => JSON.parse(line)).filter((line) => line.path === path);
    if (lines.length > 0) return lines.at(-1);
    await new Promise((resolve) => setTimeout(resolve, 20));
  }
  throw new Error(`"${path}" is not in the log:\n${server.output()}`);
}
