import assert from "node:assert/strict";
import { join } from "node:path";
import { openOperatorKey } from "./auth/operator_key.ts";
import { readConfig } from "./config.ts";
import { openDatabase } from "./db/open.ts";
import { createLogger } from "./log.ts";
import { type Compose, type RunOptions, runServer } from "./main.ts";
import { goodPassword, openTestAccess } from "./testing/test_access.ts";
import { databaseOptions } from "./testing/test_database.ts";

/** What comes after the question whether to start at all; no port is ever opened here. */
class Composed extends Error {}
const compose: Compose = () => Promise.reject(new Composed());

Deno.test("a server that others could reach, and that nobody owns, does not start", async (test) => {
  const refusal = { code: "FORBIDDEN", message: /nobody owns this server yet; set BKG_ADMIN_PASS/ };
  await test.step("nothing is there, and nothing is made", () =>
    inFolder(async (dataDir) => {
      for (const host of ["0.0.0.0", "::", "192.0.2.1", "bkg.lan"]) {
        await assert.rejects(start(dataDir, { host }), refusal);
      }
      assert.deepEqual([...Deno.readDirSync(dataDir)], []);
    }));
  await test.step("on loopback it starts", () =>
    inFolder((dataDir) => assert.rejects(start(dataDir, { host: "127.0.0.1" }), Composed)));
  await test.step("with --make-key it starts", () =>
    inFolder((dataDir) => assert.rejects(start(dataDir, { makeKey: true }), Composed)));
  await test.step("with BKG_ADMIN_PASSWORD it starts", () =>
    inFolder((dataDir) => assert.rejects(start(dataDir, { adminPassword: "x" }), Composed)));
  await test.step("with a key that exists it starts", () =>
    inFolder(async (dataDir) => {
      await openOperatorKey(dataDir);
      await assert.rejects(start(dataDir), Composed);
    }));
  await test.step("without a key it starts when the admin has a password, and only then", () =>
    inFolder(async (dataDir) => {
      for (const adminPassword of [undefined, goodPassword]) {
        {
          await using db = await openDatabase(await databaseOptions(dataDir));
          await using _access = await openTestAccess(db, { adminPassword });
        }
        await assert.rejects(start(dataDir), adminPassword === undefined ? refusal : Composed);
      }
    }));
});

interface StartOptions extends Pick<RunOptions, "adminPassword" | "makeKey"> {
  host?: string;
}

function start(dataDir: string, options: StartOptions = {}): Promise<void> {
  const { host = "0.0.0.0", ...rest } = options;
  const config = readConfig({ BKG_HOST: host, BKG_PORT: "0", BKG_DATA_DIR: dataDir });
  return runServer(config, {
    compose,
    log: createLogger({ level: "error", write: () => {} }),
    step: () => {},
    ready: () => assert.fail("it was not to come so far"),
    onStop: () => () => {},
    ...rest,
  });
}

async function inFolder(run: (dataDir: string) => Promise<void>): Promise<void> {
  const parent = await Deno.makeTempDir({ prefix: "bkg-test-" });
  const dataDir = join(parent, "data");
  await Deno.mkdir(dataDir, { mode: 0o700 });
  try {
    await run(dataDir);
  } finally {
    await Deno.remove(parent, { recursive: true });
  }
}
