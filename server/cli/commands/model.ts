// `bkg model ...`: the models of the server; its actions are in model_*.ts beside.

import { type Client, connect } from "../client.ts";
import {
  type Arguments,
  clientOptions,
  type CliIo,
  type Command,
  suggestion,
  UsageError,
} from "../command.ts";
import { listCatalog, listModels, showModel } from "./model_list.ts";
import { pullModel, requireSource } from "./model_pull.ts";
import { distrustModel, trustModel } from "./model_trust.ts";
import { collectGarbage, pinModel, removeModel, verifyModel } from "./model_upkeep.ts";

export const model: Command = {
  name: "model",
  summary: "Pull, list, verify, trust and remove models.",
  usage: [
    "model list [--catalog]",
    "model show MODEL",
    "model pull SOURCE [--id ID] [--detach]",
    "model verify MODEL",
    "model trust MODEL, model untrust MODEL",
    "model rm MODEL [--force]",
    "model pin MODEL, model unpin MODEL",
    "model gc [--unused DAYS] [--dry-run]",
  ],
  options: {
    catalog: { type: "boolean", description: "list: models to pull, and whether they fit" },
    id: { type: "string", value: "ID", description: "pull: what the model is to be called" },
    detach: { type: "boolean", description: "pull: print the job's id and do not wait" },
    force: { type: "boolean", description: "rm: also when it is pinned" },
    unused: { type: "string", value: "DAYS", description: "gc: also models not used for so long" },
    "dry-run": { type: "boolean", description: "gc: only tell what would be removed" },
    ...clientOptions,
  },
  details: [
    "SOURCE is owner/name, owner/name:Q8_0, owner/name@revision:file.gguf on the Hugging Face hub",
    "(HF_ENDPOINT, HF_TOKEN), an id of the catalog, a URL, or a file. A pull is a job of the server:",
    "Ctrl-C pauses it, and the same command goes on with it, also after the server was stopped.",
    "Native engines open trusted models alone: what came with bkg, what was pulled as the catalog",
    "names it, and what you trust. A file that changes is trusted no more.",
  ],
  async run(args, io) {
    const [name, subject] = args.positionals;
    const action = name === undefined ? undefined : actions[name];
    if (name === undefined || action === undefined) {
      const names = Object.keys(actions);
      throw new UsageError(
        name === undefined
          ? `bkg model needs one of: ${names.join(", ")}`
          : `bkg model has no "${name}"${suggestion(name, names)}`,
      );
    }
    if (name === "pull") requireSource(subject);
    else if (subject === undefined && !["list", "gc"].includes(name)) {
      throw new UsageError(`bkg model ${name} needs a MODEL; see bkg model list`);
    }
    return await action({ args, io, subject: subject ?? "", connect: () => connect(args, io) });
  },
};

export interface ModelAction {
  args: Arguments;
  io: CliIo;
  /** MODEL or SOURCE. */
  subject: string;
  /** Called when the command line is known to be right. */
  connect(): Promise<Client>;
}

/** Where the server keeps it; an id may hold "/" and ":". */
export function modelPath(id: string): string {
  return `/api/models/${encodeURIComponent(id)}`;
}

const actions: Record<string, (action: ModelAction) => Promise<number>> = {
  list: (action) => action.args.flag("catalog") ? listCatalog(action) : listModels(action),
  show: showModel,
  pull: pullModel,
  verify: verifyModel,
  trust: trustModel,
  untrust: distrustModel,
  rm: removeModel,
  pin: (action) => pinModel(action, true),
  unpin: (action) => pinModel(action, false),
  gc: collectGarbage,
};
