// What was acknowledged stays: under kill -9, a full disk, and a PostgreSQL that goes away.

import assert from "node:assert/strict";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { projectRoot } from "../build/bundles.ts";
import { postgresProblem, startPostgres } from "../testing/postgres.ts";
import { skipUnless } from "../testing/require.ts";
import { databaseOptions } from "../testing/test_database.ts";
import type { Db } from "./db.ts";
import { openDatabase } from "./open.ts";
import { openPglite } from "./pglite.ts";

const kills = 15;

Deno.test(`kill -9 at ${kills} random moments under writes loses no acknowledged row of PGlite`, async () => {
  await inFolder(async (dataDir) => {
    let acknowledged = 0;
    for (let round = 0; round < kills; round++) {
      acknowledged = Math.max(
        acknowledged,
        await writeUntilKilled(dataDir, { afterMs: round * 20 }),
      );
    }
    await using db = await openDatabase(await databaseOptions(dataDir));
    await expectAll(db, acknowledged);
    console.log(`${kills} kills, ${acknowledged} acknowledged, none lost`);
  });
});

Deno.test({
  name: "kill -9 leaves no process of PGlite: neither while it opens nor while it computes",
  // Only there is it seen whose child it is.
  ignore: Deno.build.os !== "linux",
  fn: async () => {
    const { assets } = await pgliteAssets();
    await inFolder(async (folder) => {
      const options = JSON.stringify({ folder: join(folder, "database"), assets });
      const script = `import { openPglite } from "./server/db/pglite.ts";
        const opening = openPglite(${options});
        setTimeout(() => console.log("started"));
        const db = await opening;
        setTimeout(() => console.log("computing"), 300);
        await db.sql\`select count(*) from generate_series(1, 1e12::bigint)\`;`;
      for (const [word, afterMs] of [["started", 0], ["started", 100], ["computing", 0]] as const) {
        const server = new Deno.Command(Deno.execPath(), {
          args: ["eval", "--no-check", "--lock=deno.test.lock", script],
          cwd: projectRoot,
          stdout: "piped",
        }).spawn();
        const lines = server.stdout.pipeThrough(new TextDecoderStream()).getReader();
        for (let said = ""; !said.includes(word);) said += (await lines.read()).value;
        await new Promise((resolve) => setTimeout(resolve, afterMs));
        const [child = ""] = Deno.readTextFileSync(
          `/proc/${server.pid}/task/${server.pid}/children`,
        ).split(" ");
        assert.match(child, /^\d+$/, word);
        server.kill("SIGKILL");
        await server.status;
        await lines.cancel();
        const giveUpAt = Date.now() + 5000;
        while (isAlive(child) && Date.now() < giveUpAt) {
          await new Promise((resolve) => setTimeout(resolve, 10));
        }
        assert.ok(!isAlive(child), word);
      }
    });
  },
});

const onPostgres = "kill -9 of a server on PostgreSQL loses no acknowledged row";
Deno.test({
  name: onPostgres,
  ignore: skipUnless(onPostgres, postgresProblem()),
  fn: async () => {
    await using server = await startPostgres({ fsync: true });
    let acknowledged = 0;
    for (let round = 0; round < 5; round++) {
      const options = { afterMs: round * 20, url: server.url };
      acknowledged = Math.max(acknowledged, await writeUntilKilled("/nowhere", options));
    }
    await server.kill();
    await server.restart();
    await using db = await openDatabase({
      ...await databaseOptions("/nowhere"),
      url: server.url,
    });
    await expectAll(db, acknowledged);
  },
});

const restarted = "PostgreSQL restarted under load: errors that may be retried, then recovery";
Deno.test({
  name: restarted,
  ignore: skipUnless(restarted, postgresProblem()),
  fn: async () => {
    await using server = await startPostgres({ fsync: true });
    const options = await databaseOptions("/nowhere");
    await using db = await openDatabase({ ...options, url: server.url });
    const done = new Set<string>();
    const failures: { code: string; retryable: boolean }[] = [];
    let stopped = false;
    const write = async (writer: number) => {
      for (let i = 0; !stopped; i++) {
        const name = `${writer} ${i}`;
        const put = ({ sql }: Pick<Db, "sql">) =>
          sql`insert into imported_files values (${name}, 1)`;
        try {
          await (i % 2 === 0 ? put(db) : db.transaction(put));
          done.add(name);
        } catch (error) {
          failures.push(error as typeof failures[0]);
          await new Promise((resolve) => setTimeout(resolve, 50));
        }
      }
    };
    const writers = Array.from({ length: 20 }, (_, writer) => write(writer));
    for (const how of ["restart", "kill"] as const) {
      await new Promise((resolve) => setTimeout(resolve, 500));
      await server[how]();
      if (how === "kill") await server.restart();
    }
    const before = done.size;
    const giveUpAt = Date.now() + 10_000;
    while (done.size < before + 200 && Date.now() < giveUpAt) {
      await new Promise((resolve) => setTimeout(resolve, 20));
    }
    stopped = true;
    await Promise.all(writers);
    assert.ok(done.size >= before + 200, "it does not recover");
    const odd = failures.filter(({ code, retryable }) => code !== "UNAVAILABLE" || !retryable);
    assert.deepEqual(odd, []);
    const rows = await db.sql`select name from imported_files`;
    const stored = new Set(rows.map(({ name }) => name));
    assert.deepEqual([...done].filter((name) => !stored.has(name)), []);
    console.log(`${done.size} written, ${failures.length} told to try again`);
  },
});

