// `bkg user reset-password`: the way back in for who can read the data folder, whether the server runs or not.

import { AppError } from "../../../plugins/runtime/contract/error.ts";
import { toPlainLines } from "../../../plugins/runtime/contract/plain_text.ts";
import { requireGoodPassword } from "../../auth/password_rules.ts";
import { invitationUrl } from "../../auth/sign_in_url.ts";
import { connect } from "../client.ts";
import { type Arguments, type CliIo, exitCodes, isUnreachable } from "../command.ts";
import { readConfig } from "../../config.ts";
import { openStoppedDatabase } from "../stopped_database.ts";
import { printableLine } from "../terminal.ts";
import { findUser, type Link, printLink } from "./user.ts";

/** One way to the account: over the running server, or in its database. */
interface Reset {
  name: string;
  setPassword(password: string): Promise<void>;
  invite(): Promise<Link>;
}

export async function resetPassword(args: Arguments, io: CliIo, name: string): Promise<number> {
  const client = await connect(args, io);
  try {
    const user = await findUser(client, name);
    const path = `/admin/users/${user.id}`;
    return await reset(args, io, {
      name: user.name,
      setPassword: async (password) =>
        void await client.send("POST", `${path}/password`, { password }),
      invite: () => client.send<Link>("POST", `${path}/invite`),
    });
  } catch (error) {
    const isElsewhere = args.text("url") !== undefined || Boolean(io.env["BKG_URL"]);
    if (!isUnreachable(error) || isElsewhere) throw error;
  }
  return await resetStopped(args, io, { name, url: client.url });
}

async function resetStopped(
  args: Arguments,
  io: CliIo,
  { name, url }: { name: string; url: string },
): Promise<number> {
  const { db, bundles } = await openStoppedDatabase(args, io);
  await using _ = db;
  const { createAccounts } = await import("../../auth/accounts_store.ts");
  const { createPasswords } = await import("../../auth/passwords.ts");
  const { seedAccounts } = await import("../../auth/roles_store.ts");
  using passwords = createPasswords({ bundles });
  await seedAccounts(db);
  // Nobody is signed in to a server that does not run.
  const accounts = createAccounts({ db, passwords, identities: { changed: () => {} } });
  const user = await accounts.findByName(name);
  if (user === undefined) {
    throw new AppError("NOT_FOUND", `There is no user "${name.slice(0, 64)}"`);
  }
  const { publicUrl } = readConfig(io.env, {});
  io.err("The server is stopped; this changes its database\n");
  return await reset(args, io, {
    name: user.name,
    setPassword: (password) => accounts.setPassword(user.id, password),
    async invite() {
      const invitation = await accounts.invite(user.id);
      return { ...invitation, url: invitationUrl(publicUrl ?? url, invitation.code) };
    },
  });
}

/** A person may type a password; everyone else gets a link. */
async function reset(args: Arguments, io: CliIo, { name, ...way }: Reset): Promise<number> {
  const password = io.interactive && !args.flag("json") ? await askPassword(io, name) : "";
  if (password === undefined) {
    io.out("Nothing was changed\n");
    return exitCodes.failed;
  }
  if (password === "") {
    const link = await way.invite();
    if (!args.flag("json")) return printLink(io, name, link);
    io.out(toPlainLines(JSON.stringify(link, null, 2)) + "\n");
    return exitCodes.ok;
  }
  await way.setPassword(password);
  io.out(printableLine(`${name} signs in with the new password; other sessions have ended`) + "\n");
  return exitCodes.ok;
}

/** Empty: a link is wanted. Undefined: nothing is. */
async function askPassword(io: CliIo, name: string): Promise<string | undefined> {
  while (true) {
    const password = await io.askSecret(
      `New password for "${printableLine(name)}" (empty: print a link instead): `,
    );
    if (password === undefined || password === "") return password;
    try {
      requireGoodPassword(password, { name });
    } catch (error) {
      if (!(error instanceof AppError)) throw error;
      io.err(`${error.message}\n`);
      continue;
    }
    const again = await io.askSecret("The same again: ");
    if (again === undefined || again === password) return again;
    io.err("These were two passwords; once more\n");
  }
}
