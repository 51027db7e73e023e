import assert from "node:assert/strict";
import type { Db } from "../db/db.ts";
import { until } from "../testing/test_app.ts";
import { openTestDatabase } from "../testing/test_database.ts";
import { type ScheduledBackups, startScheduledBackups } from "./scheduled_backups.ts";

const hourMs = 60 * 60_000;

Deno.test("startScheduledBackups", async (t) => {
  await using test = await openTestDatabase();
  const folder = `${test.dataDir}/backups`;
  let nowMs = Date.parse("2026-01-01T00:01:00Z");
  let look = () => {};
  const plan = { everyMs: 24 * hourMs, kept: 3 };
  const failures: unknown[] = [];
  const start = (db: Db = test.db) =>
    startScheduledBackups({
      db,
      folder,
      plan: () => plan,
      failed: (error) => failures.push(error),
      now: () => nowMs,
      timers: {
        after: assert.fail,
        every(intervalMs, run) {
          assert.equal(intervalMs, 60_000);
          look = run;
          return () => look = () => {};
        },
      },
    });
  const files = () => [...Deno.readDirSync(folder)].map(({ name }) => name).sort();
  /** Looks, so much later, until that made a backup or failed to. */
  const later = async (ms: number, { state }: ScheduledBackups) => {
    const before = JSON.stringify(state);
    nowMs += ms;
    await until(() => {
      // Again and again: there is never more than one at work.
      look();
      return JSON.stringify(state) !== before;
    });
  };
  /** Looks, so much later, and nothing comes of it. */
  const quiet = async (ms: number, { state }: ScheduledBackups) => {
    const before = JSON.stringify(state);
    nowMs += ms;
    for (let turn = 0; turn < 10; turn++) {
      look();
      await new Promise((resolve) => setTimeout(resolve, 5));
    }
    assert.equal(JSON.stringify(state), before);
  };

  await t.step("makes the first a minute after the start, and one a day from then on", async () => {
    await using backups = await start();
    assert.deepEqual(backups.state, {});
    await later(0, backups);
    assert.deepEqual(files(), ["scheduled-2026-01-01T00-01-00Z.bkg"]);
    await quiet(24 * hourMs - 1, backups);
    await later(1, backups);
    assert.equal(files().length, 2);
  });

  await t.step("a restart neither repeats one nor forgets when the last one was", async () => {
    const count = files().length;
    await using backups = await start();
    assert.equal(new Date(backups.state.lastAtMs!).toISOString().slice(0, 10), "2026-01-02");
    await quiet(hourMs, backups);
    assert.equal(files().length, count);
  });

  await t.step("keeps as many as are wanted, and touches no other file", async () => {
    for (const name of ["mine.bkg", "before-migration-2020.bkg", "scheduled-x.bkg"]) {
      await Deno.writeTextFile(`${folder}/${name}`, "");
    }
    await Deno.writeTextFile(`${folder}/scheduled-2020-01-01T00-00-00Z.bkg.partial`, "");
    await using backups = await start();
    for (let day = 0; day < 3; day++) await later(24 * hourMs, backups);
    await until(() => files().length === 6);
    const [first, second] = files().filter((name) => /^scheduled-2026/.test(name));
    assert.ok(first! > "scheduled-2026-01-02" && second! > first!);
  });

  await t.step(
    "a failure is told, tried again within the hour, and gone with a success",
    async () => {
      let away = true;
      const db: Db = {
        ...test.db,
        transaction: (run, options) =>
          away ? Promise.reject(new Error("the disk is full")) : test.db.transaction(run, options),
      };
      await using backups = await start(db);
      await later(25 * hourMs, backups);
      assert.match(backups.state.failure!.message, /disk is full/);
      await quiet(hourMs - 1, backups);
      away = false;
      await later(1, backups);
      assert.deepEqual([backups.state.failure, failures.length], [undefined, 1]);
    },
  );

  await t.step("0 hours is never", async () => {
    plan.everyMs = 0;
    await using backups = await start();
    await quiet(1000 * hourMs, backups);
  });
});
