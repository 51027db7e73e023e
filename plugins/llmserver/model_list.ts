// llm.models: what is in memory, and what could be.

import { type Models, type Use, usesOf } from "./models.ts";
import type { Context } from "./settings.ts";

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
}

export async function listModels(ctx: Context, models: Models): Promise<{ models: ListedModel[] }> {
  const known = await ctx.models.list();
  const loaded = loadedFacts(models);
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
  return { models: listed };
}

function loadedFacts({ writers, embedders, scorers }: Models): (LoadedFacts & { id: string })[] {
  return [
    ...writers.list().map(({ id, model, users }) => {
      const { engine, backend, threads, loadMs, contextLength: maxTokens } = model.info();
      return { id, use: "text" as const, engine, backend, threads, loadMs, maxTokens, users };
    }),
    ...embedders.list().map(({ id, model, users }) => {
      const { engine, backend, threads, loadMs, maxTokens, dimensions } = model.info();
      const facts = { id, use: "vectors" as const, engine, backend, threads, loadMs, maxTokens };
      return { ...facts, ...(dimensions === undefined ? {} : { dimensions }), users };
    }),
    ...scorers.list().map(({ id, model, users }) => {
      const { engine, backend, threads, loadMs, maxTokens } = model.info();
      return { id, use: "scores" as const, engine, backend, threads, loadMs, maxTokens, users };
    }),
  ];
}
