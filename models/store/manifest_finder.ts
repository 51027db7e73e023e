// Finds the manifests below a folder, fast enough to do it for each list of a thousand models.
// Caller: manifests. Synchronous stats: waiting for each on another thread takes several times as long.

import { dirname, sep } from "node:path";
import { AppError } from "../../plugins/runtime/contract/error.ts";
import { quote } from "../format/text.ts";
import { describeStat, isSettled } from "./found.ts";
import { modelIdAt } from "./model_id.ts";
import { createPauses } from "./turns.ts";

export interface FoundManifest {
  /** Absolute. */
  path: string;
  id: string;
  info: Deno.FileInfo;
}

/** Told of what the system does not let be read. */
export type RefusePath = (path: string, error: AppError) => void;

/**
 * Finds all that lie where the manifest of their id does; what else is there, links too, is passed over. Without
 * `refuse` it throws: who removes what no manifest names must have seen all.
 */
export function createManifestFinder(
  root: string,
): (refuse?: RefusePath) => Promise<FoundManifest[]> {
  let known = new Map<string, KnownFolder>();

  return async (refuse) => {
    const found: FoundManifest[] = [];
    const seen = new Map<string, KnownFolder>();
    const pause = createPauses();

    const trying = <T>(path: string, look: () => T | undefined): T | undefined => {
      try {
        return look();
      } catch (cause) {
        // Not by its whole path: the one who asks may not manage models.
        const name = quote(path.slice(dirname(root).length + 1));
        const reason = cause instanceof Error ? cause.name : "unknown error";
        const error = new AppError("INVALID_MODEL", `${name} cannot be read: ${reason}`, { cause });
        if (refuse === undefined) throw error;
        refuse(path, error);
        return undefined;
      }
    };

    const visit = async (path: string, depth: number): Promise<void> => {
      await pause();
      const folder = trying(path, () => {
        const stat = statSync(path);
        return stat?.isDirectory ? lookInto(path, stat, depth) : undefined;
      });
      if (folder === undefined) return;
      seen.set(path, folder);
      for (const { path, id } of folder.manifests) {
        const info = trying(path, () => statSync(path));
        if (info?.isFile) found.push({ path, id, info });
      }
      for (const within of folder.folders) await visit(within, depth + 1);
    };
    await visit(root, 0);
    known = seen;
    return found;
  };

  /** What is in a folder is asked again only when the folder changed. */
  function lookInto(path: string, stat: Deno.FileInfo, depth: number): KnownFolder {
    const state = describeStat(stat);
    const before = known.get(path);
    if (before?.settled && before.fingerprint === state.fingerprint) return before;
    const { fingerprint } = state;
    const settled = isSettled(state, Date.now());
    const folder: KnownFolder = { fingerprint, settled, folders: [], manifests: [] };
    for (const { name, isDirectory, isFile } of readFolderSync(path)) {
      const within = `${path}${sep}${name}`;
      if (isDirectory && depth < maxDepth) folder.folders.push(within);
      const names = within.slice(root.length + 1).split(sep);
      const id = isFile ? modelIdAt(names.join("/")) : undefined;
      if (id !== undefined) folder.manifests.push({ path: within, id });
    }
    return folder;
  }
}

export function isMissing(error: unknown): boolean {
  return error instanceof Deno.errors.NotFound || error instanceof Deno.errors.NotADirectory;
}

interface KnownFolder {
  fingerprint: string;
  /** Whether it was old enough to tell by its dates that nothing changed since. */
  settled: boolean;
  folders: string[];
  manifests: { path: string; id: string }[];
}

function statSync(path: string): Deno.FileInfo | undefined {
  try {
    return Deno.lstatSync(path);
  } catch (error) {
    if (isMissing(error)) return undefined;
    throw error;
  }
}

function readFolderSync(path: string): Deno.DirEntry[] {
  try {
    return [...Deno.readDirSync(path)];
  } catch (error) {
    if (isMissing(error)) return [];
    throw error;
  }
}

const maxDepth = 2;
