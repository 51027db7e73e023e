// llm.models: what is in memory, and what could be.

import type { Resident } from "@bkg/plugin";
import { type Models, type Use, usesOf } from "./models.ts";
import type { Context } from "./settings.ts";
import type { Traffic } from "./traffic.ts";

/** One of the result of `llm.models`. */
export interface ListedModel {
  id: string;
  name?: string;
  task?: string;
  format: string;
  /** Bytes of its files. */
  size: number;
  /** What it can be used for here. */
  uses: Use[];
  /** Once for each use that it is in memory for. */
  loaded: LoadedFacts[];
}

interface LoadedFacts {
  use: Use;
  engine: string;
  backend: string;
  threads: number;
  loadMs: number;
  /** Tokens of one call. */
  maxTokens: number;
  /** Numbers of a vector. */
  dimensions?: number;
  /** Calls that use it now. */
  users: number;
  /** "cpu", "vulkan" or "cuda", of a native engine. */
  variant?: string;
  /** What it takes of memory, about. */
  bytes: number;
  /** Answers that wait for the engine. */
  waiting: number;
  pinned: boolean;
  /** Since the last use; absent while it is in use. */
  idleMs?: number;
  /** Of the last answer. */
  tokensPerSecond?: number;
}

/** The result of `llm.models`. */
export interface ModelList {
  models: ListedModel[];
  /** Calls that are being answered, and answers that wait for an engine. */
  queue: { active: number; waiting: number };
  /** What the models take, about, and what they may. */
  memory: { usedBytes: number; budgetBytes: number };
}

export async function listModels(
  ctx: Context,
  { models, traffic, active }: { models: Models; traffic: Traffic; active: number },
): Promise<ModelList> {
  const known = await ctx.models.list();
  const loaded = loadedFacts(models, traffic);
  const listed = known.flatMap((model): ListedModel[] => {
    const uses = usesOf(model);
    const { id, name, task, format, size } = model;
    if (uses.length === 0) return [];
    return [{
      id,
      ...(name === undefined ? {} : { name }),
      ...(task === undefined ? {} : { task }),
      ...{ format, size, uses },
      loaded: loaded.filter((facts) => facts.id === id).map(({ id: _, ...facts }) => facts),
    }];
  });
  const { usedBytes, budgetBytes } = models.memory;
  return {
    models: listed,
    queue: { active, waiting: traffic.waiting },
    memory: { usedBytes, budgetBytes: Math.floor(budgetBytes) },
  };
}

function loadedFacts(
  { writers, embedders, scorers }: Models,
  traffic: Traffic,
): (LoadedFacts & { id: string })[] {
  return [
    ...writers.list().map((resident) => {
      const { contextLength: maxTokens, ...info } = resident.model.info();
      const { id } = resident;
      const speed = traffic.tokensPerSecond(id);
      return {
        ...factsOf("text", resident, { ...info, maxTokens, dimensions: undefined }),
        waiting: traffic.waitingFor(id),
        ...(speed === undefined ? {} : { tokensPerSecond: speed }),
      };
    }),
    ...embedders.list().map((resident) => factsOf("vectors", resident, resident.model.info())),
    ...scorers.list().map((resident) =>
      factsOf("scores", resident, { ...resident.model.info(), dimensions: undefined })
    ),
  ];
}

interface EngineFacts {
  engine: string;
  backend: string;
  variant?: string;
  threads: number;
  loadMs: number;
  maxTokens: number;
  dimensions: number | undefined;
}

function factsOf(
  use: Use,
  { id, users, bytes, pinned, idleMs }: Omit<Resident<unknown>, "model">,
  { engine, backend, variant, threads, loadMs, maxTokens, dimensions }: EngineFacts,
): LoadedFacts & { id: string } {
  return {
    ...{ id, use, engine, backend, threads, loadMs, maxTokens, users, bytes, pinned, waiting: 0 },
    ...(variant === undefined ? {} : { variant }),
    ...(dimensions === undefined ? {} : { dimensions }),
    ...(idleMs === undefined ? {} : { idleMs }),
  };
}
