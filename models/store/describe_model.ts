// Makes a record of found files and the verdicts on them, or says why they are not one model. Neutral.

import { AppError } from "../../plugins/runtime/contract/error.ts";
import { quote } from "../format/text.ts";
import { parseSplitName } from "../gguf.ts";
import type { ModelFile, ModelRecord } from "../model.ts";
import type { FoundFile, FoundModel } from "./found.ts";
import type { FileFacts } from "./header_cache.ts";
import type { JudgedFile } from "./headers.ts";

export interface Refusal {
  /** The file that is to blame. */
  file: FoundFile | undefined;
  error: AppError;
}

/** Why these files are no model; undefined when they are one. */
export function findRefusal(
  model: FoundModel,
  judged: readonly JudgedFile[],
): Refusal | undefined {
  const failed = judged.find(({ verdict }) => verdict.error !== undefined);
  if (failed?.verdict.error !== undefined) {
    return { file: failed.file, error: failed.verdict.error };
  }
  const error = model.format === "gguf"
    ? checkParts(model, weightFacts(model, judged))
    : checkShards(model);
  return error === undefined ? undefined : { file: model.weights[0], error };
}

/** Of files that were not refused; `files` are those of the record, in its order. */
export function describeModel(
  model: FoundModel,
  judged: readonly JudgedFile[],
): { record: ModelRecord; files: readonly FoundFile[] } {
  const weights = weightFacts(model, judged);
  const configs = judged.flatMap(({ kind, verdict }) =>
    kind === "config" && verdict.facts !== undefined ? [verdict.facts] : []
  );
  const all = [...weights, ...configs];
  const pick = <T>(read: (facts: FileFacts) => T | undefined): T | undefined => {
    for (const facts of all) {
      const value = read(facts);
      if (value !== undefined) return value;
    }
    return undefined;
  };
  const largest = weights.reduce<FileFacts | undefined>(
    (most, facts) => (facts.parameterCount > (most?.parameterCount ?? -1) ? facts : most),
    undefined,
  );
  const files = listFiles(model, judged);
  const { facts } = model;
  const [name, description] = [pick(({ name }) => name), pick(({ description }) => description)];
  const license = facts.license ?? pick(({ license }) => license);
  const record: ModelRecord = {
    id: model.id,
    format: model.format,
    origin: model.origin,
    task: facts.task ?? findTask(model, all),
    size: files.reduce((sum, { size }) => sum + size, 0),
    files: files.map((file) => describeFile(model, file)),
    ...(name === undefined ? {} : { name }),
    ...(description === undefined ? {} : { description }),
    ...(license === undefined ? {} : { license }),
    // A configuration names the architecture of what ONNX and safetensors only hold the numbers of.
    architecture: configs.find(({ architecture }) => architecture)?.architecture ??
      pick(({ architecture }) => architecture) ?? "unknown",
    parameterCount: weights.reduce((sum, { parameterCount }) => sum + parameterCount, 0),
    quantization: weights[0]?.quantization ?? largest?.quantization ?? "unknown",
    contextLength: pick(({ contextLength }) => contextLength),
    chatTemplate: all.some(({ chatTemplate }) => chatTemplate) ||
      files.some(({ name }) => /^chat_template\.(?:json|jinja)$/.test(name)),
    shape: pick(({ shape }) => shape),
    ...(facts.source === undefined ? {} : { source: facts.source }),
    pinned: facts.pinned ?? false,
    createdAtMs: facts.createdAtMs ?? Math.max(...files.map(({ mtimeMs }) => mtimeMs)),
    ...(facts.usedAtMs === undefined ? {} : { usedAtMs: facts.usedAtMs }),
  };
  return { record, files };
}

/** A record that its receiver may change. `digests`, of its files, may be known only since it was made. */
export function copyRecord(
  record: ModelRecord,
  digests: readonly (string | undefined)[],
): ModelRecord {
  return {
    ...record,
    files: record.files.map((file, index) => {
      const digest = file.digest ?? digests[index];
      return { ...file, ...(digest === undefined ? {} : { digest }) };
    }),
    shape: record.shape === undefined ? undefined : { ...record.shape },
  };
}

