// What people do to the models of this server: begin pulls and checks, pin, remove, make room, look what might be
// pulled. Callers: routes.

import type { CatalogModel } from "../../models/catalog.ts";
import {
  describeCatalogModel,
  describeRecord,
  estimateFit,
  type Fit,
  type MachineFacts,
} from "../../models/fit.ts";
import type {
  Garbage,
  GarbageOptions,
  ModelOrigin,
  ModelProblem,
  ModelRecord,
} from "../../models/model.ts";
import { formatSource, parseSource } from "../../models/source.ts";
import { checkModelId } from "../../models/store/model_id.ts";
import { AppError } from "../../plugins/runtime/contract/error.ts";
import type { Job } from "../../plugins/runtime/contract/job.ts";
import type { JobRunner } from "./job_runner.ts";
import { isLive } from "./jobs.ts";
import { type CheckInput, checkInputSchema } from "./model_checks.ts";
import { findModel, isSameSource, type PullInput, pullInputSchema } from "./model_pulls.ts";
import type { TrustedLibrary } from "./trusted_models.ts";

export interface ModelKeeper {
  /**
   * Begins a pull, or answers an equal one that is queued, runs or is paused; one that failed goes on. Throws
   * INVALID_INPUT for what is no source, UNAVAILABLE offline, FORBIDDEN for a local file that the caller may not name,
   * and CONFLICT with `modelId` in the details for a model that is here, unless it shall be renewed.
   */
  pull(asked: PullRequest, by: PullCaller): Promise<{ job: Job; isNew: boolean }>;
  /** Begins to read a model again, or answers the job that does. */
  verify(modelId: string, userId: string): Promise<Job>;
  /** Lets native engines open the model as it is; files that nobody has read yet are read first, by the job. */
  trust(modelId: string, userId: string): Promise<{ model: ModelRecord } | { job: Job }>;
  /** Holds for who opens it from now on. CONFLICT for what came with bkg. */
  distrust(modelId: string): Promise<ModelRecord>;
  pin(id: string, pinned: boolean): Promise<ModelRecord>;
  remove(id: string, options: { force: boolean }): Promise<{ freedBytes: number }>;
  collectGarbage(options: Pick<GarbageOptions, "unusedDays" | "dryRun">): Promise<Garbage>;
  problems(): Promise<ModelProblem[]>;
  disk(): Promise<DiskUse>;
  machine(): Promise<Machine>;
  catalog(): Promise<{ machine: Machine; models: CatalogEntry[] }>;
}

export type PullRequest = Pick<PullInput, "source" | "id" | "update">;

export interface PullCaller {
  userId: string;
  /** The local operator alone names files of this machine. */
  mayReadFiles: boolean;
}

/** Bytes, but for `models`. */
export interface DiskUse {
  /** Of bkg's own store, with what is not whole yet. */
  storeBytes: number;
  /** How many are in it. */
  models: number;
  /** What no model and no pull needs. */
  reclaimableBytes: number;
  freeBytes: number;
  totalBytes: number;
}

export interface Machine extends MachineFacts {
  /** BKG_OFFLINE. */
  offline: boolean;
}

export interface CatalogEntry extends CatalogModel {
  /** The id of the model, when it is here. */
  installed: string | null;
  /** The job that pulls it. */
  job: string | null;
  /** For each backend that could run it. */
  fits: Fit[];
}

export interface ModelKeeperDeps {
  library: TrustedLibrary;
  jobs: JobRunner;
  facts(): Promise<MachineFacts>;
  /** Of all files in bkg's store, and of its disk. */
  measureDisk(): Promise<Pick<DiskUse, "storeBytes" | "freeBytes" | "totalBytes">>;
  catalog: readonly CatalogModel[];
  offline: boolean;
  endpoint: string;
}

