// The models of a server: all places to find some in, and bkg's own store, the one that is written.
// Caller: compose. On a duplicate id the own store wins, then people's folders, other programs' stores, the demo.

import { dirname, join } from "node:path";
import type { ModelFile, ModelLibrary } from "../model.ts";
import { createBlobStore, damaged } from "./blob_store.ts";
import { createCachePlace } from "./cache_place.ts";
import { createFileDigests, type FileDigest } from "./digests.ts";
import { makeFolder } from "./durable.ts";
import { createFolderPlace } from "./folder_models.ts";
import { openHeaderCache } from "./header_cache.ts";
import { createHeaders } from "./headers.ts";
import { createLeases } from "./leases.ts";
import { createManifests } from "./manifests.ts";
import { createModelIndex } from "./model_index.ts";
import { createStorePlace } from "./store_place.ts";
import { createStoreWriter } from "./store_writer.ts";
import { verifyModel } from "./verify_model.ts";

export interface ModelLibraryOptions {
  /** bkg's own store; people may put files into it too. Made if need be. */
  folder: string;
  /** Folders of models, read-only. */
  modelPaths: readonly string[];
  /** Folders of other programs' stores: Hugging Face's, Ollama's; which it is shows in what they hold. */
  caches: readonly string[];
  /** The models that came with bkg. */
  demoFolder: string;
  /** A JSON file; what headers said is kept beside it. */
  digestCache: string;
  log?: { warn(message: string, fields?: Record<string, unknown>): void };
  /** Ms since the epoch. */
  now?: () => number;
}

export interface OpenModelLibrary extends ModelLibrary {
  /** Canonical: what a process that opens models must be allowed to read. */
  readonly readFolders: readonly string[];
  /** Of a model's file as it is now. INVALID_MODEL when it is not what its place says that it is. */
  digest(file: ModelFile): Promise<FileDigest>;
}

export async function openModelLibrary(options: ModelLibraryOptions): Promise<OpenModelLibrary> {
  const { modelPaths, caches, demoFolder, digestCache, log, now = Date.now } = options;
  await makeFolder(options.folder);
  const folder = await Deno.realPath(options.folder);
  // A cell's permissions are a list with commas: a cache is better left out than every cell refused.
  const usable = caches.filter((path) => !path.includes(","));
  for (const path of caches) {
    if (path.includes(",")) log?.warn("A folder with a comma in its path is left out", { path });
  }
  const readFolders = await Promise.all(
    [folder, ...modelPaths, ...usable, demoFolder].map(canonical),
  );
  const digests = createFileDigests({ cachePath: digestCache, log, now });
  const [cache] = await Promise.all([
    openHeaderCache(join(dirname(digestCache), "headers.json")),
    digests.load(),
  ]);
  const blobs = createBlobStore({ folder, digests });
  const manifests = createManifests(join(folder, "manifests"));
  const leases = createLeases();
  const index = createModelIndex({
    places: [
      createStorePlace({ manifests, blobs }),
      createFolderPlace({ folder, except: ownFolders }),
      ...modelPaths.map((folder) => createFolderPlace({ folder })),
      ...usable.map(createCachePlace),
      createFolderPlace({ folder: demoFolder, origin: "demo" }),
    ],
    headers: createHeaders({ cache, now }),
    blobs,
    knownDigest: digests.known,
    scanned: () =>
      cache.save().catch((error) => log?.warn("Headers of models cannot be kept", { error })),
    ...(log === undefined ? {} : { log }),
  });

  const open: ModelLibrary["open"] = async (id) => {
    const { id: own } = await index.get(id);
    const release = leases.take(own);
    try {
      // It may have been removed before it was taken, and the name that was asked for be another's by now.
      const model = await index.get(own);
      // A store that can only be read serves as well; then its use is not noted.
      if (model.origin === "store") await manifests.touch(model.id, now()).catch(() => {});
      return { model, release };
    } catch (error) {
      release();
      throw error;
    }
  };

  return {
    readFolders,
    blobs,
    list: index.list,
    get: index.get,
    problems: index.problems,
    open,
    async digest(file) {
      const found = await digests.digest(file);
      const expected = file.digest ?? index.expectedDigest(file.path);
      if (expected !== undefined && expected !== found.digest) throw damaged(file);
      return found;
    },
    verify: (id, options) => verifyModel({ index, digests, blobs, manifests, leases }, id, options),
    ...createStoreWriter({ index, manifests, blobs, leases, now }),
  };
}

/** What lies in the store's folder and is no model of a person. */
const ownFolders: ReadonlySet<string> = new Set(["blobs", "manifests", "partial"]);

/** Where a path really leads: a cell is allowed folders by name, and files are found below the real one. */
function canonical(path: string): Promise<string> {
  return Deno.realPath(path).catch(() => path);
}
