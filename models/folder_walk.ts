// Finds *.gguf files below a folder. Symbolic links are refused, as file, folder or part of a path:
// a link inside a folder that a plugin may read would lead outside it (findings/sandbox.md).

import { join } from "node:path";
import { AppError } from "../plugins/runtime/contract/error.ts";
import { escapeUnprintable, hasUnprintable, quote } from "./gguf/refuse.ts";
import type { ModelProblem } from "./model.ts";

export interface FoundFile {
  /** Absolute, below the canonical root. */
  path: string;
  folder: string;
  name: string;
  size: number;
  mtimeMs: number;
  /** When the file's bytes or dates last changed, in whole seconds, whatever its mtime was set to. */
  changedAtMs: number;
  /** Changes with the path, size, times or inode of the file. */
  fingerprint: string;
}

export interface Walk {
  files: FoundFile[];
  problems: ModelProblem[];
}

export interface WalkLimits {
  /** Folders below the root. */
  depth: number;
  /** Files and folders looked at below one root. */
  entries: number;
}

export const walkLimits: Readonly<WalkLimits> = Object.freeze({ depth: 8, entries: 20_000 });

/** Walks a canonical root in the order of names; names that start with a dot are passed over. */
export async function walkFolder(root: string, limits: WalkLimits = walkLimits): Promise<Walk> {
  const walk: Walk = { files: [], problems: [] };
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
        if (entry.name.startsWith(".")) continue;
        if (left-- <= 0) break;
        entries.push(entry);
      }
    } catch (error) {
      if (error instanceof Deno.errors.NotFound) return;
      return refusePath(folder, `cannot be read: ${describe(error)}`);
    }
    entries.sort((a, b) => (a.name < b.name ? -1 : 1));
    const paths: { path: string; name: string }[] = [];
    const folders: string[] = [];
    for (const { name, isDirectory, isFile, isSymlink } of entries) {
      const path = join(folder, name);
      const isModel = name.endsWith(modelEnding);
      if (isSymlink) refusePath(path, "is a symbolic link, and links are not followed");
      else if (isDirectory) folders.push(path);
      else if (!isModel) continue;
      else if (!isFile) refusePath(path, "is not a regular file");
      else if (isAcceptable(name)) paths.push({ path, name });
      else {
        const reason = `is no name for a model: ${quote(name)} has control, bidi or invisible ` +
          `characters, starts or ends with a space, or is longer than ${maxNameChars}`;
        refusePath(path, reason);
      }
    }
    for (let at = 0; at < paths.length; at += statsAtOnce) {
      const batch = paths.slice(at, at + statsAtOnce);
      const stats = await Promise.allSettled(batch.map(({ path }) => Deno.lstat(path)));
      stats.forEach((stat, index) => {
        const { path, name } = batch[index] ?? { path: "", name: "" };
        if (stat.status === "rejected") {
          if (stat.reason instanceof Deno.errors.NotFound) return; // deleted meanwhile
          refusePath(path, `cannot be read: ${describe(stat.reason)}`);
        } else if (!stat.value.isFile) {
          refusePath(path, "is not a regular file");
        } else {
          walk.files.push({ path, folder, name, ...describeStat(stat.value) });
        }
      });
    }
    for (const path of folders) {
      if (depth >= limits.depth) {
        refusePath(path, `is more than ${limits.depth} folders deep and was not searched`);
      } else {
        await visit(path, depth + 1);
      }
    }
  };

  await visit(root, 0);
  if (left < 0) {
    refusePath(root, `holds more than ${limits.entries} files and was not searched to its end`);
  }
  return walk;
}

/** What of a stat tells whether the file is still the same. */
export function describeStat(
  stat: Deno.FileInfo,
): Pick<FoundFile, "size" | "mtimeMs" | "changedAtMs" | "fingerprint"> {
  const mtimeMs = stat.mtime?.getTime() ?? 0;
  // ctime catches a change that was dated back; Deno 2.9 cuts it to whole seconds.
  const changedAtMs = stat.ctime?.getTime() ?? mtimeMs;
  const fingerprint = [stat.dev, stat.ino, stat.size, mtimeMs, changedAtMs].join(":");
  return { size: stat.size, mtimeMs, changedAtMs, fingerprint };
}

export const modelEnding = ".gguf";

function isAcceptable(fileName: string): boolean {
  const id = fileName.slice(0, -modelEnding.length);
  // Names that are not UTF-8 arrive with U+FFFD in them and cannot be opened.
  return id !== "" && id.length <= maxNameChars && id === id.trim() && !/[\\\ufffd]/.test(id) &&
    !hasUnprintable(id);
}

function describe(error: unknown): string {
  return error instanceof Error ? error.name : "unknown error";
}

const maxNameChars = 200;
const statsAtOnce = 64;
