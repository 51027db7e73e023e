// The store of another program as a place of models: which program's it is shows in what it holds.
// Caller: library. Read-only: nothing here is ever written, and nothing outside it is read.

import { join } from "node:path";
import type { Findings, Place } from "./found.ts";
import { findHuggingFaceModels, isHuggingFaceCache } from "./huggingface_cache.ts";
import { createOllamaStore } from "./ollama_store.ts";

/** A folder that is missing, cannot be read or is neither's has no models. */
export function createCachePlace(folder: string): Place {
  let root: string | undefined;
  let ollama: Place | undefined;
  return {
    async find() {
      try {
        root ??= await Deno.realPath(folder);
        const names: string[] = [];
        for await (const { name, isDirectory, isSymlink } of Deno.readDir(root)) {
          if (isDirectory || isSymlink) names.push(name);
        }
        if (names.includes("manifests") && names.includes("blobs")) {
          // The folder itself could be a link's end, but not these.
          const manifests = join(root, "manifests");
          if (await Deno.realPath(manifests) !== manifests) return nothing;
          return await (ollama ??= createOllamaStore(root)).find();
        }
        return isHuggingFaceCache(names) ? await findHuggingFaceModels(root, names) : nothing;
      } catch {
        return nothing;
      }
    },
  };
}

const nothing: Findings = Object.freeze({ models: [], refused: [], problems: [] });
