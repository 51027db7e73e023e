import assert from "node:assert/strict";
import { covers, createScopes, forbidden, type Scope, scopeNames, scopesSchema } from "./scopes.ts";

Deno.test("createScopes denies by default: nothing given, nothing allowed", () => {
  for (const scopes of [createScopes(), createScopes([]), createScopes(["*"], [])]) {
    for (const scope of [...scopeNames, "invoke:llm.chat"] as Scope[]) {
      assert.equal(scopes.allows(scope), false, scope);
    }
    assert.equal(scopes.invokesAny, false);
  }
});

Deno.test("createScopes allows what every list allows", () => {
  const scopes = createScopes(["*"], ["invoke:*", "account"], ["invoke:llm.*", "plugins:read"]);
  const allowed = [...scopeNames, "invoke:llm.chat", "invoke:face.find"]
    .filter((scope) => scopes.allows(scope as Scope));
  assert.deepEqual(allowed, ["invoke:llm.chat"]);
  assert.equal(createScopes(["account"]).invokesAny, false);
  assert.equal(createScopes(["*"], ["invoke:llm.chat"]).invokesAny, true);
});

Deno.test("createScopes is not talked into anything by a hostile name, nor grown by many", () => {
  const scopes = createScopes(["invoke:llm.chat", "plugins:read"]);
  for (
    const odd of [
      ...["invoke:", "invoke:*", "invoke:llm.*", "invoke:llm.chat ", "invoke:llm.chatter", "*"],
      ...["INVOKE:llm.chat", "invoke:LLM.chat", "invoke:llm.chat\0", "invoke:llm.chat/../face"],
      ...["plugins:*", "plugins:read:x", "__proto__", "constructor", "toString", ""],
    ]
  ) {
    for (let again = 0; again < 2; again++) {
      assert.equal(scopes.allows(odd as Scope), false, odd);
    }
  }
  for (let i = 0; i < 100_000; i++) assert.equal(scopes.allows(`invoke:x${i}`), false);
  assert.equal(scopes.allows("invoke:llm.chat"), true);
});

Deno.test("scopesSchema takes scopes that mean something, and nothing else", () => {
  const good = ["*", "account", "plugins:*", "invoke:*", "invoke:llm.*", "invoke:auth.createKey"];
  assert.deepEqual(scopesSchema.parse(good), good);
  for (
    const bad of [
      ...["", "invoke:", "invoke:.", "invoke:**", "invoke:l*", "invoke:*.chat", "invoke:llm.*.x"],
      ...["none:read", "plugins:", "plugin*", "*:*", "account:*", "invoke:a b", "invoke:\n"],
      ...["users:manage ", "invoke:../x", "invoke:" + "a".repeat(300)],
    ]
  ) {
    assert.equal(scopesSchema.safeParse([bad]).success, false, bad);
  }
  assert.equal(scopesSchema.safeParse(Array(101).fill("account")).success, false);
});

Deno.test("covers: a star at the end alone, and of no name in the middle", () => {
  assert.ok(covers("invoke:llm.*", "invoke:llm.chat"));
  assert.ok(!covers("invoke:llm.*", "invoke:llmserver"));
  assert.ok(!covers("invoke:*.chat", "invoke:llm.chat"));
  assert.ok(!covers("*x", "anythingx"));
});

Deno.test("forbidden names what is missing, shortly", () => {
  const { code, status, details, message } = forbidden(`invoke:${"x\ud800".repeat(9999)}`);
  assert.deepEqual([code, status], ["FORBIDDEN", 403]);
  assert.equal((details as { scope: string }).scope.length, 200);
  assert.ok(message.length < 300 && message.isWellFormed());
});