const full = "a full disk is told of, loses nothing, and is over when there is room";
Deno.test({
  name: full,
  ignore: skipUnless(full, tmpfsProblem()),
  fn: async () => {
    const { assets } = await pgliteAssets();
    await inFolder(async (dataDir) => {
      run("mount", "-t", "tmpfs", "-o", "size=72m", "tmpfs", dataDir);
      try {
        await using db = await openPglite({ folder: join(dataDir, "database"), assets });
        await db.sql`create table things (id int primary key, text text)`;
        let acknowledged = 0;
        const write = async () => {
          const text = Array.from({ length: 100 }, () => crypto.randomUUID()).join("");
          await db.sql`
            insert into things select ${acknowledged + 1} * 100 + i, ${text}::text || i
            from generate_series(0, 99) as i`;
          acknowledged++;
        };
        await assert.rejects(async () => {
          while (true) await write();
        }, { code: "UNAVAILABLE" });
        assert.ok(acknowledged > 0);
        run("mount", "-o", "remount,size=256m", dataDir);
        // The thread of PGlite may have to be started again.
        const [row] = await db.sql`select count(*) as count from things`;
        assert.ok(Number(row?.["count"]) >= acknowledged * 100);
        await db.sql`insert into things values (0, 'room')`;
      } finally {
        run("umount", dataDir);
      }
    });
  },
});

/** The last number whose row was acknowledged before the process was killed. */
async function writeUntilKilled(
  dataDir: string,
  { afterMs, url = "" }: { afterMs: number; url?: string },
): Promise<number> {
  const script = fileURLToPath(new URL("../testing/database_writer.ts", import.meta.url));
  const child = new Deno.Command(Deno.execPath(), {
    args: ["run", "-A", "--no-prompt", "--lock=deno.test.lock", "--no-check", script, dataDir, url],
    cwd: projectRoot,
    stdout: "piped",
    stderr: "inherit",
  }).spawn();
  let text = "";
  let killer: ReturnType<typeof setTimeout> | undefined;
  for await (const chunk of child.stdout.pipeThrough(new TextDecoderStream())) {
    text += chunk;
    killer ??= setTimeout(() => child.kill("SIGKILL"), afterMs + Math.random() * 100);
  }
  clearTimeout(killer);
  const { signal } = await child.status;
  assert.equal(signal, "SIGKILL");
  return Number(text.slice(0, text.lastIndexOf("\n")).split("\n").at(-1));
}

async function expectAll(db: Db, acknowledged: number): Promise<void> {
  assert.ok(acknowledged > kills);
  const [row] = await db.sql`
    select count(distinct at_ms) filter (where at_ms <= ${acknowledged}) as rows
    from imported_files`;
  assert.equal(row?.["rows"], acknowledged);
  const halves = await db.sql`
    select at_ms from imported_files where at_ms % 3 = 0
    group by at_ms having count(*) <> 2`;
  assert.deepEqual(halves, []);
}

function isAlive(pid: string): boolean {
  try {
    return !/^State:\s+[ZX]/m.test(Deno.readTextFileSync(`/proc/${pid}/status`));
  } catch {
    return false;
  }
}

async function pgliteAssets(): Promise<{ assets: string }> {
  const { bundles } = await databaseOptions("");
  return { assets: join(bundles, "database") };
}

function tmpfsProblem(): string | undefined {
  if (Deno.build.os !== "linux") return "a small file system is made on Linux alone";
  const folder = Deno.makeTempDirSync();
  try {
    run("mount", "-t", "tmpfs", "-o", "size=1m", "tmpfs", folder);
    run("umount", folder);
    return undefined;
  } catch {
    return "mounting a small file system is not allowed here";
  } finally {
    Deno.removeSync(folder);
  }
}

function run(command: string, ...args: string[]): void {
  const { success } = new Deno.Command(command, { args, stderr: "null" }).outputSync();
  if (!success) throw new Error(`${command} failed`);
}

async function inFolder(run: (folder: string) => Promise<void>): Promise<void> {
  const folder = await Deno.makeTempDir({ prefix: "bkg-durable-" });
  try {
    await run(folder);
  } finally {
    await Deno.remove(folder, { recursive: true });
  }
}
