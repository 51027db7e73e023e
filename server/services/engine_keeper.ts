// What people do to the native engines of this server: look, add, remove, and let cells use the GPU. Callers: routes.

import { isAbsolute } from "node:path";
import type { EngineChoice, EngineId } from "../../plugins/runtime/contract/engine_choice.ts";
import { engineIds } from "../../plugins/runtime/contract/engine_choice.ts";
import { AppError } from "../../plugins/runtime/contract/error.ts";
import type { Job } from "../../plugins/runtime/contract/job.ts";
import type { EngineStore } from "../engines/engine_store.ts";
import { type AddInput, addInputSchema } from "./engine_adds.ts";
import type { JobRunner } from "./job_runner.ts";
import { isLive } from "./jobs.ts";

export interface EngineKeeper {
  list(): Promise<EngineChoice[]>;
  get(id: EngineId): Promise<EngineChoice>;
  /**
   * Begins to add an engine, or answers the job that does; undefined for "webgpu", which is on at once. Throws CONFLICT
   * for one that is on, UNSUPPORTED_FEATURE where there is none for this machine, UNAVAILABLE offline without `from`,
   * FORBIDDEN for a folder that the caller may not name.
   */
  add(
    id: EngineId,
    asked: { from?: string | undefined },
    by: EngineCaller,
  ): Promise<Job | undefined>;
  /** Throws NOT_FOUND when it is not on, CONFLICT while it is being added. */
  remove(id: EngineId): Promise<void>;
  /** Removes what was left by jobs that go on no more; before any begins. */
  sweep(): Promise<void>;
}

export interface EngineCaller {
  userId: string;
  /** The local operator alone names folders of this machine. */
  mayReadFiles: boolean;
}

export interface EngineKeeperDeps {
  store: EngineStore;
  jobs: Pick<JobRunner, "add" | "search" | "resume">;
  offline: boolean;
  /** Lets plugins that run take up what is here now. */
  changed(): Promise<void>;
}

