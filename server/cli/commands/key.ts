// `bkg key ...`: API keys, of one's own account or of anyone's.

import { toPlainLines } from "../../../plugins/runtime/contract/plain_text.ts";
import type { KeyView, NewKey } from "../../auth/api_keys.ts";
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
import { readDuration } from "../duration.ts";
import { everyItem } from "../paging.ts";
import { printableLine, table } from "../terminal.ts";
import { findUser } from "./user.ts";

export const key: Command = {
  name: "key",
  summary: "List, create, rotate and revoke API keys.",
  usage: [
    "key list [--user NAME | --all]",
    "key create NAME --scope SCOPE... [--user NAME] [--expires 90d]",
    "key rotate ID [--overlap 24h] [--all]",
    "key revoke ID [--all]",
  ],
  options: {
    scope: {
      type: "string",
      value: "SCOPE",
      multiple: true,
      description: 'create: what it may do, such as "invoke:llm.chat"; may be repeated',
    },
    user: { type: "string", value: "NAME", description: "list, create: of this user" },
    all: { type: "boolean", description: "everyone's keys and not your own alone" },
    expires: {
      type: "string",
      value: "TIME",
      description: "create: ends after 12h, 90d... (never)",
    },
    overlap: {
      type: "string",
      value: "TIME",
      description: "rotate: the old secret works on for 0, 30m, 7d... (24h)",
    },
    ...clientOptions,
  },
  details: [
    "A key is printed once, when it is made; the server keeps a hash of it. It never may do more",
    "than its user, nor than who makes it. What is revoked is refused from the next call on.",
  ],
  async run(args, io) {
    const [name, subject] = args.positionals;
    const action = name === undefined ? undefined : actions[name];
    if (action === undefined) {
      throw new UsageError(
        name === undefined
          ? `bkg key needs one of: ${Object.keys(actions).join(", ")}`
          : `bkg key has no "${name}"${suggestion(name, Object.keys(actions))}`,
      );
    }
    if (subject === undefined && name !== "list") {
      throw new UsageError(`bkg key ${name} needs ${name === "create" ? "a NAME" : "an ID"}`);
    }
    return await action({ args, io, subject: subject ?? "", connect: () => connect(args, io) });
  },
};

interface KeyAction {
  args: Arguments;
  io: CliIo;
  /** NAME or ID. */
  subject: string;
  /** Called when the command line is known to be right. */
  connect(): Promise<Client>;
}

const actions: Record<string, (action: KeyAction) => Promise<number>> = {
  list,
  create,
  rotate,
  revoke,
};

async function list({ args, io, connect }: KeyAction): Promise<number> {
  const client = await connect();
  const user = args.text("user");
  const userId = user === undefined ? undefined : (await findUser(client, user)).id;
  const ofOthers = args.flag("all") || userId !== undefined;
  const keys = await Array.fromAsync(everyItem<KeyView>(client, {
    path: ofOthers ? "/admin/keys" : "/api/keys",
    field: "keys",
    query: userId === undefined ? {} : { userId },
  }));
  if (args.flag("json")) return printJson(io, keys);
  if (keys.length === 0) io.err('No keys; "bkg key create" makes one\n');
  const rows = keys.map((key) => [
    key.id,
    key.name,
    key.userName,
    key.scopes.join(", "),
    key.expiresAtMs === null ? "never" : day(key.expiresAtMs),
    key.lastUsedAtMs === null ? "-" : day(key.lastUsedAtMs),
  ]);
  const heads = ["ID", "NAME", "USER", "SCOPES", "EXPIRES", "LAST USE"];
  if (keys.length > 0) io.out(table([heads, ...rows]));
  return exitCodes.ok;
}

async function create({ args, io, subject, connect }: KeyAction): Promise<number> {
  const scopes = args.texts("scope");
  if (scopes.length === 0) {
    throw new UsageError('bkg key create needs a --scope, such as "invoke:llm.chat" or "invoke:*"');
  }
  const expires = args.text("expires");
  const lifeMs = expires === undefined ? undefined : readDuration("--expires", expires);
  const client = await connect();
  const user = args.text("user");
  const owner = user === undefined ? {} : { userId: (await findUser(client, user)).id };
  const made = await client.send<NewKey>("POST", user === undefined ? "/api/keys" : "/admin/keys", {
    ...owner,
    name: subject,
    scopes,
    ...(lifeMs === undefined ? {} : { expiresAtMs: Date.now() + lifeMs }),
  });
  return printKey(args, io, made, "The key is shown this once; keep it as you keep a password:");
}

async function rotate({ args, io, subject, connect }: KeyAction): Promise<number> {
  const overlap = args.text("overlap");
  const overlapMs = overlap === undefined ? undefined : readDuration("--overlap", overlap);
  const client = await connect();
  const made = await client.send<NewKey>("POST", `${pathOf(args, subject)}/rotate`, { overlapMs });
  const { previousUntilMs } = made.view;
  const old = previousUntilMs === null
    ? "the old one has ended"
    : `the old one works until ${new Date(previousUntilMs).toISOString().slice(0, 16)}Z`;
  return printKey(args, io, made, `The new key is shown this once; ${old}:`);
}

async function revoke({ args, io, subject, connect }: KeyAction): Promise<number> {
  const client = await connect();
  await client.send("DELETE", pathOf(args, subject));
  io.out(printableLine(`Revoked ${subject}`) + "\n");
  return exitCodes.ok;
}

function pathOf(args: Arguments, id: string): string {
  return `${args.flag("all") ? "/admin" : "/api"}/keys/${encodeURIComponent(id)}`;
}

/** The key alone goes to stdout. */
function printKey(args: Arguments, io: CliIo, made: NewKey, words: string): number {
  if (args.flag("json")) return printJson(io, made);
  io.err(`${words}\n`);
  io.out(printableLine(made.key) + "\n");
  return exitCodes.ok;
}

function day(atMs: number): string {
  return new Date(atMs).toISOString().slice(0, 10);
}

function printJson(io: CliIo, value: unknown): number {
  io.out(toPlainLines(JSON.stringify(value, null, 2)) + "\n");
  return exitCodes.ok;
}
