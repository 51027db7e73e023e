// What this browser knows of the models that it holds, for when the server is away: one entry of localStorage a model,
// so that two tabs do not write over each other.

import { z } from "zod";
import type { RemoteFile, RemoteModel } from "./local_host.ts";

export type HeldModel = RemoteModel & { files: RemoteFile[] };

export interface IndexEntry {
  model: HeldModel;
  lastUsedAtMs: number;
}

export interface ModelIndex {
  list(): IndexEntry[];
  get(id: string): IndexEntry | undefined;
  save(entry: IndexEntry): void;
  remove(id: string): void;
}

export const digestSchema = z.string().regex(/^sha256:[0-9a-f]{64}$/);

const entrySchema = z.object({
  lastUsedAtMs: z.number(),
  model: z.object({
    id: z.string(),
    name: z.string().optional(),
    description: z.string().optional(),
    format: z.string(),
    task: z.string().optional(),
    architecture: z.string().optional(),
    size: z.number(),
    contextLength: z.number().optional(),
    chatTemplate: z.boolean(),
    files: z.array(z.object({ name: z.string(), size: z.number(), digest: digestSchema })).min(1),
  }),
});

const prefix = "bkg.model.";

export function createModelIndex(storage: Storage): ModelIndex {
  const read = (key: string): IndexEntry | undefined => {
    try {
      const parsed = entrySchema.safeParse(JSON.parse(storage.getItem(key) ?? "null"));
      return parsed.success ? parsed.data : undefined;
    } catch {
      return undefined;
    }
  };
  return {
    list: () =>
      Object.keys(storage).filter((key) => key.startsWith(prefix)).flatMap((key) =>
        read(key) ?? []
      ),
    get: (id) => read(prefix + id),
    save: (entry) => storage.setItem(prefix + entry.model.id, JSON.stringify(entry)),
    remove: (id) => storage.removeItem(prefix + id),
  };
}
