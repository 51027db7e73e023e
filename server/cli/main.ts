// bkg's command line. Each command is one file; errors become one line and an exit code here.

import { toPlainLines } from "../../plugins/runtime/contract/plain_text.ts";
import { AppError } from "../../plugins/runtime/contract/error.ts";
import {
  type CliIo,
  type Command,
  exitCodeOf,
  exitCodes,
  helpOf,
  parseCommandLine,
  suggestion,
  UsageError,
} from "./command.ts";
import { backup } from "./commands/backup.ts";
import { cell } from "./commands/cell.ts";
import { database } from "./commands/database.ts";
import { doctor } from "./commands/doctor.ts";
import { engine } from "./commands/engine.ts";
import { key } from "./commands/key.ts";
import { login } from "./commands/login.ts";
import { model } from "./commands/model.ts";
import { plugin } from "./commands/plugin.ts";
import { restore } from "./commands/restore.ts";
import { run } from "./commands/run.ts";
import { serve } from "./commands/serve.ts";
import { user } from "./commands/user.ts";
import { processIo } from "./terminal.ts";

const commands: readonly Command[] = [
  serve,
  login,
  run,
  plugin,
  model,
  engine,
  user,
  key,
  doctor,
  backup,
  restore,
  cell,
  database,
];

/** Runs one command line; returns its exit code. */
export async function runCli(args: readonly string[], io: CliIo): Promise<number> {
  const [name, ...rest] = args;
  try {
    if (name === undefined) {
      io.err(generalHelp());
      return exitCodes.usage;
    }
    if (name === "--help" || name === "-h" || name === "help") {
      const asked = rest[0] === undefined ? undefined : find(rest[0]);
      io.out(asked === undefined ? generalHelp() : helpOf(asked));
      return exitCodes.ok;
    }
    const command = find(name);
    if (rest.includes("--help") || rest.includes("-h")) {
      io.out(helpOf(command));
      return exitCodes.ok;
    }
    return await command.run(parseCommandLine(command, rest), io);
  } catch (error) {
    // Messages may quote what a plugin or another server wrote.
    const text = error instanceof AppError || error instanceof UsageError
      ? error.message
      : error instanceof Error
      ? error.stack ?? error.message
      : String(error);
    io.err(`bkg: ${toPlainLines(text)}\n`);
    return exitCodeOf(error);
  }
}

function find(name: string): Command {
  const command = commands.find((command) => command.name === name);
  if (command !== undefined) return command;
  const names = commands.map(({ name }) => name);
  throw new UsageError(
    `There is no command "${name}"${suggestion(name, names)}; bkg --help lists them`,
  );
}

function generalHelp(): string {
  const lines = commands.map(({ name, summary }) => `  ${name.padEnd(8)} ${summary}`);
  return [
    "bkg runs AI plugins, each in a sandbox of its own.",
    "",
    "Usage: bkg COMMAND [FLAGS]",
    "",
    ...lines,
    "",
    "bkg COMMAND --help explains one command.",
    "",
  ].join("\n");
}

if (import.meta.main) Deno.exit(await runCli(Deno.args, processIo()));
