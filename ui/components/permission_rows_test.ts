import assert from "node:assert/strict";
import { missingPermissions, permissionsSchema } from "../../plugins/runtime/contract/grant.ts";
import { listPermissions, withPermissions } from "./permission_rows.ts";

const asked = permissionsSchema.parse({
  models: ["tiny", "big"],
  services: ["models", "kv"],
  fetch: ["example.com"],
  files: { read: ["/data"], write: ["/data/out"] },
  commands: [["git", "log"], ["git log"]],
  capabilities: ["llm.chat"],
});
const nothing = permissionsSchema.parse({});

Deno.test("withPermissions gives and takes exactly what it is told", () => {
  const rows = listPermissions(asked, nothing);
  assert.ok(rows.every(({ granted, asked }) => asked && !granted));
  const all = withPermissions(nothing, rows, true);
  assert.deepEqual(all, asked);
  assert.deepEqual(missingPermissions(asked, all), []);
  assert.deepEqual(withPermissions(all, rows, false), nothing);
  const one = rows.filter(({ text }) => text === "/data/out");
  assert.deepEqual(withPermissions(nothing, one, true).files, { read: [], write: ["/data/out"] });
});

Deno.test("listPermissions tells commands apart by their words", () => {
  const granted = { ...nothing, commands: [["git log"]] };
  const commands = listPermissions(asked, granted).filter(({ kind }) => kind === "commands");
  assert.deepEqual(commands.map(({ granted }) => granted), [false, true]);
});

Deno.test("listPermissions shows what a star covers, and what was given beyond the asked", () => {
  const rows = listPermissions(asked, { ...nothing, models: ["*"] })
    .filter(({ kind }) => kind === "models");
  assert.deepEqual(
    rows.map(({ text, asked, granted, revocable }) => [text, asked, granted, revocable]),
    [["tiny", true, true, false], ["big", true, true, false], ["*", false, true, true]],
  );
});
