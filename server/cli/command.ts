// What a command of the CLI is, and how its arguments are read and explained.

import { parseArgs } from "node:util";
import { closeNames } from "../../plugins/runtime/contract/close_names.ts";
import { AppError } from "../../plugins/runtime/contract/error.ts";
import type { Env } from "../config.ts";

export interface Command {
  name: string;
  summary: string;
  /** Lines of usage without the leading "bkg ". */
  usage: readonly string[];
  options?: Record<string, CommandOption>;
  /** Lines below the flags in the help. */
  details?: readonly string[];
  /** Returns the exit code. */
  run(args: Arguments, io: CliIo): Promise<number>;
}

export interface CommandOption {
  type: "string" | "boolean";
  description: string;
  short?: string;
  /** Name of a string's value in the help, such as "PORT". */
  value?: string;
  multiple?: boolean;
}

export interface Arguments {
  positionals: string[];
  text(name: string): string | undefined;
  texts(name: string): string[];
  flag(name: string): boolean;
}

/** The world of a command: a test gives another. */
export interface CliIo {
  env: Env;
  out(text: string): void;
  err(text: string): void;
  /** Whether a person sits at both ends. */
  interactive: boolean;
  /** Of the terminal at stderr, where a line may be overwritten; undefined: it is none. */
  errColumns?: number;
  /** Calls the listener at each Ctrl-C, which then does nothing else; the answer ends that. */
  onInterrupt?(listener: () => void): () => void;
  readAll(): Promise<string>;
  openPrompt(): Prompt;
  /** Asks without showing what is typed; undefined at Ctrl-C and at the end of the input. */
  askSecret(question: string): Promise<string | undefined>;
  fetch: typeof fetch;
}

/** Lines from a terminal. */
export interface Prompt extends Disposable {
  /** Undefined at the end of the input. */
  ask(question: string): Promise<string | undefined>;
  /** Called for each Ctrl-C; without a listener it ends a waiting `ask`. */
  onInterrupt: (() => void) | undefined;
}

export const exitCodes = {
  ok: 0,
  failed: 1,
  usage: 2,
  /** No server answers. */
  unreachable: 3,
  /** Another process holds the port or the data folder. */
  inUse: 4,
  interrupted: 130,
} as const;

/** A mistake on the command line: exit code 2. */
export class UsageError extends Error {
  override readonly name = "UsageError";
}

/** Every command that talks to a server takes these. */
export const clientOptions: Record<string, CommandOption> = {
  url: { type: "string", value: "URL", description: "the server (BKG_URL; default: this machine)" },
  "data-dir": { type: "string", value: "DIR", description: "where admin-token is (BKG_DATA_DIR)" },
  json: { type: "boolean", description: "print JSON" },
};

export function parseCommandLine(command: Command, args: string[]): Arguments {
  const options = { ...command.options, help: helpOption };
  const flags = Object.entries(options).map(([name, { type, short, multiple = false }]) =>
    [name, { type, multiple, ...(short === undefined ? {} : { short }) }] as const
  );
  let parsed;
  try {
    parsed = parseArgs({ args, options: Object.fromEntries(flags), allowPositionals: true });
  } catch (error) {
    const message = error instanceof Error ? error.message : String(error);
    const unknown = /Unknown option '([^']+)'/.exec(message)?.[1];
    const known = Object.keys(options).map((name) => `--${name}`);
    throw new UsageError(
      unknown === undefined
        ? message
        : `bkg ${command.name} has no flag "${unknown}"${suggestion(unknown, known)}`,
    );
  }
  const values = parsed.values as Record<string, unknown>;
  return {
    positionals: parsed.positionals,
    text: (name) => typeof values[name] === "string" ? values[name] : undefined,
    texts: (name) => Array.isArray(values[name]) ? values[name].map(String) : [],
    flag: (name) => values[name] === true,
  };
}

export function helpOf(command: Command): string {
  const lines = Object.entries({ ...command.options, help: helpOption }).map(([name, option]) => {
    const short = option.short === undefined ? "    " : `-${option.short}, `;
    const value = option.type === "string" ? ` ${option.value ?? "VALUE"}` : "";
    return `  ${short}${`--${name}${value}`.padEnd(22)} ${option.description}`;
  });
  const usage = command.usage.map((line) => `  bkg ${line}`);
  const details = command.details === undefined ? [] : ["", ...command.details];
  return [command.summary, "", "Usage:", ...usage, "", "Flags:", ...lines, ...details, ""].join(
    "\n",
  );
}

/** `; did you mean "--port"?`, or nothing when no name is close. */
export function suggestion(given: string, known: readonly string[]): string {
  const [closest] = closeNames(given, known);
  return closest === undefined ? "" : `; did you mean "${closest}"?`;
}

export function exitCodeOf(error: unknown): number {
  if (error instanceof UsageError) return exitCodes.usage;
  if (!(error instanceof AppError)) return exitCodes.failed;
  if (error.code === "UNAVAILABLE" && isUnreachable(error)) return exitCodes.unreachable;
  return exitCodes.failed;
}

/** Whether nothing answered at the server's address. */
export function isUnreachable(error: unknown): boolean {
  return error instanceof AppError &&
    (error.details as { unreachable?: unknown } | undefined)?.unreachable === true;
}

const helpOption: CommandOption = { type: "boolean", short: "h", description: "show this" };
