import assert from "node:assert/strict";
import { noPermissions } from "../../plugins/runtime/contract/grant.ts";
import type { AuditEntry } from "../../plugins/runtime/host/host.ts";
import type { PluginState } from "../../plugins/runtime/host/plugin_config.ts";
import { openTestDatabase } from "../testing/test_database.ts";
import { type AuditStoreOptions, openAuditStore } from "./audit_store.ts";
import { openJsonLines } from "./json_lines.ts";
import { openPluginState } from "./plugin_state.ts";

const database = await openTestDatabase();
Deno.test.afterAll(async () => await database[Symbol.asyncDispose]());
const { db } = database;
const some = { ...noPermissions, models: ["x"] };

Deno.test("openPluginState keeps decisions across a restart, the last one of many", async () => {
  await inFolder(async (folder) => {
    const oldPath = `${folder}/plugins.json`;
    const state = await openPluginState({ db, oldPath });
    assert.equal(state.load("a"), undefined);
    const saves = [true, false, true, false].map((enabled) =>
      state.save("a", { enabled, consent: { requested: some, granted: noPermissions } })
    );
    await Promise.all(saves);
    const again = (await openPluginState({ db, oldPath })).load("a");
    assert.equal(again?.enabled, false);
    assert.deepEqual(again?.consent, { requested: some, granted: noPermissions });
  });
});

Deno.test("openPluginState keeps a configuration as it was set, with no default beside it", async () => {
  await inFolder(async (folder) => {
    const oldPath = `${folder}/plugins.json`;
    const state: PluginState = {
      enabled: true,
      autostart: true,
      settings: { threads: 2, name: "it's", deep: { list: [1, null] } },
      secrets: { apiKey: "hush" },
      limits: { memoryMb: 1024 },
    };
    await (await openPluginState({ db, oldPath })).save("a", state);
    assert.deepEqual((await openPluginState({ db, oldPath })).load("a"), state);
  });
});

Deno.test("openPluginState takes over the file of an older version, once", async () => {
  await inFolder(async (folder) => {
    const oldPath = `${folder}/plugins.json`;
    const a = { enabled: false, grants: some };
    await Deno.writeTextFile(oldPath, JSON.stringify({ a, b: { enabled: true } }));
    const first = await openPluginState({ db, oldPath });
    // What was granted then is consented to, and no more.
    assert.deepEqual(first.load("a"), {
      enabled: false,
      consent: { requested: some, granted: some },
    });
    await first.save("a", { enabled: true });
    // As after a kill between the two halves of taking it over.
    await Deno.rename(`${oldPath}.imported`, oldPath);
    const second = await openPluginState({ db, oldPath });
    assert.deepEqual(second.load("a"), { enabled: true });
    assert.deepEqual(second.load("b"), { enabled: true });
    await assert.rejects(Deno.stat(oldPath), Deno.errors.NotFound);
  });
});

Deno.test("openPluginState refuses a damaged file or row instead of losing grants", async () => {
  await inFolder(async (folder) => {
    const oldPath = `${folder}/plugins.json`;
    const damaged = ["{", '{"a":{"enabled":"yes"}}', '{"A b":{"enabled":true}}'];
    damaged.push(JSON.stringify({ a: { enabled: true, grants: [some] } }));
    for (const text of damaged) {
      await Deno.writeTextFile(oldPath, text);
      await assert.rejects(openPluginState({ db, oldPath }), { code: "CONFLICT" });
      assert.equal(await Deno.readTextFile(oldPath), text);
    }
    await Deno.remove(oldPath);
    await db
      .sql`insert into plugins (id, enabled, consent, updated_at_ms) values ('a', true, '[]', 0)`;
    await assert.rejects(openPluginState({ db, oldPath }), { code: "CONFLICT" });
    const half = JSON.stringify({ granted: some });
    await db.sql`update plugins set consent = ${half}::jsonb where id = 'a'`;
    await assert.rejects(openPluginState({ db, oldPath }), { code: "CONFLICT" });
  });
});

