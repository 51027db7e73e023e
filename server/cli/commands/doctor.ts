// `bkg doctor`: whether the server answers, what ails its plugins, and whether the machine is fit for it. A container's
// health check asks for the first two alone.

import { AppError } from "../../../plugins/runtime/contract/error.ts";
import { toPlainText } from "../../../plugins/runtime/contract/plain_text.ts";
import type { EngineChoice } from "../../../plugins/runtime/contract/engine_choice.ts";
import type { PluginView } from "../../../plugins/runtime/host/host.ts";
import { type Config, readConfig, readDatabaseUrl } from "../../config.ts";
import { type Client, connect } from "../client.ts";
import {
  type Arguments,
  clientOptions,
  type CliIo,
  type Command,
  exitCodes,
  isUnreachable,
  UsageError,
} from "../command.ts";
import { checkClock } from "../doctor/clock.ts";
import { checkDataFolder } from "../doctor/data_folder.ts";
import { checkDatabase } from "../doctor/database.ts";
import type { Finding } from "../doctor/finding.ts";
import { checkGpu, judgeAdapters, listAdapters } from "../doctor/gpu.ts";
import { checkMemory } from "../doctor/memory.ts";
import { checkPort, checkReach, checkTls } from "../doctor/network.ts";
import { table } from "../terminal.ts";

export const doctor: Command = {
  name: "doctor",
  summary: "Check the server, its plugins and this machine, and say what to do.",
  usage: ["doctor [--server] [--quiet] [--json]", "doctor gpu [--json]"],
  options: {
    ...clientOptions,
    server: { type: "boolean", description: "the server and its plugins alone" },
    quiet: { type: "boolean", short: "q", description: "print only what is wrong" },
  },
  details: [
    "Each line is ok, warn or fail. Of another machine's server (--url) that server alone is checked.",
    "Exit code 0: nothing fails; 1: something does; 3: no server answers.",
  ],
  async run(args, io) {
    const [only, ...more] = args.positionals;
    if (more.length > 0 || (only !== undefined && only !== "gpu")) {
      throw new UsageError(`bkg doctor checks all, or "gpu", not "${args.positionals.join(" ")}"`);
    }
    if (only === "gpu") return await printAdapters(args, io);
    const settings = await readSettings(args, io);
    if ("state" in settings) return report([settings], args, io);
    const isRemote = (args.text("url") ?? (io.env["BKG_URL"] || undefined)) !== undefined;
    const { findings, state } = await checkServer(args, io);
    if (!isRemote && !args.flag("server")) {
      const isServed = state === "ready" || state === "ill";
      findings.push(...await checkMachine(settings, { isServed }));
    }
    const code = report(findings, args, io);
    return state === "gone" ? exitCodes.unreachable : code;
  },
};

function report(findings: readonly Finding[], args: Arguments, io: CliIo): number {
  const shown = findings.filter(({ state }) => state !== "ok" || !args.flag("quiet"));
  if (args.flag("json")) io.out(JSON.stringify(shown, null, 2) + "\n");
  else if (shown.length > 0) {
    io.out(table(shown.map(({ state, what, message }) => [state, what, message])));
  }
  return findings.some(({ state }) => state === "fail") ? exitCodes.failed : exitCodes.ok;
}

/** A hung server counts as none; below the 5 s that the container's health check may take. */
const answerTimeoutMs = 3000;

interface ServerFindings {
  findings: Finding[];
  /** "stranger": something answers that is no bkg. */
  state: "ready" | "ill" | "stranger" | "gone";
}

async function checkServer(args: Arguments, io: CliIo): Promise<ServerFindings> {
  const findings: Finding[] = [];
  const signal = AbortSignal.timeout(answerTimeoutMs);
  try {
    const client = await connect(args, {
      ...io,
      fetch: (input: RequestInfo | URL, init?: RequestInit) => io.fetch(input, { ...init, signal }),
    });
    await requireBkg(client);
    await client.get("/readyz");
    findings.push({ state: "ok", what: "server", message: `${client.url} is ready` });
    const { plugins } = await client.get<{ plugins: PluginView[] }>("/api/plugins");
    findings.push(
      ...plugins.map(examine),
      ...await checkEngines(client),
      ...await checkBackups(client),
    );
    return { findings, state: "ready" };
  } catch (error) {
    const isTimeout = error instanceof DOMException && error.name === "TimeoutError";
    if (!(error instanceof AppError) && !isTimeout) throw error;
    const message = toPlainText(error.message, 500);
    findings.push({ state: "fail", what: "server", message });
    if (isTimeout || isUnreachable(error)) return { findings, state: "gone" };
    return { findings, state: error.code === notBkg ? "stranger" : "ill" };
  }
}

