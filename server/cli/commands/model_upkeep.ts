// `bkg model verify | rm | pin | unpin | gc`: what keeps a model store whole and small.

import type { Job } from "../../../plugins/runtime/contract/job.ts";
import type { Garbage, VerifiedFile } from "../../../models/model.ts";
import { bytesText } from "../amounts.ts";
import { exitCodes, UsageError } from "../command.ts";
import { followJob } from "../follow_job.ts";
import { printableLine } from "../terminal.ts";
import { type ModelAction, modelPath } from "./model.ts";

export async function verifyModel({ args, io, subject, connect }: ModelAction): Promise<number> {
  const client = await connect();
  const started = await client.send<Job>("POST", `${modelPath(subject)}/verify`);
  const job = await followJob(started, { client, io });
  if (job.status !== "done") return exitCodes.interrupted;
  const { files } = job.result as { files: VerifiedFile[] };
  if (args.flag("json")) io.out(JSON.stringify(files, null, 2) + "\n");
  else {
    for (const { name, size, digest, expected, ok } of files) {
      const verdict = ok ? expected === undefined ? "read" : "ok" : "DAMAGED";
      const detail = ok ? digest : `${digest}, and should be ${expected}`;
      io.out(`${verdict}  ${printableLine(name)}  ${bytesText(size)}  ${detail}\n`);
    }
  }
  if (files.every(({ ok }) => ok)) return exitCodes.ok;
  io.err(`bkg: pull ${printableLine(subject)} again\n`);
  return exitCodes.failed;
}

export async function removeModel({ args, io, subject, connect }: ModelAction): Promise<number> {
  const client = await connect();
  const query = args.flag("force") ? "?force=1" : "";
  const freed = await client.send<{ freedBytes: number }>("DELETE", modelPath(subject) + query);
  if (args.flag("json")) io.out(JSON.stringify(freed) + "\n");
  else io.out(`Removed ${printableLine(subject)}: ${bytesText(freed.freedBytes)} are free again\n`);
  return exitCodes.ok;
}

export async function pinModel(
  { args, io, subject, connect }: ModelAction,
  pinned: boolean,
): Promise<number> {
  const client = await connect();
  const model = await client.send<{ id: string }>("PUT", `${modelPath(subject)}/pin`, { pinned });
  if (args.flag("json")) io.out(JSON.stringify(model) + "\n");
  else io.out(`${pinned ? "Pinned" : "Unpinned"} ${printableLine(model.id)}\n`);
  return exitCodes.ok;
}

export async function collectGarbage({ args, io, connect }: ModelAction): Promise<number> {
  const days = args.text("unused");
  if (days !== undefined && !/^\d{1,5}$/.test(days)) {
    throw new UsageError(`--unused is a number of days, and not "${days}"`);
  }
  const dryRun = args.flag("dry-run");
  const client = await connect();
  const garbage = await client.send<Garbage>("POST", "/api/models/gc", {
    dryRun,
    ...(days === undefined ? {} : { unusedDays: Number(days) }),
  });
  if (args.flag("json")) {
    io.out(JSON.stringify(garbage) + "\n");
    return exitCodes.ok;
  }
  for (const id of garbage.models) io.out(`${printableLine(id)}\n`);
  const { models, blobs, partials, freedBytes } = garbage;
  io.out(
    `${dryRun ? "Would remove" : "Removed"} ${models.length} models, ${blobs} files, ` +
      `${partials} downloads that nobody waits for: ${bytesText(freedBytes)}\n`,
  );
  return exitCodes.ok;
}
