// The engine's end of a model's Worker: one run at a time, those that wait in the order of asking, and one end for all of
// them. Whoever leaves while waiting is never run.

import { AppError } from "../../contract/error.ts";
import { onnxLoadError, onnxRunError, plainOnnxWords } from "../../contract/onnxruntime_error.ts";
import { gpuLost, noGpu } from "../gpu.ts";
import type { OnnxResult } from "./interface.ts";
import type { ModelLink } from "./model.ts";
import type { LoadRequest, WorkerReply, WorkerRequest } from "./worker_message.ts";

export type Loaded = Extract<WorkerReply, { kind: "loaded" }>;

export interface WorkerLink extends ModelLink {
  load(request: LoadRequest, signal: AbortSignal | undefined): Promise<Loaded>;
}

interface Run {
  request: Extract<WorkerRequest, { kind: "run" }>;
  done: PromiseWithResolvers<OnnxResult>;
}

export function startWorker(code: ArrayBuffer): WorkerLink {
  const url = URL.createObjectURL(new Blob([code], { type: "text/javascript" }));
  // Of an opaque origin Chromium starts no module from a blob; the code is the same as a classic script.
  const { origin } = globalThis as { origin?: string };
  const worker = new Worker(url, { type: origin === "null" ? "classic" : "module" });
  const loading = Promise.withResolvers<Loaded>();
  let running: Run | undefined;
  let waiting: Run[] = [];
  let broken: AppError | undefined;
  let nextId = 1;
  let backend: LoadRequest["backend"] = "wasm";
  loading.promise.catch(() => {});

  const end = (reason: AppError) => {
    if (broken !== undefined) return;
    broken = reason;
    worker.terminate();
    URL.revokeObjectURL(url);
    loading.reject(reason);
    for (const { done } of [...running === undefined ? [] : [running], ...waiting]) {
      done.reject(reason);
    }
    running = undefined;
    waiting = [];
  };
  const runNext = () => {
    running = waiting.shift();
    if (running !== undefined) post(running.request, []);
  };
  worker.onerror = (event) => {
    event.preventDefault();
    end(new AppError("UNAVAILABLE", `onnxruntime ended: ${plainOnnxWords(event.message)}`));
  };
  worker.onmessage = ({ data }: MessageEvent<WorkerReply>) => {
    switch (data.kind) {
      case "loaded":
        return loading.resolve(data);
      case "lost":
        return end(gpuLost(data.message));
      case "result":
        running?.done.resolve({ outputs: data.outputs, runMs: data.runMs });
        return runNext();
      case "error": {
        const { id, message } = data;
        if (id === undefined) return end(loadError(message, backend));
        const error = onnxRunError(message);
        running?.done.reject(error);
        if (error.code === "OUT_OF_MEMORY") return end(error);
        return runNext();
      }
    }
  };
  const post = (request: WorkerRequest, transfer: Transferable[]) =>
    worker.postMessage(request, transfer);

  // It begins to listen with its first message.
  post({ kind: "wake" }, []);

  return {
    get broken() {
      return broken;
    },
    async load(request, signal) {
      const stop = () => end(new AppError("CANCELLED", "The load was cancelled"));
      signal?.addEventListener("abort", stop, { once: true });
      backend = request.backend;
      post(request, [request.wasm, request.model, ...request.external.map(({ data }) => data)]);
      try {
        return await loading.promise;
      } finally {
        signal?.removeEventListener("abort", stop);
      }
    },
    async run(inputs, { outputs, signal }) {
      if (broken !== undefined) throw broken;
      const run: Run = {
        request: {
          kind: "run",
          id: nextId++,
          inputs,
          ...(outputs === undefined ? {} : { outputs }),
        },
        done: Promise.withResolvers(),
      };
      const leave = () => {
        waiting = waiting.filter((other) => other !== run);
        run.done.reject(new AppError("CANCELLED", "The run was cancelled"));
      };
      waiting.push(run);
      if (running === undefined) runNext();
      if (signal?.aborted) leave();
      else signal?.addEventListener("abort", leave, { once: true });
      try {
        return await run.done.promise;
      } finally {
        signal?.removeEventListener("abort", leave);
      }
    },
    end,
  };
}

function loadError(message: string, backend: LoadRequest["backend"]): AppError {
  const error = onnxLoadError(message);
  if (
    error.code === "INVALID_MODEL" && backend === "webgpu" &&
    /webgpu|backend|adapter|device/i.test(message)
  ) {
    return noGpu(plainOnnxWords(message));
  }
  return error;
}