/** What is on beside WebAssembly; nothing where the key may not ask. */
async function checkEngines(client: Client): Promise<Finding[]> {
  try {
    const { engines } = await client.get<{ engines: EngineChoice[] }>("/api/engines");
    const damaged = engines.filter(({ status }) => status === "damaged");
    const on = engines.filter(({ status }) => status === "on").map(({ id, version }) =>
      version === undefined ? id : `${id} (${version})`
    );
    return [
      {
        state: "ok",
        what: "engines",
        message: on.length > 0
          ? `WebAssembly, ${on.join(", ")}`
          : "WebAssembly alone; bkg engine list shows faster ones",
      },
      ...damaged.map(({ id, reason }): Finding => ({
        state: "warn",
        what: `engine ${id}`,
        message: `is not used: ${
          toPlainText(reason ?? "it is damaged", 300)
        }: bkg engine add ${id}`,
      })),
    ];
  } catch (error) {
    const isOlder = error instanceof AppError && error.code === "NOT_FOUND";
    if (isOlder || (error instanceof AppError && error.code === "FORBIDDEN")) return [];
    throw error;
  }
}

/** Those that the server makes by the clock; nothing where the key may not ask. */
async function checkBackups(client: Client): Promise<Finding[]> {
  try {
    const { backups: { lastAtMs, failure } } = await client.get<Settings>("/admin/settings");
    const last = lastAtMs === undefined
      ? "none yet"
      : `the last one is of ${new Date(lastAtMs).toISOString()}`;
    if (failure === undefined) return [{ state: "ok", what: "backups", message: last }];
    const why = toPlainText(failure.message, 300);
    // The server is well without them: a restart of its container would not help.
    return [{ state: "warn", what: "backups", message: `cannot be made (${why}); ${last}` }];
  } catch (error) {
    if (error instanceof AppError && error.code === "FORBIDDEN") return [];
    throw error;
  }
}

interface Settings {
  backups: { lastAtMs?: number; failure?: { message: string } };
}

const notBkg = "PROTOCOL_VIOLATION";

/** Another program may have the port, and answer whatever it likes. */
async function requireBkg(client: Client): Promise<void> {
  try {
    const health = await client.get<{ status?: unknown } | null>("/healthz");
    if (health?.status === "ok") return;
  } catch (error) {
    // A problem that is none of bkg's own has this code.
    if (
      !(error instanceof SyntaxError) && !(error instanceof AppError && error.code === "INTERNAL")
    ) {
      throw error;
    }
  }
  throw new AppError(
    notBkg,
    `What answers at ${client.url} is no bkg: set BKG_PORT to another port`,
  );
}

/** A plugin that fails is told of, but its server is well: a restart of the container would not help. */
function examine({ id, status, lastError, needsConsent, healthy }: PluginView): Finding {
  const what = `plugin ${id}`;
  if (status === "error") {
    const message = toPlainText(lastError?.message ?? "it failed", 500);
    return { state: "warn", what, message };
  }
  if (needsConsent) {
    return { state: "warn", what, message: `waits for consent: bkg plugin grant ${id}` };
  }
  if (healthy === false) return { state: "warn", what, message: "its own health check fails" };
  return { state: "ok", what, message: status };
}

interface MachineSettings {
  config: Config;
  databaseUrl: string | undefined;
}

async function readSettings(args: Arguments, io: CliIo): Promise<MachineSettings | Finding> {
  const dataDir = args.text("data-dir");
  try {
    const config = readConfig(io.env, dataDir === undefined ? {} : { dataDir });
    return { config, databaseUrl: await readDatabaseUrl(io.env) };
  } catch (error) {
    if (!(error instanceof AppError)) throw error;
    return { state: "fail", what: "settings", message: toPlainText(error.message, 500) };
  }
}

async function checkMachine(
  { config, databaseUrl: url }: MachineSettings,
  { isServed }: { isServed: boolean },
): Promise<Finding[]> {
  const nowMs = Date.now();
  return [
    ...config.warnings.map((message) => ({ state: "warn" as const, what: "settings", message })),
    checkPort(config, isServed),
    checkReach(config),
    ...checkTls(config, nowMs),
    ...await checkDataFolder(config.dataDir),
    ...await checkDatabase({ dataDir: config.dataDir, url, isServed, nowMs }),
    checkMemory(),
    await checkGpu(),
    await checkClock(config.dataDir, nowMs),
  ];
}

async function printAdapters(args: Arguments, io: CliIo): Promise<number> {
  const adapters = await listAdapters();
  if (args.flag("json")) io.out(JSON.stringify(adapters) + "\n");
  else {
    const { state, what, message } = judgeAdapters(adapters);
    io.out(table([[state, what, message]]));
  }
  return exitCodes.ok;
}