/** Weights, the data they name, and what goes with them. */
function listFiles(model: FoundModel, judged: readonly JudgedFile[]): FoundFile[] {
  const named = new Set(judged.flatMap(({ file, verdict }) => {
    const folder = file.name.slice(0, file.name.lastIndexOf("/") + 1);
    return (verdict.facts?.dataFiles ?? []).map((name) => folder + name);
  }));
  const data = named.size === 0 ? [] : model.beside.filter(({ name }) => named.has(name));
  return [...model.weights, ...data, ...model.sidecars];
}

function describeFile(
  { origin }: FoundModel,
  { name, path, size, expected }: FoundFile,
): ModelFile {
  // What another program's store claims is believed only after it was read once.
  const digest = origin === "store" ? expected : undefined;
  return { name, path, size, ...(digest === undefined ? {} : { digest }) };
}

function weightFacts(model: FoundModel, judged: readonly JudgedFile[]): FileFacts[] {
  return judged.slice(0, model.weights.length).flatMap(({ verdict }) => verdict.facts ?? []);
}

function findTask({ sidecars }: FoundModel, all: readonly FileFacts[]) {
  const task = all.find(({ task }) => task !== undefined)?.task;
  const pools = sidecars.some(({ name }) => /^(?:modules\.json|\d+_Pooling\/)/.test(name));
  return pools && task !== "rerank" ? "embedding" : task;
}

/** Why files that are valid each are not one GGUF model; undefined when they are. */
function checkParts(
  { id, weights }: FoundModel,
  facts: readonly FileFacts[],
): AppError | undefined {
  const names = weights.map(({ name }) => parseSplitName(name.slice(name.lastIndexOf("/") + 1)));
  const partCount = names[0]?.count;
  if (partCount === undefined) {
    const split = facts[0]?.split;
    if (split === undefined) return undefined;
    const part = `part ${split.index + 1} of ${split.count}`;
    return invalid(id, `is ${part}, but its name does not say so`);
  }
  const missing = checkNumbers(id, names.map((name) => name?.number ?? 0), partCount);
  if (missing !== undefined) return missing;
  for (const [at, { split: said }] of facts.entries()) {
    // A model "split" into one part says nothing of it in its header.
    const split = said ?? { index: 0, count: 1 };
    if (split.index === at && split.count === partCount) continue;
    const part = `part ${at + 1} of ${partCount}`;
    return invalid(id, `says in ${part} that it is ${split.index + 1} of ${split.count}`);
  }
  const total = facts.reduce((sum, { tensorCount }) => sum + tensorCount, 0);
  const claimed = facts[0]?.split?.tensorCount ?? total;
  if (total !== claimed) return invalid(id, `has ${total} tensors, and says it has ${claimed}`);
  return undefined;
}

/** Why weights named `model-00001-of-00003.safetensors` are not whole. */
function checkShards({ id, weights }: FoundModel): AppError | undefined {
  const found = weights.flatMap(({ name }) => {
    const [, number, count] = /-(\d{5})-of-(\d{5})\.\w+$/.exec(name) ?? [];
    return number === undefined ? [] : [{ number: Number(number), count: Number(count) }];
  });
  const [first] = found;
  if (first === undefined) return undefined;
  return checkNumbers(id, found.map(({ number }) => number), first.count);
}

function checkNumbers(
  id: string,
  numbers: readonly number[],
  partCount: number,
): AppError | undefined {
  for (let number = 1; number <= partCount; number++) {
    if (numbers[number - 1] === number) continue;
    return invalid(id, `lacks part ${number} of ${partCount}`);
  }
  if (numbers.length === partCount && partCount > 0) return undefined;
  return invalid(id, `has a part that is not one of ${partCount}`);
}

function invalid(id: string, reason: string): AppError {
  return new AppError("INVALID_MODEL", `Model ${quote(id)} ${reason}`);
}
