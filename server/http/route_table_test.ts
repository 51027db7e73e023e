import assert from "node:assert/strict";
import { type Context, Hono } from "hono";
import { RememberingRouter } from "./remembering_router.ts";
import { withRule } from "./route_rules.ts";
import { createRouteTable } from "./route_table.ts";
import type { HttpEnv } from "./services.ts";

const answer = () => new Response();

Deno.test("createRouteTable throws for a route that tells no rule, whatever its method", () => {
  for (const method of ["GET", "PATCH", "ALL"]) {
    const hono = new Hono<HttpEnv>();
    hono.get("/open", withRule("open", () => new Response()));
    if (method === "ALL") hono.all("/forgotten", answer);
    else hono.on(method, "/forgotten", answer);
    assert.throws(() => createRouteTable(hono), new RegExp(`${method} /forgotten has no rule`));
  }
  const hono = new Hono<HttpEnv>();
  hono.get("/a", withRule("any", () => new Response()));
  // Of the same path, another method is another route.
  hono.delete("/a", answer);
  assert.throws(() => createRouteTable(hono), /DELETE \/a has no rule/);
});

Deno.test("createRouteTable finds by method and path, the first that matches, HEAD as GET", () => {
  const hono = new Hono<HttpEnv>();
  hono.get("/a/b", withRule("audit:read", () => new Response()));
  hono.get("/a/:id", withRule("account", () => new Response()));
  hono.put("/a/:id", withRule("users:manage", () => new Response()));
  hono.get("/files/:name{.+}", withRule("models:read", () => new Response()));
  const table = createRouteTable(hono);
  for (let round = 0; round < 2; round++) {
    const rule = (method: string, path: string) => table.find(method, path)?.rule;
    assert.equal(rule("GET", "/a/b"), "audit:read");
    assert.equal(rule("HEAD", "/a/b"), "audit:read");
    assert.equal(rule("PUT", "/a/b"), "users:manage");
    assert.equal(rule("GET", "/a/x"), "account");
    assert.equal(rule("GET", "/files/x/y"), "models:read");
    for (const path of ["/a", "/a/", "/a/b/", "//a/b", "/A/b", "/a/b/c", "/constructor", ""]) {
      assert.equal(rule("GET", path), undefined, path);
    }
    for (const method of ["DELETE", "get", "ALL", "__proto__"]) {
      assert.equal(rule(method, "/a/b"), undefined, method);
    }
  }
  assert.deepEqual(table.find("GET", "/a/x")?.pattern, "/a/:id");
});

Deno.test("RememberingRouter: a path's parameters stay its own, also of patterns that overlap", async () => {
  const hono = new Hono<HttpEnv>({ router: new RememberingRouter() });
  // Together no single expression takes these.
  hono.get("/a/export", withRule("audit:read", (context: Context) => context.text("all")));
  hono.get(
    "/a/:id",
    withRule("account", (context: Context) => context.text(context.req.param("id")!)),
  );
  const table = createRouteTable(hono);
  const get = async (path: string, method = "GET") =>
    await (await hono.request(path, { method })).text();
  for (let round = 0; round < 3; round++) {
    for (let i = 0; i < 1500; i++) assert.equal(await get(`/a/${i}`), `${i}`);
    assert.equal(await get("/a/export"), "all");
    assert.equal(table.find("GET", "/a/export")?.rule, "audit:read");
    assert.equal(table.find("GET", "/a/7")?.rule, "account");
    assert.match(await get("/a/7", "POST"), /Not Found/);
  }
  const long = "x".repeat(5000);
  assert.equal(await get(`/a/${long}`), long);
});
