// Finds the files of models below a folder. Symbolic links are refused, as file, folder or part of a path:
// a link inside a folder that a plugin may read would lead outside it (findings/sandbox.md).

import { join } from "node:path";
import { AppError } from "../../plugins/runtime/contract/error.ts";
import { escapeUnprintable, quote } from "../format/text.ts";
import { maxModelIdChars, type ModelProblem } from "../model.ts";
import { formatOf, isSidecar } from "./file_kinds.ts";
import { describeStat, type FoundFile } from "./found.ts";
import { isModelId } from "./model_id.ts";

export interface WalkedFolder {
  /** Absolute, below the canonical root. */
  path: string;
  /** By name; weights, and in a folder with weights or configurations also what may go with them. */
  files: FoundFile[];
}

export interface Walk {
  /** The root first, each before those within it. */
  folders: WalkedFolder[];
  problems: ModelProblem[];
}

export interface WalkLimits {
  /** Folders below the root. */
  depth: number;
  /** Files and folders looked at below one root. */
  entries: number;
}

export const walkLimits: Readonly<WalkLimits> = Object.freeze({ depth: 8, entries: 20_000 });

export interface WalkOptions {
  limits?: WalkLimits;
  /** Names of folders in the root that are passed over. */
  except?: ReadonlySet<string>;
}

/** Walks a canonical root in the order of names; names that start with a dot are passed over. */
export async function walkFolder(root: string, options: WalkOptions = {}): Promise<Walk> {
  const { limits = walkLimits, except } = options;
  const walk: Walk = { folders: [], problems: [] };
  const refusePath = (path: string, reason: string) => {
    const text = escapeUnprintable(path);
    walk.problems.push({
      path: text,
      error: new AppError("INVALID_MODEL", `"${text}" ${reason}`, { details: { path: text } }),
    });
  };
  let left = limits.entries;

  const visit = async (folder: string, depth: number): Promise<void> => {
    const entries: Deno.DirEntry[] = [];
    try {
      for await (const entry of Deno.readDir(folder)) {
        if (entry.name.startsWith(".") || (depth === 0 && except?.has(entry.name))) continue;
        if (left-- <= 0) break;
        entries.push(entry);
      }
    } catch (error) {
      if (error instanceof Deno.errors.NotFound) return;
      return refusePath(folder, `cannot be read: ${describe(error)}`);
    }
    entries.sort((a, b) => (a.name < b.name ? -1 : 1));
    const names: string[] = [];
    const folders: string[] = [];
    for (const { name, isDirectory, isFile, isSymlink } of entries) {
      const path = join(folder, name);
      const ending = formatOf(name);
      if (isSymlink) refusePath(path, "is a symbolic link, and links are not followed");
      else if (isDirectory) folders.push(path);
      else if (ending === undefined) names.push(name);
      else if (!isFile) refusePath(path, "is not a regular file");
      else if (isWeightsName(name)) names.push(name);
      else {
        const reason = `is no name for a model: ${quote(name)} has control, bidi, invisible or ` +
          `ambiguous characters, starts or ends with a space or dot, or is longer than ` +
          `${maxModelIdChars}`;
        refusePath(path, reason);
      }
    }
    walk.folders.push({ path: folder, files: await statFiles(folder, names) });
    for (const path of folders) {
      if (depth >= limits.depth) {
        refusePath(path, `is more than ${limits.depth} folders deep and was not searched`);
      } else {
        await visit(path, depth + 1);
      }
    }
  };

  const statFiles = async (folder: string, names: readonly string[]): Promise<FoundFile[]> => {
    const files: FoundFile[] = [];
    // ONNX files may name any other as their data.
    const isDataFolder = names.some((name) => formatOf(name) === "onnx");
    const wanted = names.filter((name) =>
      formatOf(name) !== undefined || isSidecar(name) || isDataFolder
    );
    for (let at = 0; at < wanted.length; at += statsAtOnce) {
      const batch = wanted.slice(at, at + statsAtOnce);
      const stats = await Promise.allSettled(
        batch.map((name) => Deno.lstat(join(folder, name))),
      );
      stats.forEach((stat, index) => {
        const name = batch[index] ?? "";
        const path = join(folder, name);
        if (stat.status === "rejected") {
          if (stat.reason instanceof Deno.errors.NotFound) return; // deleted meanwhile
          refusePath(path, `cannot be read: ${describe(stat.reason)}`);
        } else if (stat.value.isFile) {
          files.push({ name, path, ...describeStat(stat.value) });
        } else if (formatOf(name) !== undefined) {
          refusePath(path, "is not a regular file");
        }
      });
    }
    return files;
  };

  await visit(root, 0);
  if (left < 0) {
    refusePath(root, `holds more than ${limits.entries} files and was not searched to its end`);
  }
  return walk;
}

/** Names that are not UTF-8 arrive with U+FFFD in them and cannot be opened. */
function isWeightsName(fileName: string): boolean {
  const stem = fileName.slice(0, fileName.lastIndexOf("."));
  return isModelId(stem) && !fileName.includes("\ufffd");
}

function describe(error: unknown): string {
  return error instanceof Error ? error.name : "unknown error";
}

const statsAtOnce = 64;
