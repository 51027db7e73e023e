// What a model's own files say of how it encodes: config.json, and those of sentence-transformers. A stranger's text:
// what is not as expected counts as not said. Read by hand, because a schema library would be most of the engine.

import { AppError } from "../../contract/error.ts";
import type { ModelFile, OpenModel } from "../engine.ts";
import type { Pooling } from "./interface.ts";

export interface TextConfig {
  maxTokens: number;
  pooling: Pooling;
  normalizes: boolean;
  prompts: ReadonlyMap<string, string>;
  defaultPrompt: string;
  /** Numbers of a vector. */
  dimensions: number | undefined;
  /** A layer behind the pooling, which only a graph with `sentence_embedding` computes. */
  hasDense: boolean;
  padToken: number;
}

export interface TextFiles {
  config: TextConfig;
  /** For the tokenizer, which reads them itself. */
  tokenizer: object;
  tokenizerConfig: object;
}

export async function readTextFiles(model: OpenModel): Promise<TextFiles> {
  const read = async (name: string): Promise<Said | undefined> => {
    const file = model.files.find((file) => file.name === name);
    return file === undefined ? undefined : new Said(await readJson(file, model.id));
  };
  const tokenizer = await read("tokenizer.json");
  if (tokenizer === undefined) {
    throw new AppError(
      "UNSUPPORTED_FEATURE",
      `The model "${model.id}" has no tokenizer.json: it takes tensors, and no texts`,
    );
  }
  const [config, tokenizerConfig, modules, sentence, sentenceBert] = await Promise.all([
    read("config.json"),
    read("tokenizer_config.json"),
    read("modules.json"),
    read("config_sentence_transformers.json"),
    read("sentence_bert_config.json"),
  ]);
  const steps = modules?.items() ?? [];
  const step = (kind: string) => steps.find((said) => said.text("type")?.endsWith(kind));
  const poolingPath = step("Pooling")?.text("path") ?? "1_Pooling";
  const pooling = await read(`${poolingPath}/config.json`);
  const prompts = sentence?.texts("prompts") ?? new Map();
  const lengths = [
    sentenceBert?.count("max_seq_length"),
    tokenizerConfig?.count("model_max_length"),
    config === undefined ? undefined : positions(config),
  ].filter((length) => length !== undefined && length >= 1 && length <= longest) as number[];
  return {
    tokenizer: tokenizer.value,
    tokenizerConfig: tokenizerConfig?.value ?? {},
    config: {
      maxTokens: lengths.length === 0 ? 512 : Math.min(...lengths),
      pooling: pooling === undefined ? "mean" : choosePooling(pooling, model.id),
      normalizes: modules === undefined || step("Normalize") !== undefined,
      prompts,
      defaultPrompt: prompts.get(sentence?.text("default_prompt_name") ?? "") ?? "",
      dimensions: pooling?.count("word_embedding_dimension") ?? config?.count("hidden_size") ??
        config?.count("dim"),
      hasDense: step("Dense") !== undefined,
      padToken: config?.count("pad_token_id") ?? 0,
    },
  };
}

/** A JSON value of which anything may be asked; what is not there or of another type is undefined. */
class Said {
  readonly value: object;

  constructor(value: unknown) {
    this.value = typeof value === "object" && value !== null ? value : {};
  }

  text(name: string): string | undefined {
    const value = this.#get(name);
    return typeof value === "string" && value !== "" ? value : undefined;
  }

  /** A whole number from 0. */
  count(name: string): number | undefined {
    const value = this.#get(name);
    return Number.isSafeInteger(value) && (value as number) >= 0 ? value as number : undefined;
  }

  flag(name: string): boolean {
    return this.#get(name) === true;
  }

  texts(name: string): Map<string, string> {
    const value = this.#get(name);
    const entries = typeof value === "object" && value !== null ? Object.entries(value) : [];
    return new Map(entries.filter(([, text]) => typeof text === "string"));
  }

  items(): Said[] {
    return Array.isArray(this.value) ? this.value.map((item) => new Said(item)) : [];
  }

  #get(name: string): unknown {
    return Object.hasOwn(this.value, name) ? Reflect.get(this.value, name) : undefined;
  }
}

/** Roberta's family counts positions from behind the padding token. */
function positions(config: Said): number | undefined {
  const count = config.count("max_position_embeddings");
  const isShifted = /roberta|mpnet|camembert/.test(config.text("model_type") ?? "");
  return count === undefined || !isShifted
    ? count
    : count - (config.count("pad_token_id") ?? 1) - 1;
}

function choosePooling(config: Said, id: string): Pooling {
  const modes = Object.entries(modeFlags).flatMap(([flag, mode]) =>
    config.flag(flag) ? [mode] : []
  );
  const mode = config.text("pooling_mode")?.replace("lasttoken", "last") ?? modes[0] ?? "mean";
  if (modes.length <= 1 && isPooling(mode)) return mode;
  throw new AppError(
    "UNSUPPORTED_FEATURE",
    `The model "${id}" pools by "${modes.join(", ") || mode}": this engine by one of ${
      poolings.join(", ")
    }`,
  );
}

const modeFlags = {
  pooling_mode_mean_tokens: "mean",
  pooling_mode_cls_token: "cls",
  pooling_mode_max_tokens: "max",
  pooling_mode_lasttoken: "last",
  pooling_mode_mean_sqrt_len_tokens: "mean_sqrt_len_tokens",
  pooling_mode_weightedmean_tokens: "weightedmean",
};

const poolings = ["mean", "cls", "max", "last"] as const satisfies Pooling[];

function isPooling(mode: string): mode is Pooling {
  return (poolings as readonly string[]).includes(mode);
}

async function readJson(file: ModelFile, id: string): Promise<unknown> {
  const limit = file.name === "tokenizer.json" ? maxTokenizerBytes : maxConfigBytes;
  if (file.size > limit) {
    throw new AppError(
      "INVALID_MODEL",
      `"${file.name}" of "${id}" has ${file.size} bytes, allowed are ${limit}`,
    );
  }
  const bytes = await file.slice(0, file.size).arrayBuffer();
  try {
    return JSON.parse(new TextDecoder().decode(bytes));
  } catch (cause) {
    throw new AppError("INVALID_MODEL", `"${file.name}" of "${id}" is no JSON`, { cause });
  }
}

const maxTokenizerBytes = 64 * 1024 * 1024;
const maxConfigBytes = 4 * 1024 * 1024;
/** Tokenizers without a limit write 1e30. */
const longest = 131_072;
