// What bkg pulled, as JSON that a person can read: manifests/<owner>/<name>/<variant>.json.
// Callers: store_place, library, garbage. Invariant: a manifest is replaced whole or not at all.

import { dirname, join } from "node:path";
import { z } from "zod";
import { AppError } from "../../plugins/runtime/contract/error.ts";
import { quote } from "../format/text.ts";
import { type ModelManifest, modelTasks } from "../model.ts";
import { fileNameProblem } from "../source.ts";
import { makeFolder, syncFolder, writeDurably } from "./durable.ts";
import {
  createManifestFinder,
  type FoundManifest,
  isMissing,
  type RefusePath,
} from "./manifest_finder.ts";
import { isModelId, manifestPathOf } from "./model_id.ts";

export interface Manifests {
  readonly folder: string;
  pathOf(id: string): string;
  /** All that lie where the manifest of their id does; what else is there is no manifest. */
  find(refuse?: RefusePath): Promise<FoundManifest[]>;
  /** Undefined when there is none; throws INVALID_MODEL when it is damaged. */
  read(id: string): Promise<ModelManifest | undefined>;
  write(manifest: ModelManifest): Promise<void>;
  remove(id: string): Promise<void>;
  /** All that manifests but one name, damaged ones too: those may be mended by hand. */
  listDigests(options: { except: string }): Promise<Set<string>>;
  /** Notes that the model was opened: the manifest's mtime, to the hour. */
  touch(id: string, nowMs: number): Promise<void>;
}

export function createManifests(folder: string): Manifests {
  const pathOf = (id: string) => join(folder, manifestPathOf(id));
  const find = createManifestFinder(folder);
  return {
    folder,
    pathOf,
    find,
    async read(id) {
      try {
        const path = pathOf(id);
        const info = await Deno.lstat(path);
        return parseManifest(await readManifestText({ id, path, info }), id);
      } catch (error) {
        if (isMissing(error)) return undefined;
        throw error;
      }
    },
    async write(manifest) {
      const path = pathOf(manifest.id);
      await makeFolder(dirname(path));
      await writeDurably(path, JSON.stringify(manifest, undefined, 2) + "\n");
    },
    async remove(id) {
      const path = pathOf(id);
      await Deno.remove(path).catch((error) => {
        if (!isMissing(error)) throw error;
      });
      await syncFolder(dirname(path)).catch(() => {});
      // Folders that it leaves empty; one that is not cannot be removed so.
      for (let up = dirname(path); up !== folder; up = dirname(up)) {
        if (!await Deno.remove(up).then(() => true, () => false)) break;
      }
    },
    async listDigests({ except }) {
      const digests = new Set<string>();
      for (const found of await find()) {
        if (found.id === except) continue;
        for (const digest of digestsIn(await readManifestText(found))) digests.add(digest);
      }
      return digests;
    },
    async touch(id, nowMs) {
      const hour = new Date(nowMs - nowMs % hourMs);
      const path = pathOf(id);
      const { mtime } = await Deno.lstat(path);
      if (mtime?.getTime() !== hour.getTime()) await Deno.utime(path, hour, hour);
    },
  };
}

/** When a model was last opened; undefined when nothing but the writing of its manifest is known. */
export function usedAtOf({ mtime }: Deno.FileInfo): number | undefined {
  const ms = mtime?.getTime();
  return ms !== undefined && ms % hourMs === 0 ? ms : undefined;
}

/** Throws INVALID_MODEL for one that is too large or cannot be read, and what the system says for one that is gone. */
export async function readManifestText({ id, path, info }: FoundManifest): Promise<string> {
  const refuse = (reason: string, cause?: unknown) =>
    new AppError("INVALID_MODEL", `The manifest of model ${quote(id)} ${reason}`, { cause });
  if (!info.isFile || info.size > maxManifestBytes) throw refuse("is damaged: it is no small file");
  try {
    return await Deno.readTextFile(path);
  } catch (error) {
    if (isMissing(error)) throw error;
    throw refuse(`cannot be read: ${error instanceof Error ? error.name : "unknown error"}`, error);
  }
}

/** Throws INVALID_MODEL for a manifest that is damaged, or another model's. */
export function parseManifest(text: string, id: string): ModelManifest {
  const reason = `The manifest of model ${quote(id)} is damaged`;
  let manifest: ModelManifest;
  try {
    manifest = manifestSchema.parse(JSON.parse(text)) as ModelManifest;
  } catch (cause) {
    throw new AppError("INVALID_MODEL", reason, { cause });
  }
  if (manifest.id === id) return manifest;
  throw new AppError("INVALID_MODEL", `${reason}: it says that it is ${quote(manifest.id)}'s`);
}

/** What a manifest's text names, be it damaged or not. */
export function digestsIn(text: string): string[] {
  return text.match(/sha256:[0-9a-f]{64}/g) ?? [];
}

/** Throws INVALID_INPUT for one that could not be read again. */
export function checkManifest(manifest: ModelManifest): ModelManifest {
  const checked = manifestSchema.safeParse(manifest);
  if (checked.success) return checked.data as ModelManifest;
  const [issue] = checked.error.issues;
  throw new AppError(
    "INVALID_INPUT",
    `A model cannot be kept as it was told: ${issue?.path.join(".")}: ${issue?.message}`,
  );
}

const hourMs = 3_600_000;
const maxManifestBytes = 4 * 1024 * 1024;

/** It is shown. */
const visibleText = z.string().regex(/^[^\p{C}\p{Zl}\p{Zp}]*$/u, "holds what cannot be seen");

const manifestSchema = z.object({
  version: z.literal(1),
  id: z.string().refine(isModelId, "is no id of a model"),
  source: visibleText.max(4096),
  revision: z.string().max(1024).optional(),
  task: z.enum(modelTasks).optional(),
  license: visibleText.max(1024).optional(),
  pinned: z.boolean(),
  pulledAtMs: z.number().nonnegative(),
  files: z.array(z.object({
    name: z.string().refine((name) => fileNameProblem(name) === undefined, "is no file name"),
    size: z.int().nonnegative(),
    digest: z.string().regex(/^sha256:[0-9a-f]{64}$/, "is no digest"),
  })).min(1).max(2000).refine(
    (files) => new Set(files.map(({ name }) => name)).size === files.length,
    "names a file twice",
  ),
});
