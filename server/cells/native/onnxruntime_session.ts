// The main's end of a native model's Worker: one run at a time, those that wait in the order of asking, one end for all.
// A run cannot be stopped: what it computes for one that left is dropped, and whoever leaves while waiting is never run.

import { AppError } from "../../../plugins/runtime/contract/error.ts";
import type { NativeOnnxResult } from "../../../plugins/runtime/contract/native_onnx.ts";
import {
  onnxLoadError,
  onnxRunError,
} from "../../../plugins/runtime/contract/onnxruntime_error.ts";
import type { TensorInfo } from "../../../plugins/runtime/contract/tensor.ts";
import type { InstalledEngine } from "./native_engines.ts";
import type { LoadOrder, RunOrder, SessionOrder, SessionReport } from "./onnxruntime_message.ts";

export interface Described {
  inputs: TensorInfo[];
  outputs: TensorInfo[];
}

export interface OnnxSession {
  /** Once it is loaded. */
  readonly described: Described;
  /** Why nothing runs any more. */
  readonly ended: AppError | undefined;
  load(order: Omit<LoadOrder, "kind" | "folder" | "providers">): Promise<Described>;
  run(order: RunOrder, signal: AbortSignal): Promise<NativeOnnxResult>;
  /** Rejects what waits; the memory is free once what runs is over. Idempotent. */
  end(reason: AppError): void;
}

interface Waiting {
  order: RunOrder;
  done: PromiseWithResolvers<NativeOnnxResult>;
}

export function startOnnxSession(code: string, installed: InstalledEngine): OnnxSession {
  const url = URL.createObjectURL(new Blob([code], { type: "text/javascript" }));
  const { folder } = installed;
  const worker = new Worker(url, {
    type: "module",
    deno: { permissions: { ffi: [folder], read: [folder] } },
  });
  const loading = Promise.withResolvers<Described>();
  loading.promise.catch(() => {});
  let described: Described = { inputs: [], outputs: [] };
  let running: Waiting | undefined;
  let waiting: Waiting[] = [];
  let ended: AppError | undefined;

  const post = (order: SessionOrder, transfer: Transferable[] = []) =>
    worker.postMessage(order, transfer);
  const runNext = () => {
    running = waiting.shift();
    if (running === undefined) return;
    const { inputs } = running.order;
    const buffers = Object.values(inputs).flatMap(({ data }) =>
      Array.isArray(data) ? [] : [data.buffer as ArrayBuffer]
    );
    // Two inputs may share one buffer.
    post(running.order, [...new Set(buffers)]);
  };
  const end = (reason: AppError) => {
    if (ended !== undefined) return;
    ended = reason;
    loading.reject(reason);
    for (const { done } of running === undefined ? waiting : [running, ...waiting]) {
      done.reject(reason);
    }
    waiting = [];
    // Ended from outside, a Worker leaves its machine code's memory behind.
    post({ kind: "end" });
  };
  const close = () => {
    worker.terminate();
    URL.revokeObjectURL(url);
  };
  const fail = ({ message, isEngine }: Extract<SessionReport, { kind: "error" }>) => {
    if (isEngine) {
      const { engine, version } = installed;
      // For the operator, who can mend it; the plugin need not know where it lies.
      console.error(message);
      const problem = `The native engine "${engine}" ${version} does not start here`;
      return end(new AppError("UNSUPPORTED_FEATURE", problem));
    }
    if (running === undefined) return end(onnxLoadError(message));
    const error = onnxRunError(message);
    running.done.reject(error);
    if (error.code === "OUT_OF_MEMORY") end(error);
    else runNext();
  };

  worker.onmessage = ({ data }: MessageEvent<SessionReport>) => {
    switch (data.kind) {
      case "loaded":
        described = { inputs: data.inputs, outputs: data.outputs };
        return loading.resolve(described);
      case "result":
        running?.done.resolve({ outputs: data.outputs, runMs: data.runMs });
        return ended === undefined ? runNext() : undefined;
      case "error":
        return ended === undefined ? fail(data) : undefined;
      case "ended":
        return close();
    }
  };
  worker.onerror = (event) => {
    event.preventDefault();
    end(new AppError("UNAVAILABLE", "The native engine's Worker failed"));
    close();
  };

  return {
    get described() {
      return described;
    },
    get ended() {
      return ended;
    },
    load(order) {
      const { variant } = installed;
      const providers = variant === "cuda" ? ["cuda", "cpu"] : ["cpu"];
      post({ kind: "load", folder, providers, ...order }, [
        order.model,
        ...order.external.map(({ data }) => data),
      ]);
      return loading.promise;
    },
    async run(order, signal) {
      if (ended !== undefined) throw ended;
      const run: Waiting = { order, done: Promise.withResolvers() };
      const leave = () => {
        waiting = waiting.filter((other) => other !== run);
        run.done.reject(new AppError("CANCELLED", "The run was cancelled"));
      };
      waiting.push(run);
      if (running === undefined) runNext();
      if (signal.aborted) leave();
      else signal.addEventListener("abort", leave, { once: true });
      try {
        return await run.done.promise;
      } finally {
        signal.removeEventListener("abort", leave);
      }
    },
    end,
  };
}
