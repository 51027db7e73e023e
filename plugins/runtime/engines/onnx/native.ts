// The native backend: onnxruntime's machine code in the cell's main, which reads the files itself, by the host's numbers
// of them, and checks again all that comes from here.

import { AppError } from "../../contract/error.ts";
import type {
  NativeOnnxLoad,
  NativeOnnxLoaded,
  NativeOnnxResult,
  NativeOnnxRun,
  NativeOnnxUnload,
} from "../../contract/native_onnx.ts";
import type { ModelFile, NativeHost } from "../engine.ts";
import type { OnnxLoadOptions, Tensor, TensorInfo } from "./interface.ts";
import type { LoadedGraph, ModelLink } from "./model.ts";

export async function loadNative(
  native: NativeHost,
  { graph, external, threads, options }: {
    graph: ModelFile;
    external: readonly { path: string; file: ModelFile }[];
    threads: number;
    options: OnnxLoadOptions;
  },
): Promise<LoadedGraph> {
  const { signal, optimization = "all", fixedAxes = {} } = options;
  const order: NativeOnnxLoad = {
    graph: handleOf(graph),
    external: external.map(({ path, file }) => ({ path, handle: handleOf(file) })),
    ...{ threads, optimization },
  };
  const loaded = await native.call(
    "onnxruntime.load",
    order,
    {
      ...(signal === undefined ? {} : { signal }),
      // Left just as it was done.
      onLate: (loaded) => unload(native, (loaded as NativeOnnxLoaded).session),
    },
  ) as NativeOnnxLoaded;
  options.progress?.(external.reduce((sum, { file }) => sum + file.size, graph.size));
  const fix = (info: TensorInfo) => ({
    ...info,
    shape: info.shape.map((size) => fixedAxes[size] ?? size),
  });
  return {
    link: createLink(native, loaded.session),
    threads: loaded.threads,
    inputs: loaded.inputs.map(fix),
    outputs: loaded.outputs.map(fix),
  };
}

/** The model in the main: it runs one call at a time, in the order of asking. */
function createLink(native: NativeHost, session: number): ModelLink {
  const ended = Promise.withResolvers<never>();
  ended.promise.catch(() => {});
  let broken: AppError | undefined;
  const end = (reason: AppError) => {
    if (broken !== undefined) return;
    broken = reason;
    ended.reject(reason);
    unload(native, session);
  };
  return {
    get broken() {
      return broken;
    },
    async run(inputs, { outputs, signal }) {
      if (broken !== undefined) throw broken;
      const own = copyTensors(inputs);
      const order: NativeOnnxRun = {
        ...{ session, inputs: own.tensors },
        ...(outputs === undefined ? {} : { outputs }),
      };
      const options = { transfer: own.buffers, ...(signal === undefined ? {} : { signal }) };
      const running = native.call("onnxruntime.run", order, options) as Promise<NativeOnnxResult>;
      try {
        return await Promise.race([running, ended.promise]);
      } catch (error) {
        if (signal?.aborted) throw new AppError("CANCELLED", "The run was cancelled");
        if (error instanceof AppError && endings.has(error.code)) end(error);
        throw error;
      }
    },
    end,
  };
}

function unload(native: NativeHost, session: number): void {
  native.call("onnxruntime.unload", { session } satisfies NativeOnnxUnload).catch(() => {});
}

/** After these there is no model any more. */
const endings: ReadonlySet<string> = new Set(["OUT_OF_MEMORY", "UNAVAILABLE", "NOT_FOUND"]);

/** The one copy on the way there: its buffers are moved. */
function copyTensors(inputs: Readonly<Record<string, Tensor>>) {
  const buffers: ArrayBuffer[] = [];
  const tensors: Record<string, Tensor> = {};
  for (const [name, { type, dims, data }] of Object.entries(inputs)) {
    const own = data.slice() as typeof data;
    if (!Array.isArray(own)) buffers.push(own.buffer as ArrayBuffer);
    tensors[name] = { type, dims, data: own };
  }
  return { tensors, buffers };
}

function handleOf({ name, handle }: ModelFile): number {
  if (handle !== undefined) return handle;
  throw new AppError(
    "UNSUPPORTED_FEATURE",
    `The native backend opens files of the host, and "${name}" is none`,
  );
}
