import assert from "node:assert/strict";
import { permissionsSchema } from "./grant.ts";
import { listPermissions, missingPermissions, withPermissions } from "./permission_list.ts";

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

Deno.test("listPermissions marks what was not looked at before, and nothing when nobody has looked", () => {
  const consented = {
    ...nothing,
    models: ["*"],
    services: ["models" as const],
    commands: [["git log"]],
  };
  const fresh = listPermissions(asked, nothing, { consented }).filter(({ isNew }) => isNew);
  assert.deepEqual(fresh.map(({ name }) => name), [
    "services: kv",
    "capabilities: llm.chat",
    "fetch: example.com",
    "files.read: /data",
    "files.write: /data/out",
    "commands: git log",
  ]);
  assert.deepEqual(listPermissions(asked, nothing).filter(({ isNew }) => isNew), []);
});

Deno.test("missingPermissions tells commands apart by their words, and knows no star among them", () => {
  const granted = { ...nothing, commands: [["git log"], ["*"]] };
  const commands = { ...nothing, commands: asked.commands };
  assert.deepEqual(missingPermissions(commands, granted), ["commands: git log"]);
});