export function createModelKeeper(deps: ModelKeeperDeps): ModelKeeper {
  const { library, jobs, facts, measureDisk, catalog, offline, endpoint } = deps;

  /** Of a pull that may go on. */
  function findPull(source: string, id: string | undefined): Job | undefined {
    return jobs.search((job, input) => {
      if (job.kind !== "model.pull") return false;
      const { data: asked } = pullInputSchema.safeParse(input);
      if (asked === undefined || asked.id !== id) return false;
      // What failed may have failed for how it was spelled.
      if (job.status === "failed") return asked.source === source;
      return isLive(job) && isSameSource(asked.source, source, endpoint);
    });
  }

  /** As far as it can be told without asking the source. */
  function findInstalled(text: string, models: readonly ModelRecord[]): ModelRecord | undefined {
    const source = parseSource(text, { endpoint });
    const pulled = models.find(({ source }) =>
      source !== undefined && isSameSource(source, text, endpoint)
    );
    if (pulled !== undefined || source.kind !== "hub" || source.revision !== "main") return pulled;
    const name = source.variant === undefined ? source.repo : `${source.repo}:${source.variant}`;
    return models.find(({ id }) => id.toLowerCase() === name.toLowerCase());
  }

  function findCheck({ modelId, trust }: CheckInput): Job | undefined {
    return jobs.search((job, input) => {
      const { data: asked } = checkInputSchema.safeParse(input);
      return job.kind === "model.verify" && isLive(job) &&
        asked?.modelId === modelId && asked.trust === trust;
    });
  }

  async function check(asked: CheckInput, userId: string): Promise<Job> {
    const running = findCheck(asked);
    if (running?.status === "paused") return await jobs.resume(running.id);
    return running ?? await jobs.add({
      kind: "model.verify",
      title: asked.modelId,
      modelId: asked.modelId,
      input: asked,
      createdBy: userId,
    });
  }

  async function machine(): Promise<Machine> {
    return { ...await facts(), offline };
  }

  function collectGarbage(options: GarbageOptions): Promise<Garbage> {
    const pulls = jobs.list({ kind: "model.pull", limit: Infinity }).filter(isLive);
    return library.collectGarbage({ ...options, keepPartial: new Set(pulls.map(({ id }) => id)) });
  }

  return {
    async pull(asked, { userId, mayReadFiles }) {
      const source = parseSource(asked.source, { endpoint });
      if (asked.id !== undefined) checkModelId(asked.id);
      if (source.kind === "file") requireFile(source.path, mayReadFiles);
      else if (offline) {
        throw new AppError("UNAVAILABLE", "BKG_OFFLINE is set: nothing is downloaded", {
          retryable: false,
        });
      }
      const installed = asked.id === undefined
        ? findInstalled(asked.source, await library.list())
        : await findModel(library, asked.id);
      if (installed !== undefined && !asked.update) {
        throw new AppError("CONFLICT", `Model ${JSON.stringify(installed.id)} is here already`, {
          details: { modelId: installed.id },
        });
      }
      // From here to `add` in one turn, so that of two equal ones the second finds the first.
      const equal = findPull(asked.source, asked.id);
      if (equal?.status === "failed") return { job: await jobs.resume(equal.id), isNew: true };
      if (equal !== undefined) return { job: equal, isNew: false };
      const job = await jobs.add({
        kind: "model.pull",
        title: formatSource(source),
        input: asked satisfies PullInput,
        createdBy: userId,
      });
      return { job, isNew: true };
    },
    async verify(modelId, userId) {
      // By the id that it really has.
      const { id } = await nameOf(modelId);
      return await check({ modelId: id, trust: false }, userId);
    },
    async trust(modelId, userId) {
      const model = await library.get(modelId);
      const { id, files, trusted } = model;
      if (trusted) return { model };
      const digests = files.flatMap(({ digest }) => digest ?? []);
      if (digests.length < files.length) {
        return { job: await check({ modelId: id, trust: true }, userId) };
      }
      await library.trust(id, digests);
      return { model: await library.get(id) };
    },
    async distrust(modelId) {
      const { id, origin } = await nameOf(modelId);
      if (origin === "demo") {
        throw new AppError("CONFLICT", `Model ${JSON.stringify(id)} came with bkg: it is trusted`);
      }
      // First: what is being read would be marked after all.
      const running = findCheck({ modelId: id, trust: true });
      if (running !== undefined) await jobs.cancel(running.id);
      await library.distrust(id);
      return await library.get(id);
    },
    pin: (id, pinned) => library.pin(id, pinned),
    remove: (id, options) => library.remove(id, options),
    collectGarbage,
    problems: () => library.problems(),
    async disk() {
      const [models, { freedBytes }, disk] = await Promise.all([
        library.list(),
        collectGarbage({ dryRun: true }),
        measureDisk(),
      ]);
      return {
        ...disk,
        models: models.filter(({ origin }) => origin === "store").length,
        reclaimableBytes: freedBytes,
      };
    },
    machine,
    async catalog() {
      const [here, records] = await Promise.all([machine(), library.list()]);
      const models = catalog.map((entry) => {
        const record = findInstalled(entry.source, records);
        const model = record === undefined ? describeCatalogModel(entry) : describeRecord(record);
        const job = findPull(entry.source, undefined);
        return {
          ...entry,
          ...(record === undefined ? {} : readFacts(record, entry)),
          installed: record?.id ?? null,
          job: job !== undefined && isLive(job) ? job.id : null,
          fits: backends.map((backend) => estimateFit(model, here, { backend })),
        };
      });
      return { machine: here, models };
    },
  };

  /** A damaged model is verified too: that is how it is seen. */
  async function nameOf(id: string): Promise<{ id: string; origin?: ModelOrigin }> {
    try {
      return await library.get(id);
    } catch (error) {
      if (error instanceof AppError && error.code === "INVALID_MODEL") return { id };
      throw error;
    }
  }
}

/** What nobody had verified before the model was pulled. */
function readFacts(
  record: ModelRecord,
  entry: CatalogModel,
): Pick<CatalogModel, "size" | "digest" | "license" | "contextLength"> {
  return {
    size: record.size,
    digest: record.files[0]?.digest ?? entry.digest,
    license: record.license ?? entry.license,
    contextLength: record.contextLength ?? entry.contextLength,
  };
}

/** What runs for anybody; native code takes about the memory that WebAssembly does. */
const backends = ["wasm", "webgpu"] as const;

function requireFile(path: string, mayReadFiles: boolean): void {
  if (!mayReadFiles) {
    throw new AppError("FORBIDDEN", "Only the local operator's key may name files of the server");
  }
  if (!/^(?:\/|[A-Za-z]:[\\/])/.test(path)) {
    throw new AppError("INVALID_INPUT", "A local file is named by its whole path");
  }
}
