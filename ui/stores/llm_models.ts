// What `llm.models` answers, read once: the models in memory, the queue and the memory. It is a plugin's answer, so
// each field is looked at; what is absent stays absent. Caller: the dashboard of language models.

import { AppError } from "../../plugins/runtime/contract/error.ts";
import { amountsOf, fieldsOf, isAmount, textOf } from "./answer_fields.ts";

export type ModelUse = "text" | "vectors" | "scores";

/** One model in memory, once for each use. */
export interface LoadedModel {
  id: string;
  use: ModelUse;
  engine: string;
  /** "wasm", "webgpu", "native". */
  backend: string;
  /** Of native alone: "cpu", "vulkan", "cuda". */
  variant?: string;
  threads?: number;
  loadMs?: number;
  /** Of one call. */
  maxTokens?: number;
  /** About what it takes of memory. */
  bytes?: number;
  /** Calls that use it now, or wait for it. */
  users: number;
  /** Calls that wait for it. */
  waiting?: number;
  pinned?: boolean;
  /** Since the last use; absent while in use. */
  idleMs?: number;
  /** Of the last answer. */
  tokensPerSecond?: number;
}

export interface LlmModels {
  /** How many can be used. */
  usable: number;
  loaded: LoadedModel[];
  /** `active` counts those that wait, too. */
  queue?: { active: number; waiting: number };
  memory?: { usedBytes: number; budgetBytes: number };
}

/** Throws INVALID_OUTPUT for what is no answer of `llm.models`. */
export function parseLlmModels(answer: unknown): LlmModels {
  const { models, queue, memory } = fieldsOf(answer);
  if (!Array.isArray(models)) {
    throw new AppError("INVALID_OUTPUT", "The plugin answered something that is no list of models");
  }
  const { active, waiting } = fieldsOf(queue);
  const { usedBytes, budgetBytes } = fieldsOf(memory);
  return {
    usable: models.length,
    loaded: models.slice(0, maxModels).flatMap(parseModel).slice(0, maxModels),
    ...(isAmount(active) && isAmount(waiting) ? { queue: { active, waiting } } : {}),
    ...(isAmount(usedBytes) && isAmount(budgetBytes) ? { memory: { usedBytes, budgetBytes } } : {}),
  };
}

function parseModel(model: unknown): LoadedModel[] {
  const { id, loaded } = fieldsOf(model);
  if (typeof id !== "string" || !Array.isArray(loaded)) return [];
  return loaded.slice(0, uses.length).flatMap((facts): LoadedModel[] => {
    const fields = fieldsOf(facts);
    const use = uses.find((known) => known === fields["use"]);
    if (use === undefined) return [];
    return [{
      ...{ id, use, engine: textOf(fields["engine"]), backend: textOf(fields["backend"]) },
      users: isAmount(fields["users"]) ? fields["users"] : 0,
      ...(typeof fields["variant"] === "string" ? { variant: fields["variant"] } : {}),
      ...(typeof fields["pinned"] === "boolean" ? { pinned: fields["pinned"] } : {}),
      ...amountsOf(fields, amounts),
    }];
  });
}

const uses: readonly ModelUse[] = ["text", "vectors", "scores"];
const amounts = [
  "threads",
  "loadMs",
  "maxTokens",
  "bytes",
  "waiting",
  "idleMs",
  "tokensPerSecond",
] as const satisfies readonly (keyof LoadedModel)[];
/** `llm.models` may list ten thousand; nobody has so many in memory. */
const maxModels = 10_000;
