import assert from "node:assert/strict";
import { AppError } from "../../plugins/runtime/contract/error.ts";
import type { Identity } from "../auth/authenticator.ts";
import type { UsageLimits } from "../auth/limits.ts";
import { ask, createTestApp, type TestApp } from "../testing/test_app.ts";
import { TestDate, testIdentity } from "../testing/test_guard.ts";
import { failure } from "./reply.ts";
import type { RequestScope } from "./services.ts";

Deno.test("a limited call tells what is left, as JSON, as events and when it is refused", async () => {
  using date = new TestDate("2026-01-01T00:00:00Z");
  const { app, calls } = appFor({ requestsPerMinute: 3 });
  const first = await call(app);
  assert.equal(first.headers.get("ratelimit-policy"), '"requests";q=3;w=60');
  assert.equal(first.headers.get("ratelimit"), '"requests";r=2;t=60');
  date.nowMs += 10_500;
  const streamed = await call(app, { accept: "text/event-stream" });
  assert.equal(streamed.headers.get("content-type"), "text/event-stream");
  assert.equal(streamed.headers.get("ratelimit"), '"requests";r=1;t=50');
  await streamed.text();
  await call(app);
  const refused = await call(app, { accept: "text/event-stream" });
  assert.equal(refused.status, 429);
  assert.equal(refused.headers.get("retry-after"), "50");
  assert.equal(refused.headers.get("ratelimit"), '"requests";r=0;t=50');
  const { code, retryable, details } = await refused.json();
  assert.deepEqual([code, retryable, details.policy, details.retryAfterMs], [
    "RATE_LIMITED",
    true,
    "requests",
    49_500,
  ]);
  assert.equal(calls.length, 3);
  date.nowMs += 49_500;
  assert.equal((await call(app)).headers.get("ratelimit"), '"requests";r=2;t=60');
});

Deno.test("Retry-After of a month's quota is days; nobody is sent away for longer than a month", () => {
  const retryAfter = (retryAfterMs: unknown) =>
    failure(
      { requestId: "r", path: "/v1/x" } as RequestScope,
      new AppError("RATE_LIMITED", "Wait", { details: { retryAfterMs } }),
    ).headers.get("retry-after");
  assert.equal(retryAfter(21 * 86_400_000), String(21 * 86_400));
  assert.equal(retryAfter(1), "1");
  for (const odd of [undefined, -1, "9", Number.NaN]) assert.equal(retryAfter(odd), "1");
  assert.equal(retryAfter(1e300), String(31 * 86_400));
});

Deno.test("who is not limited is told of no limits, and neither are other routes", async () => {
  const unlimited = await call(createTestApp({}, { auth: authFor(testIdentity()) }).app);
  assert.deepEqual([unlimited.status, unlimited.headers.has("ratelimit")], [200, false]);
  const { app } = appFor({ requestsPerMinute: 1 });
  const me = await app.fetch(ask("/auth/me", { headers: { authorization: "Bearer x" } }));
  assert.deepEqual([me.status, me.headers.has("ratelimit")], [200, false]);
});

function authFor(identity: Identity) {
  return { authenticate: () => identity, watch: () => () => {} };
}

function appFor(limits: UsageLimits): TestApp {
  return createTestApp({}, { auth: authFor(testIdentity({ scopes: ["*"], limits })) });
}

function call(app: TestApp["app"], headers: Record<string, string> = {}): Promise<Response> {
  return app.fetch(ask("/api/capabilities/test.echo", {
    method: "POST",
    headers: { authorization: "Bearer x", "content-type": "application/json", ...headers },
    body: "{}",
  }));
}
