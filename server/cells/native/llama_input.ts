// What the Worker asks of llama.cpp, checked: it is plugin-authored, and what leaves here reaches machine code.

import { AppError } from "../../../plugins/runtime/contract/error.ts";
import { checkGrammar } from "../../../plugins/runtime/contract/gbnf_walk.ts";
import type {
  LlamaEmbed,
  LlamaGenerate,
  LlamaLoad,
} from "../../../plugins/runtime/contract/native_llama.ts";

type Input = Readonly<Record<string, unknown>>;

export function readLoad(input: Input): LlamaLoad {
  const use = input["use"];
  if (use !== "text" && use !== "vectors") throw refuse("use", '"text" or "vectors"');
  const meanPooling = input["meanPooling"];
  if (meanPooling !== undefined && !isArchitecture(meanPooling)) {
    throw refuse("meanPooling", "the name of an architecture");
  }
  return {
    files: readList(input, "files", { max: maxFiles, item: isCount }),
    use,
    contextLength: readCount(input, "contextLength", { min: 1, max: maxContext }),
    // Texts become vectors one by one; llama.cpp asserts as much of their mean.
    parallel: readCount(input, "parallel", { min: 1, max: use === "text" ? maxParallel : 1 }),
    threads: Math.min(
      readCount(input, "threads", { min: 1, max: 1024 }),
      navigator.hardwareConcurrency,
    ),
    ...(meanPooling === undefined ? {} : { meanPooling }),
  };
}

export function readGenerate(input: Input): Omit<LlamaGenerate, "model"> {
  const grammar = input["grammar"];
  if (grammar !== undefined && typeof grammar !== "string") throw refuse("grammar", "GBNF");
  return {
    prompt: readText(input["prompt"], "prompt"),
    principal: readText(input["principal"], "principal"),
    stop: readList(input, "stop", { max: maxStops, item: isStop }),
    // Of a hostile one llama.cpp's reader makes gigabytes, or an endless loop.
    ...optional("grammar", grammar === undefined ? undefined : checkGrammar(grammar)),
    ...optional("maxTokens", readNumber(input, "maxTokens", 0, maxInt32)),
    ...optional("topLogprobs", readNumber(input, "topLogprobs", 0, 20)),
    ...optional("temperature", readNumber(input, "temperature", 0, 1000)),
    ...optional("topP", readNumber(input, "topP", 0, 1)),
    ...optional("topK", readNumber(input, "topK", 0, maxInt32)),
    ...optional("minP", readNumber(input, "minP", 0, 1)),
    ...optional("frequencyPenalty", readNumber(input, "frequencyPenalty", -1000, 1000)),
    ...optional("presencePenalty", readNumber(input, "presencePenalty", -1000, 1000)),
    ...optional("repeatPenalty", readNumber(input, "repeatPenalty", 0, 1000)),
    ...optional("seed", readSeed(input["seed"])),
  };
}

export function readEmbed(input: Input): Pick<LlamaEmbed, "texts"> {
  return {
    texts: readList(input, "texts", {
      max: maxTexts,
      item: (value): value is string => typeof value === "string",
    }),
  };
}

const maxFiles = 512;
const maxContext = 2 ** 22;
const maxParallel = 64;
const maxStops = 64;
const maxStopChars = 10_000;
const maxTexts = 10_000;
const maxInt32 = 0x7fff_ffff;

function readText(value: unknown, field: string): string {
  if (typeof value !== "string") throw refuse(field, "a text");
  return value.toWellFormed();
}

/** As the wasm path does: a number out of range becomes the nearest in it, and NaN the least. */
function readNumber(input: Input, field: string, min: number, max: number): number | undefined {
  const value = input[field];
  if (value === undefined) return undefined;
  if (typeof value !== "number") throw refuse(field, "a number");
  return Number.isNaN(value) ? min : Math.min(Math.max(value, min), max);
}

/** llama.cpp's are unsigned, and the largest means a random one. */
function readSeed(value: unknown): number | undefined {
  if (value === undefined) return undefined;
  if (!Number.isSafeInteger(value)) throw refuse("seed", "a whole number");
  return Number(BigInt.asUintN(31, BigInt(value as number)));
}

function readCount(
  input: Input,
  field: string,
  { min, max }: { min: number; max: number },
): number {
  const value = input[field];
  if (!isCount(value) || value < min || value > max) {
    throw refuse(field, `a whole number from ${min} to ${max}`);
  }
  return value;
}

function readList<Item>(
  input: Input,
  field: string,
  { max, item }: { max: number; item: (value: unknown) => value is Item },
): Item[] {
  const value = input[field];
  if (!Array.isArray(value) || value.length > max || !value.every(item)) {
    throw refuse(field, `a list of at most ${max}`);
  }
  return value;
}

function isCount(value: unknown): value is number {
  return typeof value === "number" && Number.isSafeInteger(value) && value >= 0;
}

function isStop(value: unknown): value is string {
  return typeof value === "string" && value.length <= maxStopChars;
}

function isArchitecture(value: unknown): value is string {
  return typeof value === "string" && /^[a-z0-9_-]{1,64}$/.test(value);
}

function optional<Key extends string, Value>(
  key: Key,
  value: Value | undefined,
): { [name in Key]?: Value } {
  return value === undefined ? {} : { [key]: value } as { [name in Key]: Value };
}

function refuse(field: string, wanted: string): AppError {
  return new AppError("INVALID_INPUT", `"${field}" must be ${wanted}`, { details: { field } });
}
