// The models of Ollama's store, read in place: manifests/<registry>/<namespace>/<name>/<tag> name blobs by digest.
// Caller: cache_place. Invariant: only blobs/sha256-<hex> is opened, and never through a link.

import { join } from "node:path";
import { z } from "zod";
import { AppError } from "../../plugins/runtime/contract/error.ts";
import { cleanText, escapeUnprintable, maxNameChars } from "../format/text.ts";
import type { ModelProblem } from "../model.ts";
import { describeStat, type Findings, type FoundFile, type FoundModel } from "./found.ts";

/** Keeps what manifests said for as long as they stay as they are. `root` is canonical. */
export function createOllamaStore(root: string): { find(): Promise<Findings> } {
  let known = new Map<string, { fingerprint: string; manifest: OllamaManifest }>();
  const licenses = new Map<string, string | undefined>();

  const readManifest = async (path: string): Promise<OllamaManifest> => {
    const stat = await Deno.lstat(path);
    const { fingerprint, size } = describeStat(stat);
    const kept = known.get(path);
    if (kept?.fingerprint === fingerprint) return kept.manifest;
    if (!stat.isFile || size > maxManifestBytes) throw new Error("not a small regular file");
    const manifest = manifestSchema.parse(JSON.parse(await Deno.readTextFile(path)));
    known.set(path, { fingerprint, manifest });
    return manifest;
  };

  const findBlob = async ({ digest, size }: Layer): Promise<FoundFile | undefined> => {
    const path = join(root, "blobs", digest.replace(":", "-"));
    const stat = await Deno.lstat(path).catch(() => undefined);
    if (!stat?.isFile || stat.size !== size) return undefined;
    return { name: "", path, expected: digest, ...describeStat(stat) };
  };

  const readLicense = async (layer: Layer | undefined): Promise<string | undefined> => {
    if (layer === undefined) return undefined;
    if (!licenses.has(layer.digest)) {
      const blob = await findBlob(layer);
      const text = blob === undefined ? undefined : await readStart(blob.path);
      const line = text?.split("\n").find((line) => line.trim() !== "");
      licenses.set(layer.digest, cleanText(line, maxNameChars));
    }
    return licenses.get(layer.digest);
  };

  const findModel = async (
    path: string,
    names: readonly string[],
  ): Promise<FoundModel | string | undefined> => {
    const { layers } = await readManifest(path);
    const weights = layers.filter(({ mediaType }) => mediaType === modelLayer);
    const [layer] = weights;
    // A model that runs elsewhere, or of another format.
    if (layer === undefined) return undefined;
    if (weights.length > 1) return "is split over several files, which is not supported";
    const blob = await findBlob(layer);
    if (blob === undefined) return "names a blob that is not there whole";
    const [namespace = "", name = "", tag = ""] = names.slice(-3);
    const license = await readLicense(layers.find(({ mediaType }) => mediaType === licenseLayer));
    return {
      id: `${namespace === "library" ? "" : `${namespace}/`}${name}:${tag}`,
      origin: "ollama",
      format: "gguf",
      weights: [{ ...blob, name: `${name}-${tag}.gguf` }],
      sidecars: [],
      beside: [],
      facts: license === undefined ? {} : { license },
    };
  };

  return {
    async find() {
      const models: FoundModel[] = [];
      const problems: ModelProblem[] = [];
      const manifests = await listManifests(join(root, "manifests"));
      await Promise.all(manifests.map(async (names) => {
        const path = join(root, "manifests", ...names);
        const found = await findModel(path, names).catch((error) =>
          error instanceof Deno.errors.NotFound ? undefined : "is no manifest that can be read"
        );
        if (typeof found === "string") {
          const text = escapeUnprintable(path);
          const error = new AppError("INVALID_MODEL", `"${text}" ${found}`);
          problems.push({ path: text, error });
        } else if (found !== undefined) models.push(found);
      }));
      const there = new Set(manifests.map((names) => join(root, "manifests", ...names)));
      known = new Map([...known].filter(([path]) => there.has(path)));
      models.sort((a, b) => (a.id < b.id ? -1 : 1));
      return { models, refused: [], problems };
    },
  };
}

/** Registry, namespace, name and tag of each. */
async function listManifests(folder: string): Promise<string[][]> {
  const found: string[][] = [];
  const visit = async (names: readonly string[]): Promise<void> => {
    const entries: Deno.DirEntry[] = [];
    try {
      for await (const entry of Deno.readDir(join(folder, ...names))) entries.push(entry);
    } catch {
      return;
    }
    for (const { name, isDirectory, isFile } of entries) {
      if (name.startsWith(".") || found.length >= maxManifests) continue;
      if (names.length < 3 && isDirectory) await visit([...names, name]);
      if (names.length === 3 && isFile) found.push([...names, name]);
    }
  };
  await visit([]);
  return found;
}

async function readStart(path: string): Promise<string> {
  using file = await Deno.open(path);
  const bytes = new Uint8Array(4096);
  const count = await file.read(bytes);
  return new TextDecoder().decode(bytes.subarray(0, count ?? 0));
}

const modelLayer = "application/vnd.ollama.image.model";
const licenseLayer = "application/vnd.ollama.image.license";
const maxManifestBytes = 1024 * 1024;
const maxManifests = 10_000;

const manifestSchema = z.object({
  layers: z.array(z.object({
    mediaType: z.string(),
    digest: z.string().regex(/^sha256:[0-9a-f]{64}$/),
    size: z.int().nonnegative(),
  })).max(1000),
});

type OllamaManifest = z.infer<typeof manifestSchema>;
type Layer = OllamaManifest["layers"][number];
