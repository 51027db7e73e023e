// `bkg plugin grant`: says in plain words what a plugin asks for, and gives it only after a yes.

import { type Grant, noPermissions } from "../../../plugins/runtime/contract/grant.ts";
import {
  type ListedPermission,
  listPermissions,
  missingPermissions,
  withPermissions,
} from "../../../plugins/runtime/contract/permission_list.ts";
import type { PluginGrants, PluginView } from "../../../plugins/runtime/host/host.ts";
import { type Arguments, exitCodes, suggestion, UsageError } from "../command.ts";
import { printableLine, table } from "../terminal.ts";
import type { PluginAction } from "./plugin.ts";

type Grants = PluginGrants & { revision: string };

export async function grant({ client, args, io, id }: PluginAction): Promise<number> {
  const path = `/api/plugins/${id}`;
  const [current, before] = await Promise.all([
    client.get<Grants>(`${path}/grants`),
    client.get<PluginView>(path),
  ]);
  const listed = listPermissions(current.requested, current.granted, {
    consented: current.consented,
  });
  const choice = readChoice(args, { current, listed });
  io.out(describe(current, listed, printableLine(before.id)));
  const isAsked = io.interactive && !args.flag("yes");
  // A flag on a script's command line is the answer; a person is asked.
  if (choice === undefined && !io.interactive && !args.flag("yes")) return exitCodes.ok;
  const granted = choice ?? current.requested;
  if (isAsked) {
    const denied = missingPermissions(current.requested, granted);
    if (denied.length > 0) io.out(`It will not have: ${printableLine(denied.join(", "))}\n`);
    using prompt = io.openPrompt();
    const answer = await prompt.ask(
      denied.length === 0 ? "Allow all of it? [y/N] " : "Allow the rest? [y/N] ",
    );
    if (!/^y(?:es)?$/i.test(answer?.trim() ?? "")) {
      io.out("Nothing was changed\n");
      return exitCodes.failed;
    }
  }
  // What was shown is what is consented to.
  const revision = encodeURIComponent(current.revision);
  const { missing } = await client.send<Grants>(
    "PUT",
    `${path}/grants?revision=${revision}`,
    granted,
  );
  io.out(
    missing.length === 0
      ? "Granted all that it asks for\n"
      : `Not granted: ${printableLine(missing.join(", "))}\n`,
  );
  if (current.consent === "needed" && before.status === "running") {
    io.out(`Version ${printableLine(before.version)} still runs; to take up the new one: `);
    io.out(`bkg plugin restart ${before.id}\n`);
  }
  return exitCodes.ok;
}

/** What the flags say shall be granted; undefined when they say nothing. */
function readChoice(
  args: Arguments,
  { current: { requested }, listed }: {
    current: PluginGrants;
    listed: readonly ListedPermission[];
  },
): Grant | undefined {
  const models = args.texts("models").flatMap((text) => text.split(",")).filter(Boolean);
  const only = choose(args.texts("only"), listed);
  const deny = choose(args.texts("deny"), listed);
  const choices = [
    args.flag("all") ? requested : undefined,
    args.flag("none") ? noPermissions : undefined,
    models.length > 0 ? { ...requested, models } : undefined,
    only.length > 0 ? withPermissions(noPermissions, only, true) : undefined,
    deny.length > 0 ? withPermissions(requested, deny, false) : undefined,
  ].filter((choice) => choice !== undefined);
  if (choices.length > 1) {
    throw new UsageError("Give one of --all, --none, --only, --deny and --models");
  }
  return choices[0];
}

/** What is asked for by these names: a kind, such as "fetch", or one permission, such as "fetch: a.example". */
function choose(names: readonly string[], listed: readonly ListedPermission[]): ListedPermission[] {
  const asked = listed.filter((one) => one.asked);
  return names.flatMap((name) => {
    const wanted = name.trim().replace(/^([a-z.]+):\s*/, "$1: ");
    const found = asked.filter((one) => one.name === wanted || one.name.startsWith(`${wanted}: `));
    if (found.length > 0) return found;
    const known = asked.map((one) => one.name);
    throw new UsageError(
      `It does not ask for "${printableLine(name)}"${printableLine(suggestion(name, known))}`,
    );
  });
}

/** One line for each permission; manifests are strangers' text. */
function describe(
  { version, consent, requested, granted }: PluginGrants,
  listed: readonly ListedPermission[],
  id: string,
): string {
  const head = consent === "needed"
    ? `${id} ${printableLine(version)} does not start before you decide. It asks for:\n`
    : `${id} ${printableLine(version)} asks for:\n`;
  const rows = (some: readonly ListedPermission[]) =>
    table(some.map((one) => [`  ${one.name}`, one.meaning, stateOf(one)])) || "  nothing\n";
  const extra = listed.filter(({ asked }) => !asked);
  return [
    head,
    rows(listed.filter(({ asked }) => asked)),
    ...(extra.length === 0 ? [] : ["It was given besides:\n", rows(extra)]),
    ...(missingPermissions(requested, granted).length > 0 || listed.length === 0
      ? []
      : ["It has all of it\n"]),
  ].join("");
}

function stateOf({ granted, isNew }: ListedPermission): string {
  if (isNew) return "new";
  return granted ? "granted" : "not granted";
}