Deno.test("openAuditStore keeps every entry in order, also what a plugin made up", async () => {
  await inFolder(async () => {
    const odd = "\0\ud800'; drop table audit; --";
    for (let round = 0; round < 2; round++) {
      await using audit = await openAudit();
      for (let i = 0; i < 1500; i++) audit.add("a", entry({ object: `${round} ${i}` }));
      audit.add("a", entry({ object: odd }));
    }
    const rows = await db.sql`select object from audit order by id`;
    assert.equal(rows.length, 3002);
    assert.equal(rows[1499]?.["object"], "0 1499");
    assert.equal(rows.at(-1)?.["object"], "\ufffd\ufffd'; drop table audit; --");
  });
});

Deno.test("openAuditStore keeps no more than it may, and nothing that is too old", async () => {
  await inFolder(async () => {
    await using audit = await openAudit({ maxRows: 100, maxAgeMs: () => 60_000, batchMs: 1 });
    audit.add("a", entry({ atMs: Date.now() - 120_000, object: "old" }));
    for (let i = 0; i < 1200; i++) audit.add("a", entry({ object: `${i}` }));
    await audit[Symbol.asyncDispose]();
    const [row] = await db.sql`
      select count(*) as count, max(object) filter (where object = '1199') as last,
        count(*) filter (where object = 'old') as old from audit`;
    assert.deepEqual(row, { count: 100, last: "1199", old: 0 });
  });
});

Deno.test("openAuditStore takes over old files, the older one first, without torn lines", async () => {
  await inFolder(async (folder) => {
    const oldPaths = [`${folder}/audit.jsonl`, `${folder}/audit.jsonl.1`];
    const line = (object: string) => JSON.stringify({ pluginId: "a", ...entry({ object }) });
    await Deno.writeTextFile(oldPaths[0]!, `${line("third")}\n{"pluginId":`);
    await Deno.writeTextFile(oldPaths[1]!, `${line("first")}\nnonsense\n${line("second")}\n`);
    for (let start = 0; start < 2; start++) {
      await (await openAudit({ oldPaths }))[Symbol.asyncDispose]();
    }
    const rows = await db.sql`select object from audit order by id`;
    assert.deepEqual(rows.map(({ object }) => object), ["first", "second", "third"]);
  });
});

Deno.test("openAuditStore reports a database that is away, and goes on", async () => {
  const away = await openTestDatabase();
  const failures: unknown[] = [];
  const audit = await openAudit({ db: away.db, failed: (error) => failures.push(error) });
  await away[Symbol.asyncDispose]();
  audit.add("a", entry({}));
  await audit[Symbol.asyncDispose]();
  assert.equal(failures.length, 1);
});

function openAudit(options: Partial<AuditStoreOptions> = {}) {
  return openAuditStore({
    db,
    oldPaths: [],
    failed: (error) => assert.fail(String(error)),
    ...options,
  });
}

function entry(part: Partial<AuditEntry>): AuditEntry {
  const given = { count: 1, principal: "operator", action: "invoke", object: "x" };
  return { atMs: Date.now(), ...given, outcome: "ok", ...part };
}

Deno.test("openJsonLines appends every record, turns the file over, and loses none at the end", async () => {
  await inFolder(async (folder) => {
    const path = `${folder}/audit.jsonl`;
    const failures: unknown[] = [];
    const failed = (error: unknown) => failures.push(error);
    for (let round = 0; round < 3; round++) {
      await using lines = openJsonLines({ path, maxBytes: 250, failed });
      for (let i = 0; i < 10; i++) lines.add({ round, i });
    }
    const read = (file: string) =>
      Deno.readTextFileSync(file).trim().split("\n").map((line) => JSON.parse(line));
    assert.equal(read(path).length, 10);
    assert.deepEqual(read(path).at(-1), { round: 2, i: 9 });
    assert.equal(read(`${path}.1`)[0].round, 1);
    assert.deepEqual(failures, []);
  });
});

Deno.test("openJsonLines reports a folder that is gone, and goes on", async () => {
  const failures: unknown[] = [];
  const lines = openJsonLines({
    path: "/nowhere/at/all/audit.jsonl",
    failed: (error) => failures.push(error),
  });
  lines.add({ a: 1 });
  await lines[Symbol.asyncDispose]();
  assert.equal(failures.length, 1);
});

async function inFolder(run: (folder: string) => Promise<void>): Promise<void> {
  const folder = await Deno.makeTempDir();
  await database.reset();
  try {
    await run(folder);
  } finally {
    await Deno.remove(folder, { recursive: true });
  }
}
