// How a model comes here, as a job: asks the source, downloads what the store lacks, checks it, and makes it a model.
// Caller: open_models.ts. Invariant: a model is there whole or not at all, and one that was there stays until then.

import { z } from "zod";
import type { CatalogModel } from "../../models/catalog.ts";
import type { ModelLibrary, ModelRecord } from "../../models/model.ts";
import { downloadFiles } from "../../models/pull/download.ts";
import type { PullNetwork } from "../../models/pull/network.ts";
import { planPull, type PullPlan } from "../../models/pull/plan.ts";
import { formatSource, type ModelSource, parseSource, publicHub } from "../../models/source.ts";
import { AppError } from "../../plugins/runtime/contract/error.ts";
import type { JobWork, RunningJob } from "./jobs.ts";
import { createModelTurns } from "./model_turns.ts";
import type { TrustedLibrary } from "./trusted_models.ts";

/** What a pull job keeps; the source as it was given, which may hold a signed address. */
export const pullInputSchema = z.object({
  source: z.string(),
  /** Chosen by who asks. */
  id: z.string().optional(),
  /** Whether a model that is here is replaced by a newer one. */
  update: z.boolean().default(false),
  /** The hub's commit that this pull began with: what moves there meanwhile must not mix with it. */
  revision: z.string().optional(),
});

export type PullInput = z.infer<typeof pullInputSchema>;

export interface ModelPullsDeps {
  library: ModelLibrary & Pick<TrustedLibrary, "trust">;
  network: PullNetwork;
  catalog: readonly Pick<CatalogModel, "source" | "task" | "digest">[];
  /** Where the store is. */
  freeBytes(): Promise<number>;
  /** The hub whose pages are sources too. */
  endpoint: string;
}

export function createModelPulls(deps: ModelPullsDeps): JobWork {
  const { library, network, freeBytes, endpoint } = deps;
  const inTurn = createModelTurns();

  async function bring(plan: PullPlan, { asked, job }: Pull): Promise<PullResult> {
    const there = await findModel(library, plan.id);
    if (there !== undefined && (!asked.update || hasFiles(there, plan))) {
      return { modelId: there.id, changed: false };
    }
    const folder = await library.blobs.openPartial(job.id);
    const known = await findBlobs(library, plan);
    const knownBytes = sum(known.map(({ size }) => size));
    const missing = plan.files.filter(({ name }) => known.every((file) => file.name !== name));
    const fetched = await downloadFiles(
      { ...plan, files: missing },
      { ...network, folder, freeBytes },
      {
        signal: job.signal,
        progress: ({ doneBytes, totalBytes, step }) =>
          job.tell({
            step,
            doneBytes: knownBytes + doneBytes,
            ...(totalBytes === undefined ? {} : { totalBytes: knownBytes + totalBytes }),
          }),
      },
    );
    job.signal.throwIfAborted();
    job.tell({ step: "Checking" });
    const files = plan.files.map(({ name }) =>
      [...known, ...fetched].find((file) => file.name === name)!
    ).map(({ name, size, digest }) => ({ name, size, digest }));
    // What was here already may be gone since: then it comes with the rest.
    if ((await findBlobs(library, { files: known })).length < known.length) {
      return await bring(plan, { asked, job });
    }
    for (const { path, digest } of fetched) await library.blobs.adopt(path, digest);
    const entry = findEntry(asked.source, deps);
    const task = entry?.task ?? plan.task;
    const digests = files.map(({ digest }) => digest);
    // Before it is a model: a mark that is left alone does nothing, and a pull that went through is not repeated.
    if (isPromised(entry, digests, endpoint)) await library.trust(plan.id, digests);
    const model = await library.put({
      version: 1,
      id: plan.id,
      source: formatSource(parseSource(asked.source, { endpoint })),
      ...(plan.revision === undefined ? {} : { revision: plan.revision }),
      ...(task === undefined ? {} : { task }),
      ...(plan.license === undefined ? {} : { license: plan.license }),
      pinned: there?.pinned ?? false,
      pulledAtMs: Date.now(),
      files,
    });
    await library.blobs.removePartial(job.id);
    job.tell({ doneBytes: model.size, totalBytes: model.size });
    return { modelId: model.id, changed: true };
  }

  return {
    concurrency: 2,
    async run(job) {
      const asked = pullInputSchema.parse(job.input);
      job.tell({ step: "Asking the source" });
      const source = withRevision(parseSource(asked.source, { endpoint }), asked.revision);
      const plan = await planPull(source, network, {
        signal: job.signal,
        ...(asked.id === undefined ? {} : { id: asked.id }),
      });
      if (source.kind === "hub" && plan.revision !== undefined) {
        job.remember({ ...asked, revision: plan.revision });
      }
      job.tell({ modelId: plan.id });
      return await inTurn(plan.id, {
        signal: job.signal,
        waits: () => job.tell({ step: "Waiting for another pull of this model" }),
        run: () => bring(plan, { asked, job }),
      });
    },
    discard: (id) => library.blobs.removePartial(id),
  };
}

