// The Worker of one loaded model: onnxruntime-web, its session, one run at a time. The engine starts it from a blob.

import * as ort from "onnxruntime-web";
import type { GpuNames } from "../gpu.ts";
import type { Tensor, TensorData, TensorInfo, TensorType } from "./interface.ts";
import type { LoadRequest, WorkerReply, WorkerRequest } from "./worker_message.ts";

declare const self: {
  postMessage(message: WorkerReply, transfer?: Transferable[]): void;
  addEventListener(type: "message", listener: (event: MessageEvent<WorkerRequest>) => void): void;
};

let session: ort.InferenceSession | undefined;
/** Settles when the GPU is gone; undefined without one. */
let loss: Promise<unknown> | undefined;
let last: Promise<unknown> = Promise.resolve();

self.addEventListener("message", ({ data }) => {
  if (data.kind === "wake") return;
  // In the order of asking: onnxruntime's sessions take one run at a time.
  last = last.then(() => data.kind === "load" ? load(data) : run(data));
});

async function load(request: LoadRequest): Promise<void> {
  const moduleUrl = URL.createObjectURL(new Blob([request.module], { type: "text/javascript" }));
  try {
    // What goes wrong is thrown.
    ort.env.logLevel = "fatal";
    ort.env.wasm.wasmBinary = request.wasm;
    ort.env.wasm.wasmPaths = { mjs: moduleUrl };
    ort.env.wasm.numThreads = request.threads;
    ort.env.wasm.proxy = false;
    const opened = await ort.InferenceSession.create(new Uint8Array(request.model), {
      executionProviders: [request.backend],
      graphOptimizationLevel: request.optimization,
      freeDimensionOverrides: request.fixedAxes,
      logSeverityLevel: 4,
      ...(request.external.length === 0 ? {} : {
        externalData: request.external.map(({ path, data }) => ({
          path,
          data: new Uint8Array(data),
        })),
      }),
    });
    const device = request.backend === "webgpu" ? await watchDevice() : undefined;
    session = opened;
    self.postMessage({
      kind: "loaded",
      version: ort.env.versions.web ?? ort.env.versions.common,
      backend: request.backend,
      threads: request.threads,
      ...(device === undefined ? {} : { device }),
      inputs: opened.inputMetadata.map((metadata) => describeValue(metadata, request.fixedAxes)),
      outputs: opened.outputMetadata.map((metadata) => describeValue(metadata, request.fixedAxes)),
    });
  } catch (error) {
    self.postMessage({ kind: "error", message: textOf(error) });
  } finally {
    URL.revokeObjectURL(moduleUrl);
  }
}

async function run(request: Extract<WorkerRequest, { kind: "run" }>): Promise<void> {
  const { id, inputs, outputs } = request;
  try {
    if (session === undefined) throw new Error("no model is loaded");
    const feeds = Object.fromEntries(
      Object.entries(inputs).map(([name, tensor]) => [name, toOrt(tensor)]),
    );
    const started = performance.now();
    // What goes wrong is thrown, and need not be printed as well.
    const quiet = { logSeverityLevel: 4 } as const;
    const results = outputs === undefined
      ? await session.run(feeds, quiet)
      : await session.run(feeds, [...outputs], quiet);
    const runMs = performance.now() - started;
    const answer: Record<string, Tensor> = {};
    const transfer: Transferable[] = [];
    for (const [name, tensor] of Object.entries(results)) {
      // What lies in onnxruntime's own memory is copied out of it before it is used anew.
      const data = await tensor.getData(true);
      const own = Array.isArray(data) ? data : toOwn(data);
      if (!Array.isArray(own)) transfer.push(own.buffer as ArrayBuffer);
      answer[name] = {
        type: tensor.type as TensorType,
        dims: tensor.dims,
        data: own,
      };
      tensor.dispose();
    }
    self.postMessage({ kind: "result", id, outputs: answer, runMs }, transfer);
  } catch (error) {
    // What failed because the GPU went may be told before its loss is: then that is the reason.
    if (loss !== undefined) await Promise.race([loss, sleep(lossMs)]);
    self.postMessage({ kind: "error", id, message: textOf(error) });
  }
}

const lossMs = 200;

function sleep(ms: number): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, ms));
}

function toOrt({ type, dims, data }: Tensor): ort.Tensor {
  return new ort.Tensor(type as "float32", data as Float32Array, dims);
}

/** A copy; what JavaScript may have as numbers of 16 bits are those bits here. */
function toOwn(data: Exclude<ort.Tensor.DataType, string[]>): Exclude<TensorData, string[]> {
  const bytes = new Uint8Array(data.buffer, data.byteOffset, data.byteLength).slice();
  if ("Float16Array" in globalThis && data instanceof Float16Array) {
    return new Uint16Array(bytes.buffer);
  }
  const { constructor } = data as Uint8Array;
  return new (constructor as Uint8ArrayConstructor)(bytes.buffer);
}

/** Throws where onnxruntime runs without a GPU although one was asked for. */
async function watchDevice(): Promise<GpuNames> {
  const device = await ort.env.webgpu.device as
    | { lost: Promise<{ reason: string; message: string }>; adapterInfo?: GpuNames }
    | undefined;
  if (device === undefined) throw new Error("WebGPU was asked for, and no device is in use");
  loss = device.lost.then(({ reason, message }) =>
    self.postMessage({ kind: "lost", message: `${reason}: ${message}` })
  );
  const { description = "", vendor = "", architecture = "" } = device.adapterInfo ?? {};
  return { description, vendor, architecture };
}

function describeValue(
  metadata: ort.InferenceSession.ValueMetadata,
  fixed: Readonly<Record<string, number>>,
): TensorInfo {
  if (!metadata.isTensor) throw new Error(`"${metadata.name}" is no tensor`);
  return {
    name: metadata.name,
    type: metadata.type as TensorType,
    shape: metadata.shape.map((size) => {
      // An axis without a name comes as -1, without its sign.
      if (typeof size === "number") return size >= 0 && size < 2 ** 31 ? size : "?";
      return fixed[size] ?? (size || "?");
    }),
  };
}

function textOf(error: unknown): string {
  // Emscripten throws bare numbers where C++ ran out of memory.
  if (typeof error === "number") return `onnxruntime ended with ${error}`;
  return error instanceof Error ? error.message : String(error);
}
