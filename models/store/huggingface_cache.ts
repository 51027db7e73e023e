// The models of a Hugging Face cache, read in place: models--owner--name/{refs,snapshots/<commit>,blobs}.
// Caller: cache_place. Invariant: a link is followed only into the blobs of its own repository.

import { dirname, join, resolve } from "node:path";
import { AppError } from "../../plugins/runtime/contract/error.ts";
import { escapeUnprintable } from "../format/text.ts";
import { formatOf, isSidecar } from "./file_kinds.ts";
import { describeStat, type Findings, type FoundFile, type FoundModel } from "./found.ts";
import type { ModelProblem } from "../model.ts";
import { groupQuants, groupVariants, stemOf, type WeightGroup } from "./group_files.ts";

/** `root` is canonical, and `names` are the names in it. */
export async function findHuggingFaceModels(
  root: string,
  names: readonly string[],
): Promise<Findings> {
  const repos = names.filter((name) => repoPattern.test(name)).sort().slice(0, maxRepos);
  const found = await Promise.all(repos.map((name) => findRepo(root, name)));
  return {
    models: found.flatMap(({ models }) => models),
    refused: [],
    problems: found.flatMap(({ problems }) => problems),
  };
}

export function isHuggingFaceCache(names: readonly string[]): boolean {
  return names.some((name) => repoPattern.test(name));
}

interface Repo {
  models: FoundModel[];
  problems: ModelProblem[];
}

async function findRepo(root: string, folderName: string): Promise<Repo> {
  const repo: Repo = { models: [], problems: [] };
  const path = join(root, folderName);
  const refuse = (file: string, reason: string) => {
    const text = escapeUnprintable(file);
    const error = new AppError("INVALID_MODEL", `"${text}" ${reason}`, { details: { path: text } });
    repo.problems.push({ path: text, error });
  };
  try {
    if (await Deno.realPath(path) !== path) {
      refuse(path, "is a symbolic link, and links are not followed");
      return repo;
    }
    const snapshot = await findSnapshot(path);
    if (snapshot === undefined) return repo;
    const files = await listSnapshot({ snapshot, blobs: join(path, "blobs"), refuse });
    const id = folderName.slice("models--".length).replace("--", "/");
    const sidecars = files.filter(({ name }) => isSidecar(name));
    const beside = files.filter(({ name }) => !isSidecar(name) && formatOf(name) === undefined);
    repo.models = groupFiles(files).map(({ format, variant, weights }) => ({
      id: variant === undefined ? id : `${id}:${variant}`,
      origin: "huggingface",
      format,
      weights,
      // A tokenizer beside GGUF files is for other programs: theirs is within.
      sidecars: format === "gguf" ? [] : sidecars,
      beside: format === "gguf" ? [] : beside,
      facts: {},
    }));
  } catch (error) {
    // A repository that goes while it is read is none.
    if (error instanceof Deno.errors.NotFound) return { models: [], problems: [] };
    refuse(path, `cannot be read: ${error instanceof Error ? error.name : "unknown error"}`);
  }
  return repo;
}

/** The one that `refs/main` names, else the newest. */
async function findSnapshot(repo: string): Promise<string | undefined> {
  const snapshots = join(repo, "snapshots");
  const commits: string[] = [];
  for await (const { name, isDirectory } of Deno.readDir(snapshots)) {
    if (isDirectory && /^[0-9a-f]{6,64}$/.test(name)) commits.push(name);
  }
  const main = await readRef(join(repo, "refs", "main"));
  if (main !== undefined && commits.includes(main)) return join(snapshots, main);
  const dated = await Promise.all(commits.map(async (name) => {
    const path = join(snapshots, name);
    return { path, mtimeMs: describeStat(await Deno.lstat(path)).mtimeMs };
  }));
  return dated.sort((a, b) => b.mtimeMs - a.mtimeMs)[0]?.path;
}

async function readRef(path: string): Promise<string | undefined> {
  const stat = await Deno.lstat(path).catch(() => undefined);
  if (!stat?.isFile || stat.size > 100) return undefined;
  return (await Deno.readTextFile(path)).trim();
}

interface SnapshotOptions {
  snapshot: string;
  blobs: string;
  refuse(path: string, reason: string): void;
}

async function listSnapshot({ snapshot, blobs, refuse }: SnapshotOptions): Promise<FoundFile[]> {
  const files: FoundFile[] = [];
  let left = maxFiles;

  const visit = async (folder: string, prefix: string, depth: number): Promise<void> => {
    const entries: Deno.DirEntry[] = [];
    for await (const entry of Deno.readDir(folder)) {
      if (entry.name.startsWith(".")) continue;
      if (left-- <= 0) return;
      entries.push(entry);
    }
    await Promise.all(entries.map(async ({ name, isDirectory, isSymlink }) => {
      const path = join(folder, name);
      if (isDirectory) {
        if (depth < maxDepth) await visit(path, `${prefix}${name}/`, depth + 1);
        return;
      }
      // Systems without links hold the file itself.
      const target = isSymlink ? resolve(folder, await Deno.readLink(path)) : path;
      if (isSymlink && dirname(target) !== blobs) {
        return refuse(path, "is a link that leads out of its repository's blobs");
      }
      const stat = await Deno.lstat(target).catch(() => undefined);
      // A download that is not whole leaves a link to nothing.
      if (stat === undefined) return;
      if (!stat.isFile) return refuse(path, "does not lead to a regular file");
      const blob = target.slice(blobs.length + 1);
      files.push({
        name: prefix + name,
        path: target,
        ...describeStat(stat),
        // Of large files the blob's name is the SHA-256; of small ones git's own hash.
        ...(isSymlink && /^[0-9a-f]{64}$/.test(blob) ? { expected: `sha256:${blob}` } : {}),
      });
    }));
  };

  await visit(snapshot, "", 0);
  return files.sort((a, b) => (a.name < b.name ? -1 : 1));
}

function groupFiles(files: readonly FoundFile[]): WeightGroup<FoundFile>[] {
  const quants = groupQuants(files.filter(({ name }) => formatOf(name) === "gguf"));
  const weights = files.filter(({ name }) => {
    const format = formatOf(name);
    return format !== undefined && format !== "gguf" && /^(?:onnx\/)?[^/]+$/.test(name);
  });
  if (files.some(({ name }) => name === "config.json") || weights.length < 2) {
    return [...quants, ...groupVariants(weights)];
  }
  const lone = weights.map((file) => ({
    format: formatOf(file.name) ?? "onnx",
    variant: stemOf(file.name.slice(file.name.lastIndexOf("/") + 1)),
    weights: [file],
  }));
  return [...quants, ...lone];
}

const repoPattern = /^models--[^-].*$/s;
const maxRepos = 10_000;
/** Of one snapshot. */
const maxFiles = 5000;
const maxDepth = 3;
