// `bkg database`: the process that holds the database in the data folder. Not for people.

import { type Command, UsageError } from "../command.ts";

export const database: Command = {
  name: "database",
  summary: "Hold the database of a data folder; the server starts this itself.",
  usage: ["database FOLDER ASSETS"],
  async run({ positionals: [folder, assets] }) {
    if (folder === undefined || assets === undefined) throw new UsageError("Two folders are asked");
    const { runPglite } = await import("../../db/pglite_main.ts");
    return await runPglite(folder, assets);
  },
};
