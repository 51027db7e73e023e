// `bkg serve`: starts the server in this process and tells a person how to chat with it.

import { AppError } from "../../../plugins/runtime/contract/error.ts";
import { type ConfigOverrides, readConfig, readDatabaseUrl, readSecret } from "../../config.ts";
import { createLogger } from "../../log.ts";
import { type Compose, type ReadyFacts, runServer } from "../../main.ts";
import { programName } from "../program_name.ts";
import { type CliIo, type Command, exitCodes, UsageError } from "../command.ts";

export const serve: Command = {
  name: "serve",
  summary: "Start the server.",
  usage: ["serve [--host HOST] [--port PORT] [--data-dir DIR] [--make-key] [--log json|pretty]"],
  options: {
    host: { type: "string", value: "HOST", description: "address to bind (BKG_HOST)" },
    port: { type: "string", value: "PORT", description: "port, 0 for any free one (BKG_PORT)" },
    "data-dir": { type: "string", value: "DIR", description: "data folder (BKG_DATA_DIR)" },
    log: { type: "string", value: "FORMAT", description: "json or pretty (default: by terminal)" },
    "make-key": {
      type: "boolean",
      description: "make a missing operator's key even when others can reach the address",
    },
    "log-level": { type: "string", value: "LEVEL", description: "debug, info, warn or error" },
  },
  details: [
    "Environment (flags win):",
    "  BKG_HOST             address to bind (127.0.0.1); beyond loopback somebody must own it:",
    "                       BKG_ADMIN_PASSWORD, or a key that exists already",
    "  BKG_PORT             port (43119)",
    "  BKG_DATA_DIR         key, models, database (the system's place for a program's data)",
    '  BKG_ADMIN_PASSWORD   of the user "admin", set at the first start; from then on it is ignored',
    "  BKG_DATABASE_URL     postgres://… of version 14 or newer (a database in the data folder)",
    "  BKG_MODEL_PATHS      more folders with GGUF files, separated by ':' (';' on Windows)",
    "  BKG_MODEL_CACHES     folders of Hugging Face's tools and of Ollama, read in place; none: no one's",
    "                       (where they keep their models)",
    "  HF_ENDPOINT          the hub that models are pulled from (the public one)",
    "  NPM_CONFIG_REGISTRY  the registry that native engines come from (the one bkg was built from)",
    "  HF_TOKEN             for models that it gives to some alone",
    "  BKG_PRIVATE_HOSTS    names of your own network to pull from, separated by ','",
    "  BKG_OFFLINE          1: no outbound call at all",
    "  BKG_PLUGIN_PATHS     folders of further plugins, separated likewise",
    "  BKG_PUBLIC_URL       where a proxy serves this server; may have a path",
    "  BKG_ALLOWED_HOSTS    more names under which it is reached, separated by ','",
    "  BKG_ALLOWED_ORIGINS  pages of other origins that may call it, separated by ','",
    "  BKG_TRUSTED_PROXIES  addresses, ranges, loopback, private: whose X-Forwarded-* is believed",
    "  BKG_TLS_CERT         PEM: the certificate, to speak TLS without a proxy; renewals are noticed",
    "  BKG_TLS_KEY          PEM: its key",
    "  BKG_LOG_LEVEL        debug, info, warn or error (info)",
  ],
  async run(args, io) {
    const overrides: ConfigOverrides = {};
    const [host, port, dataDir, logLevel] = ["host", "port", "data-dir", "log-level"].map(
      args.text,
    );
    if (host !== undefined) overrides.host = host;
    if (port !== undefined) overrides.port = port;
    if (dataDir !== undefined) overrides.dataDir = dataDir;
    if (logLevel !== undefined) overrides.logLevel = logLevel;
    const config = readConfig(io.env, overrides);
    const format = args.text("log") ?? (Deno.stderr.isTerminal() ? "pretty" : "json");
    if (format !== "json" && format !== "pretty") {
      throw new UsageError(`--log is "json" or "pretty", not "${format}"`);
    }
    const log = createLogger({ level: config.logLevel, format, write: io.err, batchMs: 50 });
    try {
      await runServer(config, {
        compose: async (parts) => await (await loadCompose())(parts),
        databaseUrl: await readDatabaseUrl(io.env),
        adminPassword: await readSecret(io.env, "BKG_ADMIN_PASSWORD"),
        hubToken: await readSecret(io.env, "HF_TOKEN"),
        log,
        makeKey: args.flag("make-key"),
        step: (line) => io.out(`${line}\n`),
        ready: (facts) => io.out(welcome(facts)),
        onStop,
      });
      return exitCodes.ok;
    } catch (error) {
      log.flush();
      if (error instanceof AppError && error.code === "CONFLICT") {
        return fail(io, error, exitCodes.inUse);
      }
      if (error instanceof AppError && ["INVALID_INPUT", "FORBIDDEN"].includes(error.code)) {
        return fail(io, error, exitCodes.usage);
      }
      throw error;
    }
  },
};

function welcome({ url, tokenPath, signInUrl }: ReadyFacts): string {
  return `bkg is ready at ${url}

  Open   ${signInUrl}
         (signs in once, within 15 minutes; "${programName()} login" prints another)
  Key    ${tokenPath}
  Chat   ${programName()} run demo-stories-q8_0
  API    curl ${url}/v1/chat/completions \\
           -H "Authorization: Bearer $(cat '${tokenPath}')" -H 'Content-Type: application/json' \\
           -d '{"model":"demo-stories-q8_0","messages":[{"role":"user","content":"Tell me a story"}]}'

Press Ctrl-C to stop.
`;
}

function fail(io: CliIo, error: AppError, code: number): number {
  io.err(`bkg: ${error.message}\n`);
  return code;
}

/** SIGINT and, where it exists, SIGTERM. */
function onStop(stop: () => void): () => void {
  const signals: Deno.Signal[] = Deno.build.os === "windows" ? ["SIGINT"] : ["SIGINT", "SIGTERM"];
  let asked = 0;
  const listener = () => {
    // What does not let go when it is cut must not keep the person waiting.
    if (++asked > 1) Deno.unrefTimer(setTimeout(() => Deno.exit(exitCodes.interrupted), 2000));
    stop();
  };
  for (const signal of signals) Deno.addSignalListener(signal, listener);
  return () => signals.forEach((signal) => Deno.removeSignalListener(signal, listener));
}

/** Late, because it brings the whole server with it and most commands are clients. */
async function loadCompose(): Promise<Compose> {
  return (await import("../../compose.ts")).compose;
}
