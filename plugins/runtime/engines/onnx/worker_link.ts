// The engine's end of a model's Worker: one run at a time, those that wait in the order of asking, and one end for all of
// them. Whoever leaves while waiting is never run.

import { AppError } from "../../contract/error.ts";
import { toPlainText } from "../../contract/plain_text.ts";
import type { OnnxResult, RunOptions, Tensor } from "./interface.ts";
import type { LoadRequest, WorkerReply, WorkerRequest } from "./worker_message.ts";

export type Loaded = Extract<WorkerReply, { kind: "loaded" }>;

export interface WorkerLink {
  /** Why nothing runs any more; undefined while it does. */
  readonly broken: AppError | undefined;
  load(request: LoadRequest, signal: AbortSignal | undefined): Promise<Loaded>;
  run(inputs: Readonly<Record<string, Tensor>>, options: RunOptions): Promise<OnnxResult>;
  /** Rejects what waits, and ends the Worker; idempotent. */
  end(reason: AppError): void;
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
    end(new AppError("UNAVAILABLE", `onnxruntime ended: ${plain(event.message)}`));
  };
  worker.onmessage = ({ data }: MessageEvent<WorkerReply>) => {
    switch (data.kind) {
      case "loaded":
        return loading.resolve(data);
      case "lost":
        return end(
          new AppError("UNAVAILABLE", `The GPU was lost (${plain(data.message)}); try again`),
        );
      case "result":
        running?.done.resolve({ outputs: data.outputs, runMs: data.runMs });
        return runNext();
      case "error": {
        const { id, message } = data;
        if (id === undefined) return end(loadError(message, backend));
        running?.done.reject(runError(message));
        if (isOutOfMemory(message)) return end(runError(message));
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
  if (isOutOfMemory(message)) {
    return new AppError("OUT_OF_MEMORY", `The model does not fit into memory: ${plain(message)}`);
  }
  if (backend === "webgpu" && /webgpu|backend|adapter|device/i.test(message)) {
    return new AppError("UNSUPPORTED_FEATURE", `WebGPU is not to be had here: ${plain(message)}`);
  }
  return new AppError("INVALID_MODEL", `The model did not load: ${plain(message)}`);
}

function runError(message: string): AppError {
  if (isOutOfMemory(message)) {
    return new AppError("OUT_OF_MEMORY", `The run took too much memory: ${plain(message)}`);
  }
  // Types and shapes were checked; what is left is the graph's own objection to these values.
  return new AppError("INVALID_INPUT", `The model cannot run on these inputs: ${plain(message)}`);
}

/** Or in a state in which C++ left everything as it was: WebAssembly's memory never shrinks, so the Worker ends. */
function isOutOfMemory(message: string): boolean {
  return /out of memory|bad_alloc|failed to allocate|overflow|ended with|out of bounds$|unreachable|Aborted\(/i
    .test(message);
}

/** onnxruntime's words without the places in its own source; they quote the model, so they are nobody's own. */
function plain(message: string): string {
  const said = message
    .replace(/^[^]*?ERROR_MESSAGE: /, "")
    .replaceAll(/\/\S*onnxruntime\/\S+(?:[^]*?\[ONNXRuntimeError\])?/g, "")
    .replaceAll(/(?:\[ONNXRuntimeError\])? : \d+ : \w+ : /g, "");
  return toPlainText(said.replaceAll(/\s+/g, " ").trim(), 500);
}
