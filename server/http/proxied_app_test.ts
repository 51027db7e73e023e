// The application behind proxies: whose forwarded headers take part in its checks and its log, and whose do not.

import assert from "node:assert/strict";
import { ask, createTestApp, token } from "../testing/test_app.ts";

const key = { authorization: `Bearer ${token}` };
const proxy = "10.0.0.1";
const stranger = "203.0.113.9";

Deno.test("Host: a trusted proxy's X-Forwarded-Host is checked in its place, a stranger's is not seen", async () => {
  const { app } = createTestApp({ trustedProxies: ["10.0.0.0/8"], allowedHosts: ["bkg.lan"] });
  const status = async (peer: string, host: string, forwarded?: string) => {
    const headers = { ...key, host, ...(forwarded && { "x-forwarded-host": forwarded }) };
    return (await app.fetch(ask("/api/plugins", { headers }), peer)).status;
  };
  assert.equal(await status(proxy, "upstream:43119", "bkg.lan"), 200);
  assert.equal(await status(proxy, "upstream:43119"), 421);
  // A page that rebound its name to the proxy's address.
  assert.equal(await status(proxy, "bkg.lan", "evil.example"), 421);
  assert.equal(await status(proxy, "bkg.lan", "bkg.lan, evil.example"), 421);
  assert.equal(await status(proxy, "bkg.lan", "a b"), 421);
  assert.equal(await status(stranger, "evil.example", "bkg.lan"), 421);
  assert.equal(await status(stranger, "bkg.lan", "evil.example"), 200);
  assert.equal(await status("unknown", "evil.example", "bkg.lan"), 421);
  app.close();
});

Deno.test("Origin: compared with what the trusted proxy says that the client asked for", async () => {
  const { app } = createTestApp({ trustedProxies: [proxy], allowedHosts: ["bkg.lan"] });
  const status = async (peer: string, origin: string, path = "/api/plugins") => {
    const headers = { ...key, host: "localhost:43119", origin, "x-forwarded-host": "bkg.lan" };
    return (await app.fetch(ask(path, { headers }), peer)).status;
  };
  assert.equal(await status(proxy, "https://bkg.lan"), 200);
  assert.equal(await status(proxy, "http://localhost:43119"), 403);
  assert.equal(await status(stranger, "https://bkg.lan"), 403);
  assert.equal(await status(proxy, "https://evil.example", "/ws/plugins"), 403);
  app.close();
});

Deno.test("the access log has the client's address, and a forged one nowhere", async () => {
  const { app, logged } = createTestApp({ trustedProxies: [proxy] });
  const headers = { ...key, "x-forwarded-for": "6.6.6.6, 203.0.113.77" };
  await app.fetch(ask("/api/plugins", { headers }), proxy);
  await app.fetch(ask("/api/plugins", { headers }), stranger);
  await app.fetch(ask("/api/plugins", { headers: key }), proxy);
  const clients = [...logged().matchAll(/"client":"([^"]*)"/g)].map(([, client]) => client);
  assert.deepEqual(clients, ["203.0.113.77", stranger, proxy]);
  assert.doesNotMatch(logged(), /6\.6\.6\.6/);
  app.close();
});

Deno.test("a path of the public URL: the same whether the proxy keeps it or strips it", async () => {
  const publicUrl = "https://example.org/bkg";
  const { app } = createTestApp({ publicUrl, trustedProxies: [proxy] });
  const headers = { ...key, host: "example.org" };
  const get = (path: string) => app.fetch(ask(path, { headers }), proxy);
  for (const prefix of ["", "/bkg"]) {
    assert.equal((await get(`${prefix}/api/plugins`)).status, 200);
    assert.equal((await get(`${prefix}/docs`)).status, 200);
    const document = await (await get(`${prefix}/openapi.json`)).json();
    assert.deepEqual(document.servers, [{ url: publicUrl }]);
  }
  for (const path of ["/bkgx/api/plugins", "/other/api/plugins", "/bkg/bkg/api/plugins"]) {
    assert.equal((await get(path)).status, 404, path);
  }
  app.close();
});
