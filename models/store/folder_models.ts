// The models of a folder that people put files into: each GGUF file, each lone ONNX or safetensors file, and each
// folder with a config.json and weights. Caller: library. Invariant: no link is followed below the root.

import { basename, dirname } from "node:path";
import { AppError } from "../../plugins/runtime/contract/error.ts";
import { escapeUnprintable } from "../format/text.ts";
import type { ModelOrigin } from "../model.ts";
import { formatOf, isSidecar } from "./file_kinds.ts";
import { type WalkedFolder, walkFolder } from "./folder_walk.ts";
import type { Findings, FoundFile, FoundModel, Place } from "./found.ts";
import { groupParts, groupVariants, stemOf } from "./group_files.ts";

export interface FolderPlaceOptions {
  folder: string;
  origin?: ModelOrigin;
  /** Names in the folder that are no models of a person: bkg's own store lies there. */
  except?: ReadonlySet<string>;
}

/** A missing folder is no error: it may come. */
export function createFolderPlace(options: FolderPlaceOptions): Place {
  const { folder, origin = "folder", except } = options;
  let root: string | undefined;

  return {
    async find() {
      try {
        // Canonical once: what a root points to later does not count.
        root ??= await Deno.realPath(folder);
      } catch (cause) {
        if (cause instanceof Deno.errors.NotFound) return nothing;
        const path = escapeUnprintable(folder);
        const error = new AppError("INVALID_MODEL", `"${path}" cannot be searched`, { cause });
        return { ...nothing, problems: [{ path, error }] };
      }
      const walk = await walkFolder(root, except === undefined ? {} : { except });
      const tree: Tree = { byPath: new Map(), within: new Map() };
      for (const found of walk.folders) {
        const parent = dirname(found.path);
        tree.byPath.set(found.path, found);
        tree.within.set(parent, [...tree.within.get(parent) ?? [], found]);
      }
      const models = walk.folders.flatMap((found) => findModels(found, tree, origin));
      return { models, refused: [], problems: walk.problems };
    },
  };
}

const nothing: Findings = Object.freeze({ models: [], refused: [], problems: [] });

interface Tree {
  byPath: Map<string, WalkedFolder>;
  /** Folders by the path of the one that they are in. */
  within: Map<string, WalkedFolder[]>;
}

function findModels(
  folder: WalkedFolder,
  tree: Tree,
  origin: ModelOrigin,
): FoundModel[] {
  const bare = { origin, sidecars: [], beside: [], facts: {} };
  const models: FoundModel[] = groupParts(
    folder.files.filter(({ name }) => formatOf(name) === "gguf"),
  ).map(({ base, weights }) => ({ ...bare, id: base, format: "gguf" as const, weights }));

  const whole = gatherModelFolder(folder, tree);
  if (whole !== undefined) {
    const id = basename(folder.path);
    const sidecars = whole.filter(({ name }) => isSidecar(name));
    const beside = whole.filter(({ name }) => !isSidecar(name) && formatOf(name) === undefined);
    for (const { format, variant, weights } of groupVariants(whole)) {
      models.push({
        id: variant === undefined ? id : `${id}:${variant}`,
        origin,
        format,
        weights,
        sidecars,
        beside,
        facts: {},
      });
    }
    return models;
  }
  const parent = tree.byPath.get(dirname(folder.path));
  const isClaimed = basename(folder.path) === "onnx" && parent !== undefined &&
    isConfigured(parent);
  if (isClaimed) return models;
  const beside = folder.files.filter(({ name }) => formatOf(name) === undefined);
  for (const file of folder.files) {
    const format = formatOf(file.name);
    if (format === undefined || format === "gguf") continue;
    models.push({ ...bare, id: stemOf(file.name), format, weights: [file], beside });
  }
  return models;
}

/** The files of a folder that is one model, named from it; undefined for another folder. */
function gatherModelFolder(
  folder: WalkedFolder,
  { within }: Tree,
): FoundFile[] | undefined {
  if (!isConfigured(folder)) return undefined;
  const files = [...folder.files];
  for (const child of within.get(folder.path) ?? []) {
    const name = basename(child.path);
    if (name !== "onnx" && !/^\d+_[A-Za-z]+$/.test(name)) continue;
    const named = child.files.map((file) => ({ ...file, name: `${name}/${file.name}` }));
    files.push(...named.filter((file) => name === "onnx" || isSidecar(file.name)));
  }
  const hasWeights = files.some(({ name }) => {
    const format = formatOf(name);
    return format === "onnx" || format === "safetensors";
  });
  return hasWeights ? files : undefined;
}

function isConfigured({ files }: WalkedFolder): boolean {
  return files.some(({ name }) => name === "config.json");
}
