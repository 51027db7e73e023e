// `bkg engine ...`: what is added beside WebAssembly: machine code for the processor or a GPU, and WebGPU.

import { resolve } from "node:path";
import type { EngineChoice } from "../../../plugins/runtime/contract/engine_choice.ts";
import { engineIds, isEngineId } from "../../../plugins/runtime/contract/engine_choice.ts";
import { AppError } from "../../../plugins/runtime/contract/error.ts";
import type { Job } from "../../../plugins/runtime/contract/job.ts";
import { toPlainLines } from "../../../plugins/runtime/contract/plain_text.ts";
import { bytesText } from "../amounts.ts";
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
import { followJob } from "../follow_job.ts";
import { table } from "../terminal.ts";

export const engine: Command = {
  name: "engine",
  summary: "Add native engines (machine code) and WebGPU, or remove them.",
  usage: ["engine list", "engine add ID [--from FOLDER] [--detach]", "engine remove ID"],
  options: {
    from: {
      type: "string",
      value: "FOLDER",
      description: "add: the packages are here, and nothing is downloaded",
    },
    detach: { type: "boolean", description: "add: print the job's id and do not wait" },
    ...clientOptions,
  },
  details: [
    `ID is one of ${
      engineIds.join(", ")
    }. Native engines are several times as fast as WebAssembly,`,
    "run outside the sandbox, and open only models that are trusted; docs/engines.md says what that",
    "costs. They are packages of the npm registry (NPM_CONFIG_REGISTRY), checked by SHA-512.",
  ],
  async run(args, io) {
    const [name, id] = args.positionals;
    const action = name === undefined ? undefined : actions[name];
    if (name === undefined || action === undefined) {
      const names = Object.keys(actions);
      throw new UsageError(
        name === undefined
          ? `bkg engine needs one of: ${names.join(", ")}`
          : `bkg engine has no "${name}"${suggestion(name, names)}`,
      );
    }
    if (name !== "list" && !isEngineId(id)) {
      throw new UsageError(
        id === undefined
          ? `bkg engine ${name} needs an ID: ${engineIds.join(", ")}`
          : `There is no engine "${id}"${suggestion(id, engineIds)}; bkg engine list shows them`,
      );
    }
    return await action({ args, io, id: id ?? "", client: await connect(args, io) });
  },
};

interface EngineAction {
  args: Arguments;
  io: CliIo;
  id: string;
  client: Client;
}

const actions: Record<string, (action: EngineAction) => Promise<number>> = {
  list: listEngines,
  add: addEngine,
  remove: removeEngine,
};

async function listEngines({ args, io, client }: EngineAction): Promise<number> {
  const { engines } = await client.get<{ engines: EngineChoice[] }>("/api/engines");
  if (args.flag("json")) {
    io.out(JSON.stringify(engines, null, 2) + "\n");
    return exitCodes.ok;
  }
  const rows = engines.map(({ id, status, version, downloadBytes, installedBytes, title }) => [
    id,
    status,
    installedBytes === undefined
      ? downloadBytes === 0 ? "-" : `${bytesText(downloadBytes)} to download`
      : `${bytesText(installedBytes)} on the disk`,
    version ?? "-",
    title,
  ]);
  io.out(table([["ID", "STATUS", "SIZE", "VERSION", "WHAT"], ...rows]));
  for (const { id, reason } of engines) {
    if (reason !== undefined) io.err(toPlainLines(`${id}: ${reason}`) + "\n");
  }
  return exitCodes.ok;
}

async function addEngine({ args, io, id, client }: EngineAction): Promise<number> {
  const from = args.text("from");
  let answer: Job | EngineChoice;
  try {
    answer = await client.send("POST", `/api/engines/${id}`, {
      // The server reads a folder by its whole path.
      ...(from === undefined ? {} : { from: resolve(from) }),
    });
  } catch (error) {
    if (!(error instanceof AppError) || error.code !== "CONFLICT") throw error;
    io.err(`bkg: ${toPlainLines(error.message)}\n`);
    return exitCodes.ok;
  }
  const asJson = args.flag("json");
  if (!("kind" in answer) || args.flag("detach")) {
    if (asJson) io.out(JSON.stringify(answer) + "\n");
    else if ("kind" in answer) io.out(`${answer.id}\n`);
    else io.out(`Turned on ${id}\n`);
    return exitCodes.ok;
  }
  const { status } = await followJob(answer, { client, io });
  if (status !== "done") {
    io.err(status === "paused" ? "Paused; the same command goes on with it\n" : "Cancelled\n");
    return exitCodes.interrupted;
  }
  const { engines } = await client.get<{ engines: EngineChoice[] }>("/api/engines");
  const added = engines.find((engine) => engine.id === id);
  if (asJson) io.out(JSON.stringify(added) + "\n");
  else io.out(`Added ${id}: ${added?.version ?? ""}\n`);
  return exitCodes.ok;
}

async function removeEngine({ args, io, id, client }: EngineAction): Promise<number> {
  await client.send("DELETE", `/api/engines/${id}`);
  if (args.flag("json")) io.out("{}\n");
  else io.out(`Removed ${id}\n`);
  return exitCodes.ok;
}
