// `bkg model list`: the models that the server can open.

import { toPlainLines } from "../../../plugins/runtime/contract/plain_text.ts";
import type { ModelRecord } from "../../../models/model.ts";
import { connect } from "../client.ts";
import { clientOptions, type Command, exitCodes, suggestion, UsageError } from "../command.ts";
import { table } from "../terminal.ts";

export const model: Command = {
  name: "model",
  summary: "List models.",
  usage: ["model list"],
  options: clientOptions,
  async run(args, io) {
    const [action] = args.positionals;
    if (action !== "list") {
      throw new UsageError(
        action === undefined
          ? "bkg model needs: list"
          : `bkg model has no "${action}"${suggestion(action, ["list"])}`,
      );
    }
    const client = await connect(args, io);
    const { models } = await client.get<{ models: ModelRecord[] }>("/api/models");
    if (args.flag("json")) {
      io.out(toPlainLines(JSON.stringify(models, null, 2)) + "\n");
      return exitCodes.ok;
    }
    if (models.length === 0) {
      io.err("No models; put a GGUF file into a folder of BKG_MODEL_PATHS\n");
    }
    const rows = models.map((model) => [
      model.id,
      `${(model.size / 1e6).toFixed(1)} MB`,
      model.quantization,
      model.architecture,
      model.description ?? "",
    ]);
    if (rows.length > 0) {
      io.out(table([["ID", "SIZE", "QUANTIZATION", "ARCHITECTURE", "DESCRIPTION"], ...rows]));
    }
    return exitCodes.ok;
  },
};
