// `bkg model list | list --catalog | show`: what there is, and what would fit.

import { toPlainLines } from "../../../plugins/runtime/contract/plain_text.ts";
import type { CatalogModel } from "../../../models/catalog.ts";
import type { Fit } from "../../../models/fit.ts";
import type { ModelRecord } from "../../../models/model.ts";
import { bytesText, countText } from "../amounts.ts";
import { exitCodes } from "../command.ts";
import { table } from "../terminal.ts";
import { type ModelAction, modelPath } from "./model.ts";
import { shortName } from "./model_pull.ts";

/** What the server tells of a model: a record without its files' paths. */
type ModelView = Omit<ModelRecord, "files">;

export async function listModels({ args, io, connect }: ModelAction): Promise<number> {
  const client = await connect();
  const { models, problems = [] } = await client.get<{
    models: ModelView[];
    problems?: { path: string; message: string }[];
  }>("/api/models");
  if (args.flag("json")) {
    io.out(toPlainLines(JSON.stringify(models, null, 2)) + "\n");
    return exitCodes.ok;
  }
  if (models.length === 0) io.err('No models; "bkg model list --catalog" names some to pull\n');
  const rows = models.map((model) => [
    model.id,
    model.task ?? "-",
    bytesText(model.size),
    model.quantization,
    countText(model.parameterCount),
    [places[model.origin], ...marks(model)].join(", "),
  ]);
  if (rows.length > 0) {
    io.out(table([["ID", "TASK", "SIZE", "QUANTIZATION", "PARAMETERS", "WHERE"], ...rows]));
  }
  for (const { path, message } of problems) {
    io.err(toPlainLines(`Refused: ${path}: ${message}`) + "\n");
  }
  return exitCodes.ok;
}

export async function listCatalog({ args, io, connect }: ModelAction): Promise<number> {
  const client = await connect();
  const { models } = await client.get<{ models: CatalogEntry[] }>("/api/models/catalog");
  if (args.flag("json")) {
    io.out(toPlainLines(JSON.stringify(models, null, 2)) + "\n");
    return exitCodes.ok;
  }
  const rows = models.map((model) => {
    const { task, source, installed, fits } = model;
    return [
      shortName(model),
      task,
      installed === null ? fitText(fits.find(({ home }) => home === "server")) : "here",
      source,
    ];
  });
  io.out(table([["NAME", "TASK", "MEMORY", "SOURCE"], ...rows]));
  return exitCodes.ok;
}

export async function showModel({ args, io, subject, connect }: ModelAction): Promise<number> {
  const client = await connect();
  const model = await client.get<
    ModelView & { files: { name: string; size: number; digest: string }[] }
  >(modelPath(subject));
  if (args.flag("json")) {
    io.out(toPlainLines(JSON.stringify(model, null, 2)) + "\n");
    return exitCodes.ok;
  }
  const facts: [string, string | undefined][] = [
    ["id", model.id],
    ["name", model.name],
    ["description", model.description],
    ["task", model.task],
    ["format", `${model.format}, ${model.quantization}`],
    ["architecture", `${model.architecture}, ${countText(model.parameterCount)} parameters`],
    ["context", model.contextLength === undefined ? undefined : `${model.contextLength} tokens`],
    ["chat template", model.chatTemplate ? "yes" : "no"],
    ["license", model.license],
    ["where", [places[model.origin], ...model.pinned ? ["pinned"] : []].join(", ")],
    ["trusted", trustText(model)],
    ["source", model.source],
    ["size", bytesText(model.size)],
  ];
  io.out(table(facts.flatMap(([name, value]) => value === undefined ? [] : [[name, value]])));
  io.out("\n");
  io.out(table(model.files.map(({ name, size, digest }) => [name, bytesText(size), digest])));
  return exitCodes.ok;
}

/** Beside where it lies; what came with bkg is trusted without a word. */
function marks({ origin, pinned, trusted, changedSinceTrusted }: ModelView): string[] {
  return [
    ...(pinned ? ["pinned"] : []),
    ...(trusted && origin !== "demo" ? ["trusted"] : []),
    ...(changedSinceTrusted ? ["changed since it was trusted"] : []),
  ];
}

function trustText({ trusted, changedSinceTrusted }: ModelView): string {
  if (trusted) return "yes: native engines may open it";
  return changedSinceTrusted ? "no: its files changed since it was" : "no";
}

interface CatalogEntry extends CatalogModel {
  installed: string | null;
  fits: Fit[];
}

function fitText(fit: Fit | undefined): string {
  if (fit === undefined) return "-";
  const needs = `${fit.exact ? "" : "about "}${bytesText(fit.peakBytes)}`;
  return fit.fits ? needs : `${needs}: too much for ${fit.limitedBy?.resource ?? "this machine"}`;
}

const places = {
  store: "pulled",
  folder: "a folder",
  huggingface: "Hugging Face's cache",
  ollama: "Ollama's store",
  demo: "came with bkg",
} satisfies Record<ModelRecord["origin"], string>;
