// `bkg cell`: what the server starts for each running plugin. Not for people.

import type { Command } from "../command.ts";

export const cell: Command = {
  name: "cell",
  summary: "Run one plugin's cell; the server starts these itself.",
  usage: ["cell"],
  async run() {
    const { runCell } = await import("../../cells/cell_main.ts");
    return await runCell();
  },
};
