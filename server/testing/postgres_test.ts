import assert from "node:assert/strict";
import { postgresProblem, startPostgres, type TestPostgres } from "./postgres.ts";
import { skipUnless } from "./require.ts";
import { projectRoot } from "../build/bundles.ts";

const ignore = skipUnless("PostgreSQL", postgresProblem());

Deno.test({
  name: "startPostgres: a server that does not start says why and leaves nothing",
  ignore,
  async fn() {
    await using world = await createWorld();
    const start = startPostgres({ parentDir: world.dir, settings: { shared_buffers: "much" } });
    await assert.rejects(start, /did not start[^]*"shared_buffers": "much"/);
    assert.deepEqual(world.leftovers(), []);
  },
});

Deno.test({
  name: "stop: no process and no file stays, also with a session that is busy",
  ignore,
  async fn() {
    await using world = await createWorld();
    const postgres = await startPostgres({ parentDir: world.dir });
    const cut = assert.rejects(query(postgres, "SELECT pg_sleep(60)"));
    await untilRunning(postgres, "pg_sleep");
    assert.ok(world.leftovers().length > 3);
    await postgres.stop();
    await cut;
    await postgres.stop();
    assert.deepEqual(world.leftovers(), []);
  },
});

Deno.test({
  name: "startPostgres: what a killed test run leaves ends by itself",
  ignore,
  async fn() {
    await using world = await createWorld();
    const script = `import { startPostgres } from "./server/testing/postgres.ts";
      await startPostgres({ parentDir: ${JSON.stringify(world.dir)} });
      console.log("ready");
      setInterval(() => {}, 1000);`;
    const run = new Deno.Command(Deno.execPath(), {
      args: ["eval", "--lock=deno.test.lock", script],
      cwd: projectRoot,
      stdout: "piped",
    }).spawn();
    const reader = run.stdout.pipeThrough(new TextDecoderStream()).getReader();
    assert.equal((await reader.read()).value?.trim(), "ready");
    assert.ok(world.leftovers().length > 3);
    run.kill("SIGKILL");
    await run.status;
    await reader.cancel();
    await until(() => world.leftovers().length === 0);
  },
});

Deno.test({
  name: "startPostgres: vectors survive a restart, and a crash amid a busy session",
  ignore,
  async fn() {
    await using postgres = await startPostgres();
    await query(postgres, "CREATE EXTENSION vector");
    await query(postgres, "CREATE TABLE points (id int PRIMARY KEY, at vector(3))");
    await query(postgres, "INSERT INTO points VALUES (1, '[1,2,3]'), (2, '[3,2,1]')");
    const nearest = "SELECT id, at FROM points ORDER BY at <-> '[3,2,2]' LIMIT 1";
    assert.equal(await query(postgres, nearest), "2|[3,2,1]");

    await postgres.restart();
    assert.equal(await query(postgres, nearest), "2|[3,2,1]");
    assert.doesNotMatch(postgres.log(), /automatic recovery in progress/);

    const busy = query(postgres, "SELECT count(*) FROM generate_series(1, 1e12::bigint)");
    const cut = assert.rejects(busy, /server closed the connection/);
    await untilRunning(postgres, "generate_series");
    await postgres.kill();
    await cut;
    await assert.rejects(query(postgres, nearest), /Connection refused/);
    await postgres.restart();
    assert.equal(await query(postgres, nearest), "2|[3,2,1]");
    assert.match(postgres.log(), /automatic recovery in progress/);
  },
});

Deno.test({
  name: "startPostgres: settings are as asked for, and only its password lets in",
  ignore,
  async fn() {
    const settings = { max_connections: "7" };
    await using postgres = await startPostgres({ fsync: true, settings });
    assert.equal(await query(postgres, "SHOW fsync"), "on");
    assert.equal(await query(postgres, "SHOW max_connections"), "7");
    const url = new URL(postgres.url);
    assert.equal(url.hostname, "127.0.0.1");
    url.password = "wrong";
    const stranger = { ...postgres, url: url.href };
    await assert.rejects(query(stranger, "SELECT 1"), /password authentication failed/);
  },
});

interface World extends AsyncDisposable {
  readonly dir: string;
  /** Its files, and the processes that work in it or name it. */
  leftovers(): string[];
}

async function createWorld(): Promise<World> {
  const dir = await Deno.makeTempDir({ prefix: "bkg-test-" });
  // The server may run as another user.
  await Deno.chmod(dir, 0o777);
  const files = () => [...Deno.readDirSync(dir)].map(({ name }) => name);
  const processes = () =>
    [...Deno.readDirSync("/proc")].map(({ name }) => name)
      .filter((name) => /^\d+$/.test(name) && name !== String(Deno.pid) && mentions(name, dir));
  return {
    dir,
    leftovers: () => [...files(), ...processes()],
    [Symbol.asyncDispose]: () => Deno.remove(dir, { recursive: true }),
  };
}

function mentions(pid: string, dir: string): boolean {
  try {
    return Deno.readLinkSync(`/proc/${pid}/cwd`).startsWith(dir) ||
      Deno.readTextFileSync(`/proc/${pid}/cmdline`).includes(dir);
  } catch {
    return false; // It ended, or is another user's.
  }
}

/** The answer's rows, with "|" between the columns. */
async function query(
  { url, binDir }: Pick<TestPostgres, "url" | "binDir">,
  sql: string,
): Promise<string> {
  const { success, stdout, stderr } = await new Deno.Command(`${binDir}/psql`, {
    args: ["--no-psqlrc", "--tuples-only", "--no-align", "--command", sql, url],
    env: { LC_ALL: "C" },
    signal: AbortSignal.timeout(30_000),
  }).output();
  if (!success) throw new Error(new TextDecoder().decode(stderr));
  return new TextDecoder().decode(stdout).trim();
}

function untilRunning(postgres: TestPostgres, text: string): Promise<void> {
  const sql = `SELECT count(*) FROM pg_stat_activity
    WHERE pid <> pg_backend_pid() AND state = 'active' AND query LIKE '%${text}%'`;
  return until(async () => await query(postgres, sql) === "1");
}

async function until(isTrue: () => boolean | Promise<boolean>): Promise<void> {
  const endsAtMs = Date.now() + 20_000;
  while (!await isTrue()) {
    assert.ok(Date.now() < endsAtMs, "it did not become true in time");
    await new Promise((resolve) => setTimeout(resolve, 50));
  }
}