interface Pull {
  asked: PullInput;
  job: RunningJob;
}

export interface PullResult {
  modelId: string;
  /** False: it was there already. */
  changed: boolean;
}

/** Undefined also for one whose files are damaged: it is pulled anew. */
export async function findModel(
  library: Pick<ModelLibrary, "get">,
  id: string,
): Promise<ModelRecord | undefined> {
  try {
    return await library.get(id);
  } catch (error) {
    const isAway = error instanceof AppError &&
      (error.code === "NOT_FOUND" || error.code === "INVALID_MODEL");
    if (isAway) return undefined;
    throw error;
  }
}

/** Whether two texts ask for the same; one may be of an older bkg, or written by hand, and no source any more. */
export function isSameSource(one: string, other: string, endpoint: string): boolean {
  return keyOf(one, endpoint) === keyOf(other, endpoint);
}

function keyOf(text: string, endpoint: string): string {
  let source: ModelSource;
  try {
    source = parseSource(text, { endpoint });
  } catch {
    return text;
  }
  switch (source.kind) {
    case "hub":
      return formatSource({
        ...source,
        repo: source.repo.toLowerCase(),
        // A quantization, unless it is a file.
        variant: /[./]/.test(source.variant ?? "") ? source.variant : source.variant?.toLowerCase(),
      });
    case "url":
      return source.url;
    case "file":
      return source.path;
  }
}

function withRevision(source: ModelSource, revision: string | undefined): ModelSource {
  return source.kind === "hub" && revision !== undefined ? { ...source, revision } : source;
}

/** Those that the store has already. */
async function findBlobs(
  { blobs }: Pick<ModelLibrary, "blobs">,
  { files }: { files: readonly Pick<PullPlan["files"][number], "name" | "digest">[] },
): Promise<{ name: string; size: number; digest: string }[]> {
  const found = await Promise.all(files.map(async ({ name, digest }) => {
    const blob = digest === undefined ? undefined : await blobs.find(digest);
    return blob && digest ? [{ name, size: blob.size, digest }] : [];
  }));
  return found.flat();
}

function hasFiles({ files }: ModelRecord, plan: PullPlan): boolean {
  return plan.files.every(({ name, digest }) =>
    digest !== undefined && files.some((file) => file.name === name && file.digest === digest)
  );
}

function findEntry(source: string, { catalog, endpoint }: ModelPullsDeps) {
  return catalog.find((entry) => isSameSource(entry.source, source, endpoint));
}

/** Whether it is what the catalogue means: on another hub anyone may have taken its names. */
function isPromised(
  entry: Pick<CatalogModel, "digest"> | undefined,
  [weights]: readonly string[],
  endpoint: string,
): boolean {
  if (entry === undefined || endpoint !== publicHub) return false;
  return entry.digest === null || entry.digest === weights;
}

function sum(values: readonly number[]): number {
  return values.reduce((total, value) => total + value, 0);
}
