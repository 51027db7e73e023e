// A server from configuration to exit: key, composition, port, and the way down on a signal.
// Caller: `bkg serve`. What is wired is compose's affair and comes in as a parameter.

import { existsSync } from "node:fs";
import { join } from "node:path";
import { AppError } from "../plugins/runtime/contract/error.ts";
import type { App } from "./app.ts";
import { hasAdminPassword } from "./auth/first_admin.ts";
import { openOperatorKey, operatorKeyPath, readOperatorKey } from "./auth/operator_key.ts";
import { signInUrl } from "./auth/sign_in_url.ts";
import { buildBundles, type Bundles, projectRoot } from "./build/bundles.ts";
import { type Config, isLoopback } from "./config.ts";
import type { Db } from "./db/db.ts";
import type { EnginePin } from "./engines/pins.ts";
import { databaseFolder, openDatabase } from "./db/open.ts";
import type { Logger } from "./log.ts";
import { type HttpServer, serveHttp } from "./serve.ts";

/** Wires a whole server without listening; disposing it ends every cell and closes every store. */
export type Compose = (parts: ComposeParts) => Promise<Composition>;

export interface ComposeParts {
  config: Config;
  bundles: Bundles;
  /** Opening, while the rest is made. */
  database: Promise<Db>;
  operatorToken: string;
  /** Of the first start; a secret. */
  adminPassword?: string | undefined;
  /** HF_TOKEN; a secret. */
  hubToken?: string | undefined;
  /** Of the disk that models are pulled to; tests have less than there is. */
  freeBytes?: (() => Promise<number>) | undefined;
  /** The packages that native engines are; tests have small ones. */
  enginePins?: readonly EnginePin[] | undefined;
  log: Logger;
}

export interface Composition extends AsyncDisposable {
  readonly app: App;
  readonly signIn: { createCode(): { code: string; expiresAtMs: number } };
}

export interface RunOptions {
  compose: Compose;
  /** PostgreSQL's; a secret. Absent: PGlite in the data folder. */
  databaseUrl?: string | undefined;
  /** BKG_ADMIN_PASSWORD: the operator's, where it has none yet. */
  adminPassword?: string | undefined;
  /** HF_TOKEN: for what the hub gives to some alone. */
  hubToken?: string | undefined;
  log: Logger;
  step: (line: string) => void;
  /** Called once, when requests are answered. */
  ready: (facts: ReadyFacts) => void;
  /** Calls its argument for each request to end (SIGTERM, SIGINT); returns how to stop listening. */
  onStop: (stop: () => void) => () => void;
  drainMs?: number;
  /** Makes the operator's key even where other machines can reach the address. */
  makeKey?: boolean;
}

export interface ReadyFacts {
  url: string;
  tokenPath: string;
  /** A link for one sign-in: for the person who starts bkg, never for the log. */
  signInUrl: string;
}

/** Serves until it is asked to stop; the first time it drains, the second it cuts. */
export async function runServer(config: Config, options: RunOptions): Promise<void> {
  const { compose, adminPassword, hubToken, log, step, ready, onStop } = options;
  for (const warning of config.warnings) log.warn(warning);
  const bundles = await buildBundles({ log: step });
  const open = () =>
    openDatabase({
      dataDir: config.dataDir,
      bundles: bundles.folder,
      migrations: join(projectRoot, "server/db/migrations"),
      url: options.databaseUrl,
      warn: (message) => log.warn(message),
    });
  if (!isLoopback(config.host) && !options.makeKey) await requireOwner(config, options, open);
  const key = await openOperatorKey(config.dataDir);
  if (key.created) step(`Made the operator's key: ${key.path}`);
  for (const repair of key.repaired) log.warn(repair);
  const database = open();
  // Compose asks for it later: until then a failure has nobody who hears it.
  database.catch(() => {});
  await using _closing = {
    [Symbol.asyncDispose]: () => database.then((db) => db[Symbol.asyncDispose](), () => {}),
  };
  let server: HttpServer | undefined;
  const stopped = Promise.withResolvers<void>();
  let stops = 0;
  const forget = onStop(() => {
    if (stops++ === 0) step("Stopping: waiting for running requests; once more ends them at once");
    stopped.resolve();
    void server?.shutdown();
  });
  try {
    await using composition = await compose({
      config,
      bundles,
      database,
      operatorToken: key.token,
      adminPassword,
      hubToken,
      log,
    });
    const { signIn } = composition;
    if (stops > 0) return;
    server = serveHttp(
      composition.app,
      config,
      { log, ...(options.drainMs === undefined ? {} : { drainMs: options.drainMs }) },
    );
    const { code } = signIn.createCode();
    ready({
      url: server.url,
      tokenPath: key.path,
      signInUrl: signInUrl(config.publicUrl ?? server.url, code),
    });
    await stopped.promise;
    await server.finished;
  } finally {
    forget();
    log.flush();
  }
}

/** An instance that others can reach, and that nobody owns yet, would be theirs who come first. */
async function requireOwner(
  { host, dataDir }: Config,
  { adminPassword, databaseUrl }: RunOptions,
  open: () => Promise<Db>,
): Promise<void> {
  if (adminPassword !== undefined || await readOperatorKey(dataDir) !== undefined) return;
  if (databaseUrl !== undefined || existsSync(databaseFolder(dataDir))) {
    await using db = await open();
    if (await hasAdminPassword(db)) return;
  }
  throw new AppError(
    "FORBIDDEN",
    `BKG_HOST is "${host}", which other machines can reach, and nobody owns this server yet; ` +
      `set BKG_ADMIN_PASSWORD, start once on 127.0.0.1 to make "${operatorKeyPath(dataDir)}", ` +
      "put one there, or say --make-key",
  );
}
