// What headers said, once for each state of a file, across restarts: a thousand headers take seconds to read.
// Caller: headers. A cache: a damaged one is begun anew, and so is one of other validators.

import { dirname } from "node:path";
import { z } from "zod";
import { AppError } from "../../plugins/runtime/contract/error.ts";
import { modelTasks } from "../model.ts";
import { coalesce } from "./turns.ts";

/** What a record needs of one file, be it weights or a configuration; shown text is clean. */
export type FileFacts = z.infer<typeof factsSchema>;

/** Valid, with what it said, or refused. */
export type Verdict =
  | { facts: FileFacts; error?: undefined }
  | { facts?: undefined; error: AppError };

export interface HeaderCache {
  get(key: string): Verdict | undefined;
  set(key: string, verdict: Verdict): void;
  /** Writes what came new. */
  save(): Promise<void>;
}

export async function openHeaderCache(path?: string): Promise<HeaderCache> {
  // By key, the oldest first.
  const verdicts = path === undefined ? new Map<string, Verdict>() : await readCache(path);
  let isNew = false;
  const write = coalesce(async () => {
    if (path !== undefined) await writeCache(path, verdicts);
  });
  return {
    get: (key) => verdicts.get(key),
    set(key, verdict) {
      verdicts.delete(key);
      verdicts.set(key, verdict);
      const [oldest] = verdicts.keys();
      if (verdicts.size > maxKept && oldest !== undefined) verdicts.delete(oldest);
      isNew = true;
    },
    async save() {
      if (!isNew) return;
      isNew = false;
      await write();
    },
  };
}

async function readCache(path: string): Promise<Map<string, Verdict>> {
  try {
    const { files } = cacheSchema.parse(JSON.parse(await Deno.readTextFile(path)));
    return new Map(
      Object.entries(files).map(([key, { facts, error }]) => [
        key,
        facts === undefined
          ? { error: new AppError("INVALID_MODEL", error ?? "unknown reason") }
          : { facts },
      ]),
    );
  } catch {
    return new Map();
  }
}

async function writeCache(path: string, verdicts: ReadonlyMap<string, Verdict>): Promise<void> {
  const files = Object.fromEntries(
    [...verdicts].map(([key, { facts, error }]) => [
      key,
      facts === undefined ? { error: error.message } : { facts },
    ]),
  );
  const draft = `${path}.partial`;
  await Deno.mkdir(dirname(path), { recursive: true });
  await Deno.writeTextFile(draft, JSON.stringify({ validators, files }) + "\n", { mode: 0o600 });
  await Deno.rename(draft, path);
}

/** Raise it when a validator refuses or tells more than before: what older ones said is then asked anew. */
const validators = 1;
const maxKept = 20_000;

const count = z.number().nonnegative();

const factsSchema = z.object({
  architecture: z.string().optional(),
  name: z.string().optional(),
  description: z.string().optional(),
  license: z.string().optional(),
  /** Tokens. */
  contextLength: count.optional(),
  chatTemplate: z.boolean(),
  quantization: z.string().optional(),
  parameterCount: count,
  tensorCount: count,
  task: z.enum(modelTasks).optional(),
  shape: z.object({
    blockCount: count,
    embeddingLength: count,
    headCountKv: count,
    keyLength: count,
    valueLength: count,
    vocabSize: count,
  }).optional(),
  /** Of a part of a split model. */
  split: z.object({ index: count, count, tensorCount: count.optional() }).optional(),
  /** Files that hold its data, relative to the file's folder. */
  dataFiles: z.array(z.string()),
});

const cacheSchema = z.object({
  validators: z.literal(validators),
  files: z.record(
    z.string(),
    z.object({ facts: factsSchema.optional(), error: z.string().optional() }),
  ),
});
