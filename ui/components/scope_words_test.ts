import assert from "node:assert/strict";
import type { PluginView } from "../../plugins/runtime/host/host.ts";
import { scopeNames } from "../../server/auth/scopes.ts";
import { describeScope, scopeGroups } from "./scope_words.ts";

Deno.test("scopeGroups offers every scope of the server, each with words of its own", () => {
  const offered = scopeGroups([]).flatMap(({ choices }) => choices.map(({ scope }) => scope));
  assert.deepEqual(offered.toSorted(), [...scopeNames, "invoke:*"].toSorted());
  for (const scope of scopeNames) assert.notEqual(describeScope(scope), scope);
});

Deno.test("scopeGroups offers a family only where a plugin has more than one of it", () => {
  const plugin = {
    name: "\u202eThree",
    capabilities: [{ id: "llm.chat", title: "Chat" }, { id: "llm.embed", title: "Embed" }, {
      id: "face.find",
      title: "Find",
    }, { id: "alone", title: "Alone" }],
  } as PluginView;
  const group = scopeGroups([plugin]).find(({ title }) => title.endsWith("Three"));
  assert.equal(group?.title.includes("\u202e"), false);
  assert.deepEqual(group?.choices.map(({ scope }) => scope), [
    "invoke:llm.*",
    "invoke:llm.chat",
    "invoke:llm.embed",
    "invoke:face.find",
    "invoke:alone",
  ]);
});
