// `bkg user ...`: who may sign in, and as what.

import { toPlainLines } from "../../../plugins/runtime/contract/plain_text.ts";
import { AppError } from "../../../plugins/runtime/contract/error.ts";
import type { Invitation, UserView } from "../../auth/accounts.ts";
import { readUserName } from "../../auth/user_name.ts";
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
import { everyItem } from "../paging.ts";
import { printableLine, table } from "../terminal.ts";
import { resetPassword } from "./user_password.ts";

export const user: Command = {
  name: "user",
  summary: "List, invite, disable and delete users.",
  usage: [
    "user list [--query TEXT]",
    "user add NAME [--role ROLE] [--scope SCOPE]...",
    "user invite NAME",
    "user role NAME ROLE",
    "user disable|enable NAME",
    "user delete NAME [--yes]",
    "user reset-password [NAME]",
  ],
  options: {
    role: { type: "string", value: "ROLE", description: "add: admin, operator or user (default)" },
    scope: {
      type: "string",
      value: "SCOPE",
      multiple: true,
      description: 'add: no more than this, such as "invoke:llm.chat"; may be repeated',
    },
    query: { type: "string", value: "TEXT", description: "list: names with this in them" },
    yes: { type: "boolean", short: "y", description: "delete: do not ask" },
    ...clientOptions,
  },
  details: [
    "add, invite and reset-password print a link by which the user chooses a password: it works",
    'once, within 72 hours, and is shown this once. reset-password is of "admin", the operator\'s own',
    "account, without a NAME; on a terminal it takes a new password instead; and it works while the",
    "server is stopped, on its database.",
  ],
  async run(args, io) {
    const [action, name, ...rest] = args.positionals;
    if (action === "reset-password") return await resetPassword(args, io, name ?? "admin");
    const run = action === undefined ? undefined : actions[action];
    if (run === undefined) {
      const names = [...Object.keys(actions), "reset-password"];
      throw new UsageError(
        action === undefined
          ? `bkg user needs one of: ${names.join(", ")}`
          : `bkg user has no "${action}"${suggestion(action, names)}`,
      );
    }
    if (name === undefined && action !== "list") {
      throw new UsageError(`bkg user ${action} needs a NAME`);
    }
    return await run({ client: await connect(args, io), args, io, name: name ?? "", rest });
  },
};

interface UserAction {
  client: Client;
  args: Arguments;
  io: CliIo;
  name: string;
  rest: string[];
}

const actions: Record<string, (action: UserAction) => Promise<number>> = {
  list,
  add,
  invite,
  role,
  disable: (action) => change(action, { disabled: true }),
  enable: (action) => change(action, { disabled: false }),
  delete: remove,
};

/** The user of that name; throws NOT_FOUND. */
export async function findUser(client: Client, name: string): Promise<UserView> {
  const known = readUserName(name);
  if (known !== undefined) {
    const query = { query: known };
    const users = everyItem<UserView>(client, { path: "/admin/users", field: "users", query });
    for await (const user of users) if (user.name === known) return user;
  }
  throw new AppError("NOT_FOUND", `There is no user "${name.slice(0, 64)}"`);
}

async function list({ client, args, io }: UserAction): Promise<number> {
  const query = args.text("query");
  const users = await Array.fromAsync(everyItem<UserView>(client, {
    path: "/admin/users",
    field: "users",
    query: query === undefined ? {} : { query },
  }));
  if (args.flag("json")) return printJson(io, users);
  const rows = users.map(({ name, role, status, scopes, lastSignInAtMs, id }) => [
    name,
    role,
    status,
    scopes === null ? "-" : scopes.join(", ") || "none",
    lastSignInAtMs === null ? "-" : new Date(lastSignInAtMs).toISOString().slice(0, 16) + "Z",
    id,
  ]);
  io.out(table([["NAME", "ROLE", "STATUS", "NARROWED TO", "LAST SIGN-IN", "ID"], ...rows]));
  return exitCodes.ok;
}

async function add({ client, args, io, name }: UserAction): Promise<number> {
  const scopes = args.texts("scope");
  const made = await client.send<{ user: UserView; invitation: Link }>("POST", "/admin/users", {
    name,
    role: args.text("role") ?? "user",
    ...(scopes.length > 0 ? { scopes } : {}),
  });
  if (args.flag("json")) return printJson(io, made);
  return printLink(io, made.user.name, made.invitation);
}

async function invite({ client, args, io, name }: UserAction): Promise<number> {
  const { id, name: known } = await findUser(client, name);
  const link = await client.send<Link>("POST", `/admin/users/${id}/invite`);
  return args.flag("json") ? printJson(io, link) : printLink(io, known, link);
}

async function role(action: UserAction): Promise<number> {
  const [role] = action.rest;
  if (role === undefined) throw new UsageError("bkg user role needs a NAME and a ROLE");
  return await change(action, { role });
}

async function change(
  { client, args, io, name }: UserAction,
  given: Record<string, unknown>,
): Promise<number> {
  const { id } = await findUser(client, name);
  const user = await client.send<UserView>("PATCH", `/admin/users/${id}`, given);
  if (args.flag("json")) return printJson(io, user);
  io.out(printableLine(`${user.name}: ${user.role}, ${user.status}`) + "\n");
  return exitCodes.ok;
}

async function remove({ client, args, io, name }: UserAction): Promise<number> {
  const { id, name: known } = await findUser(client, name);
  if (!args.flag("yes")) {
    if (!io.interactive) throw new UsageError("bkg user delete needs --yes where nobody is asked");
    using prompt = io.openPrompt();
    const answer = await prompt.ask(
      `Delete "${printableLine(known)}" with chats, presets and keys? [y/N] `,
    );
    if (!/^y(?:es)?$/i.test(answer?.trim() ?? "")) {
      io.out("Nothing was changed\n");
      return exitCodes.failed;
    }
  }
  await client.send("DELETE", `/admin/users/${id}`);
  io.out(printableLine(`Deleted ${known}`) + "\n");
  return exitCodes.ok;
}

export type Link = Invitation & { url: string };

/** The link alone goes to stdout. */
export function printLink(io: CliIo, name: string, { url }: Link): number {
  io.err(
    printableLine(`Give this link to ${name}; it sets a password, once, within 72 hours:`) + "\n",
  );
  io.out(printableLine(url) + "\n");
  return exitCodes.ok;
}

function printJson(io: CliIo, value: unknown): number {
  io.out(toPlainLines(JSON.stringify(value, null, 2)) + "\n");
  return exitCodes.ok;
}
