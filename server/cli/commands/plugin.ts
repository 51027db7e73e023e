// `bkg plugin ...`: what an operator sees of plugins and does to them.

import { toPlainLines } from "../../../plugins/runtime/contract/plain_text.ts";
import type { LogLine, PluginTelemetry, PluginView } from "../../../plugins/runtime/host/host.ts";
import { type Client, connect } from "../client.ts";
import {
  type Arguments,
  clientOptions,
  type CliIo,
  type Command,
  exitCodes,
  suggestion,
  UsageError,
} from "../command.ts";
import { printableLine, table } from "../terminal.ts";
import { grant } from "./plugin_grant.ts";

export const plugin: Command = {
  name: "plugin",
  summary: "List, start, stop, call and permit plugins.",
  usage: [
    "plugin list",
    "plugin start|stop|restart ID",
    "plugin logs ID [--lines N]",
    "plugin invoke ID CAPABILITY [JSON|-] [--stream]",
    "plugin grant ID [--all | --none | --only NAME | --deny NAME | --models A,B] [--yes]",
  ],
  options: {
    lines: { type: "string", value: "N", description: "logs: how many lines (default 50)" },
    stream: { type: "boolean", description: "invoke: print each item as it comes" },
    all: { type: "boolean", description: "grant: all that the plugin asks for" },
    none: { type: "boolean", description: "grant: nothing" },
    only: {
      type: "string",
      value: "NAME",
      multiple: true,
      description: 'grant: this alone, such as "fetch" or "models: tiny"; may be repeated',
    },
    deny: {
      type: "string",
      value: "NAME",
      multiple: true,
      description: "grant: all that is asked for, without this; may be repeated",
    },
    models: {
      type: "string",
      value: "A,B",
      multiple: true,
      description: "grant: all that is asked for, with these models alone",
    },
    yes: { type: "boolean", short: "y", description: "grant: do not ask" },
    ...clientOptions,
  },
  async run(args, io) {
    const [name, id, ...rest] = args.positionals;
    const action = name === undefined ? undefined : actions[name];
    if (action === undefined) {
      throw new UsageError(
        name === undefined
          ? `bkg plugin needs one of: ${Object.keys(actions).join(", ")}`
          : `bkg plugin has no "${name}"${suggestion(name, Object.keys(actions))}`,
      );
    }
    if (id === undefined && name !== "list") throw new UsageError(`bkg plugin ${name} needs an ID`);
    const client = await connect(args, io);
    return await action({ client, args, io, id: encodeURIComponent(id ?? ""), rest });
  },
};

export interface PluginAction {
  client: Client;
  args: Arguments;
  io: CliIo;
  /** Ready for a URL. */
  id: string;
  rest: string[];
}

const actions: Record<string, (action: PluginAction) => Promise<number>> = {
  list,
  start: (action) => change(action, "start"),
  stop: (action) => change(action, "stop"),
  restart: (action) => change(action, "restart"),
  logs,
  invoke,
  grant,
};

async function list({ client, args, io }: PluginAction): Promise<number> {
  const { plugins } = await client.get<{ plugins: PluginView[] }>("/api/plugins");
  if (args.flag("json")) return printJson(io, plugins);
  const telemetry = await Promise.all(
    plugins.map(({ id }) => client.get<PluginTelemetry>(`/api/plugins/${id}/telemetry`)),
  );
  const rows = plugins.map((plugin, index) => [
    plugin.id,
    plugin.version,
    statusOf(plugin),
    megabytes(telemetry[index]?.usage?.rssBytes),
    String(telemetry[index]?.requests ?? 0),
    plugin.missingGrants.length === 0 ? "-" : plugin.missingGrants.join(", "),
    plugin.capabilities.map(({ id }) => id).join(", "),
  ]);
  const heads = ["ID", "VERSION", "STATUS", "MEMORY", "CALLS", "NOT GRANTED", "CAPABILITIES"];
  io.out(table([heads, ...rows]));
  return exitCodes.ok;
}

async function change(
  { client, args, io, id }: PluginAction,
  action: "start" | "stop" | "restart",
): Promise<number> {
  const view = await client.send<PluginView>("POST", `/api/plugins/${id}/${action}`);
  if (args.flag("json")) return printJson(io, view);
  io.out(printableLine(`${view.id}: ${view.status}`) + "\n");
  if (view.lastError !== undefined && view.status === "error") {
    io.err(printableLine(`${view.lastError.code}: ${view.lastError.message}`) + "\n");
    return exitCodes.failed;
  }
  return exitCodes.ok;
}

async function logs({ client, args, io, id }: PluginAction): Promise<number> {
  const count = encodeURIComponent(args.text("lines") ?? "50");
  const { lines } = await client.get<{ lines: LogLine[] }>(
    `/api/plugins/${id}/logs?lines=${count}`,
  );
  if (args.flag("json")) return printJson(io, lines);
  for (const { atMs, level, source, message } of lines) {
    const time = new Date(atMs).toISOString().slice(11, 23);
    io.out(`${time} ${level.padEnd(5)} ${source.padEnd(6)} ${printableLine(message)}\n`);
  }
  return exitCodes.ok;
}

async function invoke({ client, args, io, id, rest }: PluginAction): Promise<number> {
  const [capability, text] = rest;
  if (capability === undefined) throw new UsageError("bkg plugin invoke needs a CAPABILITY");
  const payload = readJson(text === "-" ? await io.readAll() : text ?? "{}");
  const path = `/api/plugins/${id}/invoke`;
  if (!args.flag("stream")) {
    return printJson(io, await client.send("POST", path, { capability, payload }));
  }
  for await (const event of client.events(path, { capability, payload })) {
    io.out(toPlainLines(JSON.stringify(event.value)) + "\n");
  }
  return exitCodes.ok;
}

function readJson(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch (error) {
    throw new UsageError(
      `The payload is not valid JSON: ${error instanceof Error ? error.message : error}`,
    );
  }
}

function printJson(io: CliIo, value: unknown): number {
  io.out(toPlainLines(JSON.stringify(value, null, 2)) + "\n");
  return exitCodes.ok;
}

/** Of a plugin that runs: that a newer version of it waits is told beside it. */
function statusOf({ enabled, status, needsConsent }: PluginView): string {
  const word = enabled ? status : "disabled";
  if (!needsConsent) return word;
  return status === "stopped" && enabled ? "needs consent" : `${word}, needs consent`;
}

function megabytes(bytes: number | undefined): string {
  return bytes === undefined ? "-" : `${Math.round(bytes / 1_048_576)} MB`;
}
