// Signing in as a person does: the link that `bkg serve` prints, a session, a restart, the end of it.

import assert from "node:assert/strict";
import { createHash } from "node:crypto";
import { startServer } from "../server_process.ts";

Deno.test("the printed link signs in once, and its session outlives the server", async () => {
  const dataDir = await Deno.makeTempDir({ prefix: "bkg-test-" });
  let bearer: { authorization: string };
  {
    await using server = await startServer({ dataDir });
    const link = await printedLink(server);
    assert.equal(link.origin, server.url);
    const code = link.hash.replace("#code=", "");
    const login = () =>
      fetch(`${server.url}/auth/login`, {
        method: "POST",
        headers: { "content-type": "application/json" },
        body: JSON.stringify({ code }),
      });
    const session = await (await login()).json();
    bearer = { authorization: `Bearer ${session.token}` };
    const again = await login();
    assert.equal(again.status, 401);
    await again.body?.cancel();
    assert.equal(await server.end("SIGTERM"), 0);
    const logged = server.output().split("\n").filter((line) => line.startsWith("{")).join("\n");
    assert.doesNotMatch(logged, new RegExp(`${code}|${session.token}`));
  }
  await using server = await startServer({ dataDir });
  const me = await server.fetch("/auth/me", { headers: bearer });
  const { principal, credential } = await me.json();
  assert.deepEqual([principal.id, principal.name, credential.kind], [
    "operator",
    "admin",
    "session",
  ]);
  const out = await server.fetch("/auth/logout", { method: "POST", headers: bearer });
  assert.equal(out.status, 200);
  await out.body?.cancel();
  const ended = await server.fetch("/auth/me", { headers: bearer });
  assert.equal(ended.status, 401);
  await ended.body?.cancel();
  await server.end("SIGTERM");
  await Deno.remove(dataDir, { recursive: true });
});

Deno.test("BKG_ADMIN_PASSWORD_FILE is the first start's password, and is told nobody", async () => {
  const dataDir = await Deno.makeTempDir({ prefix: "bkg-test-" });
  const path = await Deno.makeTempFile();
  const password = "some words of an admin";
  await Deno.writeTextFile(path, `${password}\n`);
  const signIn = async (url: string) => {
    const response = await fetch(`${url}/auth/login`, {
      method: "POST",
      headers: { "content-type": "application/json" },
      body: JSON.stringify({ name: "admin", password }),
    });
    await response.body?.cancel();
    return response.status;
  };
  {
    await using server = await startServer({ dataDir, env: { BKG_ADMIN_PASSWORD_FILE: path } });
    assert.equal(await signIn(server.url), 200);
    await server.end("SIGTERM");
    assert.ok(!server.output().includes(password));
  }
  await using server = await startServer({
    dataDir,
    env: { BKG_ADMIN_PASSWORD: "another one now" },
  });
  assert.equal(await signIn(server.url), 200);
  await server.end("SIGTERM");
  await Deno.remove(dataDir, { recursive: true });
  await Deno.remove(path);
});

Deno.test("a page gets what it needs to run a plugin itself: bundle, manifest, model, digests", async () => {
  await using server = await startServer();
  const bundle = await server.fetch("/api/plugins/llmserver/bundle");
  assert.equal(bundle.status, 200);
  assert.equal(bundle.headers.get("x-bkg-digest"), sha256(await bundle.bytes()));
  const manifest = await (await server.fetch("/api/plugins/llmserver/manifest")).json();
  assert.equal(manifest.browser, true);
  const model = await (await server.fetch("/api/models/demo-stories-q8_0")).json();
  for (const { name, size, digest } of model.files) {
    const file = await server.fetch(`/api/models/${model.id}/files/${encodeURIComponent(name)}`);
    const bytes = await file.bytes();
    assert.equal(bytes.length, size);
    assert.equal(sha256(bytes), digest);
  }
});

/** The link comes after the line that says that the server is ready. */
async function printedLink(server: { output(): string }): Promise<URL> {
  const limit = performance.now() + 5000;
  while (performance.now() < limit) {
    const link = /Open {3}(\S+)/.exec(server.output())?.[1];
    if (link !== undefined) return new URL(link);
    await new Promise((resolve) => setTimeout(resolve, 10));
  }
  throw new Error(`No link was printed:\n${server.output()}`);
}

function sha256(bytes: Uint8Array): string {
  return `sha256:${createHash("sha256").update(bytes).digest("hex")}`;
}
