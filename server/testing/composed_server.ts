// A whole server within this process: composed as `bkg serve` composes it, and listening, in a data folder of its own.

import { compose } from "../compose.ts";
import { readConfig } from "../config.ts";
import { openDatabase } from "../db/open.ts";
import { buildBundles } from "../build/bundles.ts";
import { createLogger } from "../log.ts";
import type { App } from "../app.ts";
import type { ComposeParts } from "../main.ts";
import { serveHttp } from "../serve.ts";
import { databaseOptions } from "./test_database.ts";

export interface ComposedServer extends AsyncDisposable {
  readonly app: App;
  readonly url: string;
  /** The operator's key. */
  readonly token: string;
  logged(): string;
}

export interface ComposedOptions
  extends Pick<ComposeParts, "hubToken" | "freeBytes" | "enginePins"> {
  /** Kept from an earlier start; else a new one that is deleted at the end. */
  dataDir?: string;
}

export async function startComposed(
  env: Readonly<Record<string, string>> = {},
  options: ComposedOptions = {},
): Promise<ComposedServer> {
  const dataDir = options.dataDir ?? await Deno.makeTempDir({ prefix: "bkg-test-" });
  const config = readConfig({
    BKG_DATA_DIR: dataDir,
    BKG_PORT: "0",
    // Whoever runs the tests may have models of his own.
    BKG_MODEL_CACHES: "none",
    ...env,
  });
  const bundles = await buildBundles({ log: (line) => console.error(line) });
  const token = `bkg_operator_${"A".repeat(43)}`;
  let text = "";
  const log = createLogger({ level: "debug", write: (lines) => text += lines });
  const db = await openDatabase(await databaseOptions(dataDir));
  const composition = await compose({
    config,
    bundles,
    database: Promise.resolve(db),
    operatorToken: token,
    hubToken: options.hubToken,
    freeBytes: options.freeBytes,
    enginePins: options.enginePins,
    log,
  });
  const { app } = composition;
  const server = serveHttp(app, config, { drainMs: 2000, log });
  return {
    app,
    url: server.url,
    token,
    logged: () => text,
    async [Symbol.asyncDispose]() {
      await server.shutdown();
      await composition[Symbol.asyncDispose]();
      await db[Symbol.asyncDispose]();
      if (options.dataDir === undefined) await Deno.remove(dataDir, { recursive: true });
    },
  };
}