export function createEngineKeeper(
  { store, jobs, offline, changed }: EngineKeeperDeps,
): EngineKeeper {
  /** The newest that is as wanted. */
  function findJob(wanted: (job: Job, asked: AddInput) => boolean): Job | undefined {
    return jobs.search((job, input) => {
      const asked = job.kind === "engine.add" ? addInputSchema.safeParse(input).data : undefined;
      return asked !== undefined && wanted(job, asked);
    });
  }

  /** Why it could not be added the last time. */
  function failureOf(id: EngineId): string | undefined {
    let isLocal = false;
    const job = findJob((_, asked) => {
      isLocal = asked.from !== undefined;
      return asked.id === id;
    });
    if (job?.status !== "failed") return undefined;
    // Who may look at engines need not know the server's folders.
    return isLocal ? "It could not be added from the folder" : job.error?.message;
  }

  async function findProblem(id: EngineId): Promise<string | undefined> {
    for (const pin of store.packages(id)) {
      const problem = await store.problem(pin);
      if (problem !== undefined) return `${pin.engine}: ${problem}; add it again`;
    }
    return undefined;
  }

  async function get(id: EngineId): Promise<EngineChoice> {
    const pins = store.packages(id);
    const job = findJob((job, asked) => asked.id === id && isLive(job));
    const isOn = store.isOn(id);
    const unsupported = unsupportedReason(id, store);
    const problem = isOn ? await findProblem(id) : undefined;
    const reason = job !== undefined
      ? undefined
      : unsupported ?? problem ?? (isOn ? undefined : failureOf(id));
    const installedBytes = pins.reduce((sum, pin) => sum + store.bytes(pin), 0);
    return {
      id,
      ...texts[id],
      status: job !== undefined
        ? "adding"
        : unsupported !== undefined
        ? "unsupported"
        : problem !== undefined
        ? "damaged"
        : isOn
        ? "on"
        : "off",
      ...(reason === undefined ? {} : { reason }),
      contains: id === "webgpu" ? [] : ["llama", "onnxruntime"],
      downloadBytes: pins.reduce((sum, { downloadBytes }) => sum + downloadBytes, 0),
      ...(isOn && id !== "webgpu" ? { installedBytes } : {}),
      ...(pins.length === 0 ? {} : {
        version: pins.map(({ engine, version }) => `${engine} ${version}`).join(", "),
      }),
      ...(job === undefined ? {} : { jobId: job.id }),
    };
  }

  return {
    list: () => Promise.all(engineIds.map(get)),
    get,
    async add(id, { from }, { userId, mayReadFiles }) {
      const unsupported = unsupportedReason(id, store);
      if (unsupported !== undefined) throw new AppError("UNSUPPORTED_FEATURE", unsupported);
      if (from !== undefined) requireFolder(from, mayReadFiles);
      if (store.isOn(id) && await findProblem(id) === undefined) {
        throw new AppError("CONFLICT", `The engine "${id}" is on already`);
      }
      if (id === "webgpu") {
        await store.turnOn(id);
        await changed();
        return undefined;
      }
      if (offline && from === undefined) {
        throw new AppError(
          "UNAVAILABLE",
          "BKG_OFFLINE is set: nothing is downloaded; add the engine from a folder that has its packages",
          { retryable: false },
        );
      }
      // From here to `add` in one turn, so that of two equal ones the second finds the first.
      const equal = findJob((job, asked) =>
        asked.id === id && (isLive(job) || (job.status === "failed" && asked.from === from))
      );
      if (equal?.status === "failed" || equal?.status === "paused") {
        return await jobs.resume(equal.id);
      }
      return equal ?? await jobs.add({
        kind: "engine.add",
        title: `Native engine ${id}`,
        input: { id, ...(from === undefined ? {} : { from }) } satisfies AddInput,
        createdBy: userId,
      });
    },
    async remove(id) {
      if (findJob((job, asked) => asked.id === id && isLive(job)) !== undefined) {
        throw new AppError("CONFLICT", `The engine "${id}" is being added: cancel its job first`);
      }
      if (!store.isOn(id)) throw new AppError("NOT_FOUND", `The engine "${id}" is not on`);
      await store.turnOff(id);
      // What runs lets go first; where it does not, the system keeps the files for it until it ends.
      await changed();
      await store.removeUnused();
    },
    async sweep() {
      const kept = new Map<string, EngineId>();
      findJob((job, { id }) => {
        if (mayGoOn(job)) kept.set(job.id, id);
        return false;
      });
      await store.sweep(kept);
    },
  };
}

/** By itself, or because somebody tells it to. */
function mayGoOn(job: Job): boolean {
  return isLive(job) || job.status === "failed";
}

/** Undefined where it can be added. */
function unsupportedReason(
  id: EngineId,
  { packages, system }: Pick<EngineStore, "packages" | "system">,
): string | undefined {
  if (id === "webgpu" || packages(id).length > 0) return undefined;
  return `There is no native engine "${id}" for ${system.os} on ${system.arch}`;
}

function requireFolder(path: string, mayReadFiles: boolean): void {
  if (!mayReadFiles) {
    throw new AppError("FORBIDDEN", "Only the local operator's key may name folders of the server");
  }
  if (!isAbsolute(path)) {
    throw new AppError("INVALID_INPUT", "A folder of the server is named by its whole path");
  }
}

const texts: Readonly<Record<EngineId, Pick<EngineChoice, "title" | "description">>> = {
  webgpu: {
    title: "WebGPU",
    description:
      "Plugins may use this machine's GPU. Nothing is downloaded; the GPU's driver runs " +
      "in the processes of plugins that list engines.",
  },
  cpu: {
    title: "Native, on the processor",
    description: "llama.cpp and ONNX Runtime as machine code, several times as fast as " +
      "WebAssembly, for models that you trust.",
  },
  vulkan: {
    title: "Native, on a GPU by Vulkan",
    description: "llama.cpp for a GPU of any maker whose Vulkan driver is on this machine; ONNX " +
      "Runtime on the processor.",
  },
  cuda: {
    title: "Native, on a GPU by CUDA",
    description: "llama.cpp for a GPU of NVIDIA, with its driver and the CUDA runtime on this " +
      "machine; ONNX Runtime on the processor.",
  },
};
