import assert from "node:assert/strict";
import { createHash } from "node:crypto";
import { ask, createTestApp } from "../../testing/test_app.ts";
import type { HttpConfig } from "../services.ts";
import type { StaticFile, StaticFiles } from "../static_files.ts";

const html = '<!doctype html><base href="/"><script src="assets/main-1.js"></script>';
const paths = ["/", "/dashboard", "/plugins", "/plugins/llmserver", "/chats", "/sign-in"];

Deno.test("ui: without files nothing is served, and no file is found by a path that is none", async () => {
  const bare = createTestApp().app;
  for (const path of [...paths, "/assets/main-1.js"]) {
    assert.equal((await bare.fetch(ask(path))).status, 404, path);
  }
  const { get } = createPage();
  for (
    const path of [
      "/assets",
      "/assets/",
      "/assets/none.js",
      "/assets/..%2fsecret",
      "/assets/constructor",
    ]
  ) {
    assert.equal((await get(path)).status, 404, path);
  }
  for (const path of ["/dashboard/", "/index.html", "/chat", "/api/plugins"]) {
    assert.equal((await get(path)).status, 401, path);
  }
  assert.equal((await get("/", { host: "evil.example" })).status, 421);
  const foreign = await get("/assets/main-1.js", { origin: "https://evil.example" });
  assert.equal(foreign.headers.get("access-control-allow-origin"), null);
  assert.equal(foreign.headers.get("cross-origin-resource-policy"), "same-origin");
  await foreign.body?.cancel();
  const posted = await createPage().app.fetch(ask("/dashboard", { method: "POST" }));
  assert.equal(posted.status, 405);
});

Deno.test("ui: every path of the page answers it, isolated, with a strict policy, and no key", async () => {
  const { get } = createPage();
  for (const path of paths) {
    const response = await get(path);
    assert.equal(response.status, 200, path);
    assert.equal(await response.text(), html);
    const { headers } = response;
    const policy = headers.get("content-security-policy")!;
    assert.match(policy, /^default-src 'none'; script-src 'self' 'wasm-unsafe-eval'; /);
    assert.doesNotMatch(policy, /unsafe-inline|'unsafe-eval'|\*|https?:/);
    for (const directive of ["frame-ancestors 'none'", "form-action 'none'", "base-uri 'self'"]) {
      assert.ok(policy.split("; ").includes(directive), directive);
    }
    assert.equal(headers.get("cross-origin-opener-policy"), "same-origin");
    assert.equal(headers.get("cross-origin-embedder-policy"), "require-corp");
    assert.equal(headers.get("cross-origin-resource-policy"), "same-origin");
    assert.equal(headers.get("referrer-policy"), "no-referrer");
    assert.equal(headers.get("x-content-type-options"), "nosniff");
    assert.match(headers.get("permissions-policy")!, /camera=\(\), /);
    assert.equal(headers.get("cache-control"), "no-cache");
  }
});

Deno.test("ui: encodings are negotiated, each with a tag of its own", async () => {
  const { get } = createPage();
  const tags = new Set<string>();
  for (
    const [accepted, encoding] of [
      ["", null],
      ["identity", null],
      ["deflate, zstd", null],
      ["br;q=0, gzip;q=0.0", null],
      ["gzip", "gzip"],
      ["GZIP;q=0.5, br;q=0", "gzip"],
      ["gzip, deflate, br, zstd", "br"],
    ] as const
  ) {
    const response = await get("/assets/main-1.js", { "accept-encoding": accepted });
    assert.equal(response.headers.get("content-encoding"), encoding, accepted);
    assert.equal(response.headers.get("vary"), "Accept-Encoding");
    assert.equal(await response.text(), encoding ?? "plain");
    assert.equal(
      response.headers.get("cache-control"),
      "public, max-age=31536000, immutable",
    );
    const etag = response.headers.get("etag")!;
    tags.add(etag);
    const known = { "accept-encoding": accepted, "if-none-match": `W/${etag}` };
    const unchanged = await get("/assets/main-1.js", known);
    assert.equal(unchanged.status, 304);
    assert.equal(unchanged.headers.get("etag"), etag);
    assert.ok(unchanged.headers.get("content-security-policy"));
  }
  assert.deepEqual([...tags], ['"1"', '"1-gzip"', '"1-br"']);
  const plain = await get("/assets/boot.js", { "accept-encoding": "br" });
  assert.equal(plain.headers.get("vary"), null);
  assert.equal(plain.headers.get("content-encoding"), null);
});

