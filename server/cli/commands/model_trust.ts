// `bkg model trust | untrust`: which models native engines may open.

import type { Job } from "../../../plugins/runtime/contract/job.ts";
import { toPlainLines } from "../../../plugins/runtime/contract/plain_text.ts";
import { exitCodes } from "../command.ts";
import { followJob } from "../follow_job.ts";
import { printableLine } from "../terminal.ts";
import { type ModelAction, modelPath } from "./model.ts";

/** Files that nobody has read yet are read first, which the server does as a job. */
export async function trustModel(action: ModelAction): Promise<number> {
  const { io, subject, connect } = action;
  const client = await connect();
  const path = modelPath(subject);
  const answer = await client.send<Named | Job>("POST", `${path}/trust`, { trusted: true });
  if (!("status" in answer)) return tell(action, "Trusted", answer);
  const { status } = await followJob(answer, { client, io });
  if (status !== "done") return exitCodes.interrupted;
  return tell(action, "Trusted", await client.get<Named>(path));
}

export async function distrustModel(action: ModelAction): Promise<number> {
  const client = await action.connect();
  const path = `${modelPath(action.subject)}/trust`;
  return tell(action, "Untrusted", await client.send<Named>("POST", path, { trusted: false }));
}

interface Named {
  id: string;
}

function tell({ args, io }: ModelAction, done: string, model: Named): number {
  if (args.flag("json")) io.out(toPlainLines(JSON.stringify(model)) + "\n");
  else io.out(`${done} ${printableLine(model.id)}\n`);
  return exitCodes.ok;
}
