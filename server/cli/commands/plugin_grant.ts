// `bkg plugin grant`: shows what a plugin asks for, and gives it only after a yes.

import type { Grant } from "../../../plugins/runtime/contract/grant.ts";
import { noPermissions } from "../../../plugins/runtime/contract/grant.ts";
import { exitCodes, UsageError } from "../command.ts";
import { printableLine } from "../terminal.ts";
import type { Grants, PluginAction } from "./plugin.ts";

export async function grant({ client, args, io, id }: PluginAction): Promise<number> {
  const path = `/api/plugins/${id}/grants`;
  const current = await client.get<Grants>(path);
  const models = args.texts("models").flatMap((text) => text.split(",")).filter(Boolean);
  const choices = [args.flag("all"), args.flag("none"), models.length > 0].filter(Boolean).length;
  if (choices > 1) throw new UsageError("Give one of --all, --none and --models");
  io.out(`${printableLine(decodeURIComponent(id))} asks for:\n${lines(current.requested)}`);
  io.out(`It has:\n${lines(current.granted)}`);

  const wanted = choices === 0 || args.flag("all")
    ? current.requested
    : args.flag("none")
    ? noPermissions
    : { ...current.requested, models };
  if (choices === 0 && !io.interactive) return exitCodes.ok;
  // A flag on a script's command line is the answer; a person is asked.
  if (io.interactive && !args.flag("yes")) {
    io.out(`It will have:\n${lines(wanted)}`);
    using prompt = io.openPrompt();
    const answer = await prompt.ask("Grant this? [y/N] ");
    if (!/^y(?:es)?$/i.test(answer?.trim() ?? "")) {
      io.out("Nothing was changed\n");
      return exitCodes.failed;
    }
  }
  const { missing } = await client.send<Grants>("PUT", path, wanted);
  io.out(
    missing.length === 0
      ? "Granted all that it asks for\n"
      : `Not granted: ${printableLine(missing.join(", "))}\n`,
  );
  return exitCodes.ok;
}

/** One line for each kind; manifests are strangers' text. */
function lines(permissions: Grant): string {
  const kinds: [string, readonly string[]][] = [
    ["models", permissions.models],
    ["services", permissions.services],
    ["fetch", permissions.fetch],
    ["read files", permissions.files.read],
    ["write files", permissions.files.write],
    ["commands", permissions.commands.map((argv) => JSON.stringify(argv))],
    ["capabilities", permissions.capabilities],
  ];
  const asked = kinds.filter(([, entries]) => entries.length > 0);
  if (asked.length === 0) return "  nothing\n";
  return asked.map(([kind, entries]) =>
    `  ${kind.padEnd(13)}${
      printableLine(entries.map((entry) => entry === "*" ? "* (all)" : entry).join(", "))
    }\n`
  ).join("");
}