Deno.test("ui: HEAD tells the length, 304 does not read the file, and a file's own policy replaces the page's", async () => {
  const { app, get, reads } = createPage();
  const head = await app.fetch(ask("/assets/boot.js", { method: "HEAD" }));
  assert.equal(head.status, 200);
  assert.equal(head.headers.get("etag"), '"2"');
  assert.equal(head.headers.get("content-length"), "4");
  assert.equal(await head.text(), "");
  assert.equal(reads.count, 1);
  assert.equal((await get("/assets/boot.js", { "if-none-match": '"2"' })).status, 304);
  assert.equal(reads.count, 1);
  const boot = await get("/assets/boot.js");
  assert.equal(await boot.text(), "boot");
  assert.equal(boot.headers.get("content-security-policy"), "default-src 'none'");
  assert.equal(boot.headers.get("cross-origin-embedder-policy"), "require-corp");
  assert.equal(boot.headers.get("cross-origin-resource-policy"), "same-origin");
  assert.equal(boot.headers.get("cache-control"), "no-cache");
});

Deno.test("ui: behind a proxy's path the page's base is that path, packed and tagged anew", async () => {
  const { get } = createPage({ publicUrl: "https://example.org/a/b", allowedHosts: [] });
  const based = html.replace('href="/"', 'href="/a/b/"');
  for (const path of ["/a/b/", "/a/b/plugins/x", "/"]) {
    const response = await get(path, { host: "example.org" });
    assert.equal(await response.text(), based, path);
    const hash = createHash("sha256").update(based).digest("hex");
    assert.equal(response.headers.get("etag"), `"${hash}"`);
  }
  const zipped = await get("/a/b/", { host: "example.org", "accept-encoding": "br, gzip" });
  assert.equal(zipped.headers.get("content-encoding"), "gzip");
  const unzipped = zipped.body!.pipeThrough(new DecompressionStream("gzip"));
  assert.equal(await new Response(unzipped).text(), based);
});

function createPage(config: Partial<HttpConfig> = {}) {
  const reads = { count: 0 };
  const encoder = new TextEncoder();
  const boot: StaticFile = {
    contentType: "text/javascript; charset=utf-8",
    get bytes() {
      reads.count++;
      return encoder.encode("boot");
    },
    etag: '"2"',
    immutable: false,
    contentSecurityPolicy: "default-src 'none'",
  };
  const files = new Map<string, StaticFile>([
    ["/assets/main-1.js", {
      contentType: "text/javascript; charset=utf-8",
      bytes: encoder.encode("plain"),
      gzip: encoder.encode("gzip"),
      brotli: encoder.encode("br"),
      etag: '"1"',
      immutable: true,
    }],
    ["/assets/boot.js", boot],
    ["/secret", boot],
  ]);
  const ui: StaticFiles = {
    get: (path) => files.get(path),
    page: {
      contentType: "text/html; charset=utf-8",
      bytes: encoder.encode(html),
      etag: '"0"',
      immutable: false,
    },
  };
  const { app } = createTestApp(config, { ui });
  const get = (path: string, headers: Record<string, string> = {}) =>
    app.fetch(ask(path, { headers }));
  return { app, get, reads };
}

Deno.test("ui: a browser that goes astray gets the page as 404; an API's client is told so", async () => {
  const { get } = createPage();
  const lost = await get("/nowhere", { accept: "text/html,*/*" });
  assert.equal(lost.status, 404);
  assert.equal(await lost.text(), html);
  assert.match(lost.headers.get("content-security-policy") ?? "", /^default-src 'none'/);
  assert.equal((await get("/nowhere")).status, 401);
  assert.equal((await get("/api/plugins", { accept: "text/html" })).status, 401);
});
