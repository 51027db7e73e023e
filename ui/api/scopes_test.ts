import assert from "node:assert/strict";
import { createScopes, type Scope } from "../../server/auth/scopes.ts";
import { allows, may } from "./scopes.ts";

Deno.test("allows agrees with the server on every kind of entry", () => {
  const lists = [["*"], ["invoke:*"], ["invoke:llm.*"], ["invoke:llm.chat"], ["plugins:*"], []];
  const asked: Scope[] = ["invoke:llm.chat", "invoke:llmx.chat", "plugins:read", "account"];
  for (const list of lists) {
    for (const scope of asked) {
      assert.equal(allows(list, scope), createScopes(list).allows(scope), `${list} ${scope}`);
    }
    assert.equal(allows(list, "invoke"), createScopes(list).invokesAny, String(list));
  }
});

Deno.test("may is false while nothing is known", () => {
  assert.equal(may(undefined, "account"), false);
  assert.equal(may({ id: "u1" }, "account"), false);
  assert.equal(may({ id: "u1", scopes: ["account"] }, "account"), true);
});
