// `bkg model pull SOURCE`, and the pull before `bkg run`: a job of the server, followed here.

import { isAbsolute, resolve } from "node:path";
import { AppError } from "../../../plugins/runtime/contract/error.ts";
import type { Job } from "../../../plugins/runtime/contract/job.ts";
import type { CatalogModel } from "../../../models/catalog.ts";
import { bytesText } from "../amounts.ts";
import type { Client } from "../client.ts";
import { type CliIo, exitCodes, UsageError } from "../command.ts";
import { followJob } from "../follow_job.ts";
import { printableLine } from "../terminal.ts";
import type { ModelAction } from "./model.ts";

export async function pullModel({ args, io, subject, connect }: ModelAction): Promise<number> {
  const client = await connect();
  const id = args.text("id");
  const job = await startPull(client, subject, id === undefined ? {} : { id });
  const asJson = args.flag("json");
  if (job === undefined) {
    io.err(`${printableLine(subject)} is here already; bkg model verify reads it again\n`);
    return exitCodes.ok;
  }
  if (args.flag("detach")) {
    io.out(asJson ? JSON.stringify(job) + "\n" : `${job.id}\n`);
    return exitCodes.ok;
  }
  const ended = await followJob(job, { client, io });
  if (asJson) io.out(JSON.stringify(ended) + "\n");
  return reportPull(ended, io, asJson);
}

/**
 * The id under which a model chats: its own where the server has it, else that of what is pulled first. Undefined
 * when the pull was paused or cancelled, which was told.
 */
export async function pullUnlessThere(
  name: string,
  { client, io }: { client: Client; io: CliIo },
): Promise<string | undefined> {
  try {
    const { id } = await client.get<{ id: string }>(`/v1/models/${encodeURIComponent(name)}`);
    return id;
  } catch (error) {
    if (!(error instanceof AppError)) throw error;
    // A key that may chat need not be one that may look around.
    if (error.code === "FORBIDDEN") return name;
    if (error.code !== "NOT_FOUND") throw error;
    const source = await findSource(client, name);
    if (source === undefined) throw error;
    io.err(`${printableLine(name)} is not here yet; pulling ${printableLine(source)}\n`);
    const job = await startPull(client, source);
    if (job === undefined) return name;
    const ended = await followJob(job, { client, io });
    return reportPull(ended, io, false) === exitCodes.ok ? ended.modelId : undefined;
  }
}

/** Undefined when the model is there already. */
async function startPull(
  client: Client,
  name: string,
  options: { id?: string } = {},
): Promise<Job | undefined> {
  const source = await findSource(client, name) ?? name;
  try {
    const job = await client.send<Job>("POST", "/api/models/pull", { source, ...options });
    return job.status === "paused" ? await client.send("POST", `/api/jobs/${job.id}/resume`) : job;
  } catch (error) {
    if (error instanceof AppError && error.code === "CONFLICT" && namesModel(error.details)) {
      return undefined;
    }
    throw error;
  }
}

/** What a name on the command line stands for; undefined when it can be no source. */
async function findSource(client: Client, name: string): Promise<string | undefined> {
  // The server reads a file by its whole path.
  if (/^\.{1,2}[\\/]/.test(name)) return resolve(name);
  if (isAbsolute(name) || name.includes("/")) return name;
  const { models } = await client.get<{ models: CatalogModel[] }>("/api/models/catalog");
  return models.find((model) => shortName(model) === name.toLowerCase())?.source;
}

/** Such as "qwen2-0.5b-instruct". */
export function shortName({ name }: Pick<CatalogModel, "name">): string {
  return name.toLowerCase().replaceAll(/[^a-z0-9.]+/g, "-").replaceAll(/^-|-$/g, "");
}

function reportPull(job: Job, io: CliIo, quiet: boolean): number {
  const { status, doneBytes, totalBytes } = job;
  if (status === "done") {
    if (!quiet) io.err(`Pulled ${printableLine(job.modelId ?? job.title)}\n`);
    return exitCodes.ok;
  }
  const share = totalBytes === undefined ? "" : ` of ${bytesText(totalBytes)}`;
  const state = status === "paused" ? "Paused" : "Cancelled";
  const advice = status === "paused" ? "; the same command goes on with it" : "";
  io.err(`${state} at ${bytesText(doneBytes)}${share}${advice}\n`);
  return exitCodes.interrupted;
}

function namesModel(details: unknown): boolean {
  return typeof details === "object" && details !== null && "modelId" in details;
}

/** Throws when the command line lacks what is to be pulled. */
export function requireSource(subject: string | undefined): string {
  if (subject !== undefined) return subject;
  throw new UsageError("bkg model pull needs a SOURCE, such as owner/name:Q8_0, a URL or a file");
}
