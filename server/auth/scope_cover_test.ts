import assert from "node:assert/strict";
import { lackingScope } from "./scope_cover.ts";
import { scopeNames } from "./scopes.ts";

Deno.test("lackingScope: what a star covers, and what no list of names does", () => {
  const lacks = (held: string[], wanted: string) => lackingScope({ lists: [held] }, [wanted]);
  for (
    const [held, wanted] of [
      [["*"], "*"],
      [["*"], "invoke:*"],
      [["invoke:*"], "invoke:llm.*"],
      [["invoke:*"], "invoke:llm.chat"],
      [["invoke:llm.*"], "invoke:llm.chat"],
      [["plugins:*"], "plugins:read"],
      [["plugins:read", "plugins:manage", "plugins:consent"], "plugins:*"],
    ] as const
  ) assert.equal(lacks([...held], wanted), undefined, `${held} ${wanted}`);
  for (
    const [held, wanted] of [
      [[], "account"],
      [[...scopeNames, "invoke:*"], "*"],
      [["invoke:llm.chat", "invoke:llm.complete"], "invoke:*"],
      [["invoke:llm.chat"], "invoke:llm.*"],
      [["invoke:llm.*"], "invoke:llmother.chat"],
      [["invoke:llm.*"], "invoke:*"],
      [["plugins:read", "plugins:manage"], "plugins:*"],
      [["users:manage"], "user"],
      [["account"], "accounts"],
      [["account"], ""],
    ] as const
  ) assert.equal(lacks([...held], wanted), wanted, `${held} ${wanted}`);
});

Deno.test("lackingScope: each of several lists must cover; without one nothing is given", () => {
  const role = ["invoke:*", "account"];
  const key = ["invoke:llm.chat", "account"];
  assert.equal(lackingScope({ lists: [role, key] }, ["invoke:llm.chat", "account"]), undefined);
  assert.equal(lackingScope({ lists: [role, key] }, ["account", "invoke:llm.*"]), "invoke:llm.*");
  assert.equal(lackingScope({ lists: [role, []] }, ["account"]), "account");
  assert.equal(lackingScope({ lists: [] }, ["account"]), "account");
});
