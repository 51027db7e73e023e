import assert from "node:assert/strict";
import { readConfig } from "../config.ts";
import type { Db } from "../db/db.ts";
import { openServerSettings, type ServerSettings } from "./server_settings_store.ts";
import { testOnEngines } from "../testing/database_engines.ts";

testOnEngines("openServerSettings", async (t, db) => {
  await t.step(
    "defaults hold, then what is stored, also after a restart; null goes back",
    async () => {
      const settings = await open(db);
      assert.deepEqual(settings.values, {
        allowedHosts: [],
        allowedOrigins: [],
        logLevel: "info",
        auditDays: 90,
        usageDays: 400,
        backupHours: 24,
        backupsKept: 7,
      });
      await settings.change(
        { auditDays: 30, allowedHosts: ["NAS.local"], logLevel: "warn" },
        "ada",
      );
      for (const each of [settings, await open(db)]) {
        const { auditDays, allowedHosts, logLevel } = each.values;
        assert.deepEqual([auditDays, allowedHosts, logLevel], [30, ["nas.local"], "warn"]);
        assert.equal(viewOf(each, "auditDays").source, "stored");
      }
      await settings.change({ auditDays: null }, "ada");
      assert.deepEqual(
        [viewOf(settings, "auditDays").value, viewOf(await open(db), "auditDays").source],
        [90, "default"],
      );
    },
  );

  await t.step(
    "what is not valid is refused by its name, and nothing beside it is stored",
    async () => {
      const settings = await open(db);
      const before = settings.values;
      const bad: [change: Record<string, unknown>, field: string, code: string][] = [
        [{ auditDays: 0 }, "auditDays", "INVALID_INPUT"],
        [{ auditDays: "30" }, "auditDays", "INVALID_INPUT"],
        [{ usageDays: 30 }, "usageDays", "INVALID_INPUT"],
        [{ logLevel: "loud" }, "logLevel", "INVALID_INPUT"],
        [{ allowedHosts: ["a.lan/x"] }, "allowedHosts", "INVALID_INPUT"],
        [{ allowedHosts: Array(101).fill("a.lan") }, "allowedHosts", "INVALID_INPUT"],
        [{ allowedHosts: ["a".repeat(30_000)] }, "allowedHosts", "INVALID_INPUT"],
        [{ allowedOrigins: ["https://a.lan/path"] }, "allowedOrigins", "INVALID_INPUT"],
        [{ constructor: 1 }, "constructor", "INVALID_INPUT"],
        [{ none: 1 }, "none", "INVALID_INPUT"],
        [{ port: 80 }, "port", "CONFLICT"],
        [{ databaseUrl: "postgres://x" }, "databaseUrl", "CONFLICT"],
      ];
      for (const [change, field, code] of bad) {
        assert.throws(
          () => settings.change({ backupsKept: 3, ...change }, "ada"),
          { code, details: { field } },
          field,
        );
      }
      assert.equal(settings.values, before);
      assert.deepEqual((await open(db)).values, before);
    },
  );

  await t.step("the environment wins over what is stored, and is not changed here", async () => {
    await (await open(db)).change({ logLevel: "warn" }, "ada");
    const settings = await open(db, { BKG_LOG_LEVEL: "debug", BKG_ALLOWED_HOSTS: "a.lan" });
    assert.deepEqual([settings.values.logLevel, settings.values.allowedHosts], [
      "debug",
      ["a.lan"],
    ]);
    const { source, editable, variable } = viewOf(settings, "logLevel");
    assert.deepEqual([source, editable, variable], ["environment", false, "BKG_LOG_LEVEL"]);
    assert.throws(() => settings.change({ logLevel: null }, "ada"), { code: "CONFLICT" });
    // A flag is the same as its variable.
    const flagged = await openServerSettings({
      db,
      config: readConfig({}, { logLevel: "error", dataDir: "/tmp" }),
      warn: assert.fail,
    });
    assert.equal(flagged.values.logLevel, "error");
  });

  await t.step(
    "each view tells its value and source; secrets are told of and not shown",
    async () => {
      const url = "postgres://bkg:hush@db.lan/bkg";
      const settings = await open(db, { BKG_DATABASE_URL: url, BKG_ADMIN_PASSWORD_FILE: "/x" });
      const list = settings.list();
      assert.doesNotMatch(JSON.stringify(list), /hush|db\.lan/);
      assert.deepEqual(
        [viewOf(settings, "databaseUrl").value, viewOf(settings, "adminPassword").value],
        ["set", "set"],
      );
      assert.equal(viewOf(await open(db), "databaseUrl").value, null);
      const { value, source, restart } = viewOf(settings, "port");
      assert.deepEqual([value, source, restart], [43119, "default", true]);
      for (const { name, editable, schema, title, description } of list) {
        assert.ok(title !== "" && description !== "", name);
        assert.equal(schema !== undefined, name in settings.values, name);
        assert.equal(editable, name in settings.values, name);
      }
    },
  );

  await t.step("two admins at once: memory and database agree on the last", async () => {
    const settings = await open(db);
    const told: number[] = [];
    const forget = settings.watch(() => told.push(settings.values.auditDays));
    await Promise.all(
      Array.from({ length: 20 }, (_, i) => settings.change({ auditDays: i + 1 }, `a${i}`)),
    );
    forget();
    assert.deepEqual(told, Array.from({ length: 20 }, (_, i) => i + 1));
    assert.equal((await open(db)).values.auditDays, 20);
    await settings.change({ auditDays: null }, "ada");
    assert.equal(told.length, 20);
  });

  await t.step(
    "what is stored and not valid any more is told of, and the default holds",
    async () => {
      await db.sql`
      insert into settings values ('auditDays', '"soon"'::jsonb, 1, 'ada'),
        ('ofAnotherVersion', '1'::jsonb, 1, 'ada')`;
      const warnings: string[] = [];
      const settings = await openServerSettings({
        db,
        config: configOf({}),
        warn: (warning) => warnings.push(warning),
      });
      assert.equal(settings.values.auditDays, 90);
      assert.match(warnings.join(), /^The stored setting "auditDays" is not valid/);
    },
  );

  await t.step("a change that the database refuses is not in force", async () => {
    const away: Db = { ...db, transaction: () => Promise.reject(new Error("away")) };
    const settings = await openServerSettings({ db: away, config: configOf({}), warn: () => {} });
    await assert.rejects(settings.change({ backupsKept: 3 }, "ada"), /away/);
    assert.equal(settings.values.backupsKept, 7);
  });
});

function configOf(env: Record<string, string>) {
  return readConfig({ BKG_DATA_DIR: "/tmp", ...env });
}

function open(db: Db, env: Record<string, string> = {}): Promise<ServerSettings> {
  return openServerSettings({ db, config: configOf(env), warn: assert.fail });
}

function viewOf(settings: ServerSettings, wanted: string) {
  return settings.list().find(({ name }) => name === wanted) ?? assert.fail(wanted);
}
