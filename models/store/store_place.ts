// bkg's own store as a place of models: manifests, and the blobs that they name.
// Caller: library. Blobs are looked at each time, so that one which changed or went is noticed.

import { AppError } from "../../plugins/runtime/contract/error.ts";
import { escapeUnprintable, quote } from "../format/text.ts";
import type { ModelManifest, ModelProblem } from "../model.ts";
import { damaged, type LocalBlobs } from "./blob_store.ts";
import { formatOf } from "./file_kinds.ts";
import { describeStat, type FoundFile, type FoundModel, type Place } from "./found.ts";
import type { RefusedModel } from "./found.ts";
import { groupParts } from "./group_files.ts";
import { type FoundManifest, isMissing } from "./manifest_finder.ts";
import { type Manifests, parseManifest, readManifestText, usedAtOf } from "./manifests.ts";
import { createPauses } from "./turns.ts";

export function createStorePlace(
  { manifests, blobs }: { manifests: Manifests; blobs: LocalBlobs },
): Place {
  let known = new Map<string, Known>();

  const readManifest = async (found: FoundManifest): Promise<Known> => {
    const { fingerprint } = describeStat(found.info);
    const kept = known.get(found.path);
    if (kept?.fingerprint === fingerprint) return kept;
    const text = await readManifestText(found);
    try {
      return { fingerprint, manifest: parseManifest(text, found.id), model: undefined };
    } catch (error) {
      if (error instanceof AppError) return { fingerprint, error };
      throw error;
    }
  };

  return {
    async find() {
      const next = new Map<string, Known>();
      const models: FoundModel[] = [];
      const refused: RefusedModel[] = [];
      const problems: ModelProblem[] = [];
      const pause = createPauses();
      const refuse = (path: string, error: AppError) =>
        problems.push({ path: escapeUnprintable(path), error });
      for (const found of await manifests.find(refuse)) {
        await pause();
        try {
          const entry = await readManifest(found);
          next.set(found.path, entry);
          if (entry.error !== undefined) throw entry.error;
          const files = statBlobs(entry.manifest, blobs);
          // The same object while nothing changed: whoever judged it need not again.
          if (entry.model === undefined || !isSame(entry.model, files)) {
            entry.model = createStoreModel(entry.manifest, files, {
              marker: found.path,
              usedAtMs: usedAtOf(found.info),
            });
          }
          models.push(entry.model);
        } catch (error) {
          if (isMissing(error)) continue;
          if (!(error instanceof AppError)) throw error;
          const path = escapeUnprintable(found.path);
          refused.push({ id: found.id, origin: "store", path, error });
        }
      }
      known = next;
      return { models, refused, problems };
    },
  };
}

/** Throws INVALID_MODEL when it has no weights. `files` are those of the manifest, in its order. */
export function createStoreModel(
  manifest: ModelManifest,
  files: readonly FoundFile[],
  { marker, usedAtMs }: { marker: string; usedAtMs?: number | undefined },
): FoundModel {
  const { id, task, license, source, pinned, pulledAtMs } = manifest;
  const ofFormat = (format: string) => files.filter(({ name }) => formatOf(name) === format);
  const format = (["gguf", "onnx", "safetensors"] as const).find((one) => ofFormat(one).length > 0);
  if (format === undefined) {
    const reason = `Model ${quote(id)} has no GGUF, ONNX or safetensors file`;
    throw new AppError("INVALID_MODEL", reason);
  }
  // Another GGUF file beside is not a part: a projector goes with the weights.
  const weights = format === "gguf"
    ? groupParts(ofFormat(format)).find(({ weights }) =>
      weights.some(({ name }) => name === ofFormat(format)[0]?.name)
    )?.weights ?? []
    : ofFormat(format);
  return {
    id,
    origin: "store",
    format,
    weights,
    sidecars: files.filter((file) => !weights.includes(file)),
    beside: [],
    marker,
    facts: {
      ...(task === undefined ? {} : { task }),
      ...(license === undefined ? {} : { license }),
      ...(usedAtMs === undefined ? {} : { usedAtMs }),
      source,
      pinned,
      createdAtMs: pulledAtMs,
    },
  };
}

/** Throws INVALID_MODEL for a blob that is gone, has another size, or is known to be damaged. */
export function statBlobs(manifest: ModelManifest, blobs: LocalBlobs): FoundFile[] {
  return manifest.files.map(({ name, size, digest }) => {
    const path = blobs.pathOf(digest);
    let stat: Deno.FileInfo;
    try {
      stat = Deno.lstatSync(path);
    } catch (cause) {
      const reason = isMissing(cause)
        ? `${quote(name)} is not in the store any more; pull the model again`
        : `${quote(name)} cannot be read: ${cause instanceof Error ? cause.name : "unknown error"}`;
      throw new AppError("INVALID_MODEL", reason, { cause, details: { file: name } });
    }
    const file: FoundFile = { name, path, expected: digest, ...describeStat(stat) };
    if (!stat.isFile || stat.size !== size) throw damaged(file);
    if (blobs.condition(file) === "damaged") throw damaged(file);
    return file;
  });
}

type Known =
  | {
    fingerprint: string;
    manifest: ModelManifest;
    model: FoundModel | undefined;
    error?: undefined;
  }
  | { fingerprint: string; error: AppError };

function isSame({ weights, sidecars }: FoundModel, files: readonly FoundFile[]): boolean {
  const before = new Map([...weights, ...sidecars].map((file) => [file.name, file.fingerprint]));
  return files.every(({ name, fingerprint }) => before.get(name) === fingerprint);
}
