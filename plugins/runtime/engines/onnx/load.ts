// Brings an ONNX model to life: its files, the backend that was asked for and really got. Each has a Worker of its own.

import { AppError } from "../../contract/error.ts";
import { chooseBackend, mayTakeWasm } from "../choose_backend.ts";
import type { EngineHost, ModelFile, OpenModel } from "../engine.ts";
import { gpuName, requireGpu } from "../gpu.ts";
import type { OnnxInfo, OnnxLoadOptions, OnnxModel } from "./interface.ts";
import { createModel, type LoadedGraph, type ModelLink } from "./model.ts";
import { loadNative } from "./native.ts";
import { startWorker } from "./worker_link.ts";
import type { LoadRequest } from "./worker_message.ts";

export async function loadModel(
  host: EngineHost,
  model: OpenModel,
  options: OnnxLoadOptions,
): Promise<OnnxModel> {
  const started = performance.now();
  const { signal } = options;
  const chosen = chooseBackend(options.backend, { host, model, engine: "onnxruntime" });
  if (signal?.aborted) throw cancelled();
  if (chosen.backend === "webgpu") await requireGpu();
  const graph = findGraph(model, options.file);
  const external = externalData(model, graph);
  // onnxruntime's threads are module Workers, which an opaque origin does not start.
  const wanted = (globalThis as { origin?: string }).origin === "null" ? 1 : options.threads ?? 1;
  const lease = await host.takeThreads(Math.max(wanted, 1));
  const files = { graph, external, threads: lease.threads, options };
  let link: ModelLink | undefined;
  try {
    const inWorker = (backend: LoadRequest["backend"]) => loadInWorker(host, { ...files, backend });
    const loaded = chosen.backend === "native"
      ? await loadNative(chosen.native, files).then((graph) => ({
        ...graph,
        ...{ engineVersion: `onnxruntime ${chosen.version}`, variant: chosen.variant },
        backend: chosen.backend,
      }), (error) => {
        if (!mayTakeWasm(options.backend, error)) throw error;
        return inWorker("wasm");
      })
      : await inWorker(chosen.backend);
    link = loaded.link;
    if (signal?.aborted) throw cancelled();
    const { link: _, ...facts } = loaded;
    const info: OnnxInfo = {
      engine: "onnx",
      loadMs: performance.now() - started,
      ...facts,
    };
    return createModel({ info, link, release: lease.release });
  } catch (error) {
    link?.end(new AppError("UNAVAILABLE", "The model did not load"));
    lease.release();
    if (signal?.aborted) throw cancelled();
    throw error;
  }
}

/** onnxruntime-web: in WebAssembly, or on WebGPU. */
async function loadInWorker(
  host: EngineHost,
  { graph, external, threads, backend, options }: {
    graph: ModelFile;
    external: readonly { path: string; file: ModelFile }[];
    threads: number;
    backend: LoadRequest["backend"];
    options: OnnxLoadOptions;
  },
): Promise<LoadedGraph & Pick<OnnxInfo, "engineVersion" | "backend" | "device">> {
  const { signal } = options;
  // First of all: a Worker within a Worker takes Deno a second to come up, in which the files are read.
  const link = startWorker(await host.asset("onnx_worker.js"));
  try {
    const [module, wasm] = await Promise.all([host.asset("ort.mjs"), host.asset("ort.wasm")]);
    const read = createReader(options.progress, signal);
    const request: LoadRequest = {
      kind: "load",
      module: new TextDecoder().decode(module),
      wasm,
      model: await read(graph),
      external: await Promise.all(
        external.map(async ({ path, file }) => ({ path, data: await read(file) })),
      ),
      ...{ backend, threads },
      optimization: options.optimization ?? "all",
      fixedAxes: options.fixedAxes ?? {},
    };
    if (signal?.aborted) throw cancelled();
    const { kind: _, version, device, ...facts } = await link.load(request, signal);
    return {
      ...{ link, engineVersion: `onnxruntime-web ${version}` },
      ...(device === undefined ? {} : { device: gpuName(device) }),
      ...facts,
    };
  } catch (error) {
    link.end(new AppError("UNAVAILABLE", "The model did not load"));
    throw error;
  }
}

/** The model's one ONNX file, or the named one. */
function findGraph({ id, files }: OpenModel, wanted: string | undefined): ModelFile {
  const graphs = files.filter(({ name }) => /\.onnx$/i.test(name));
  const [first, second] = wanted === undefined
    ? graphs
    : graphs.filter(({ name }) => name === wanted);
  const names = graphs.slice(0, 20).map(({ name }) => `"${name}"`).join(", ");
  if (first === undefined) {
    throw wanted === undefined
      ? new AppError("INVALID_MODEL", `The model "${id}" has no ONNX file`)
      : new AppError("INVALID_INPUT", `The model "${id}" has no file "${wanted}", but ${names}`);
  }
  if (second !== undefined) {
    throw new AppError("INVALID_INPUT", `The model "${id}" has several files, name one: ${names}`);
  }
  if (first.size > maxGraphBytes) {
    throw new AppError(
      "UNSUPPORTED_FEATURE",
      `"${first.name}" has ${first.size} bytes, and an ONNX file may have ${maxGraphBytes}`,
    );
  }
  return first;
}

/** What may hold a graph's weights beside it: `model.onnx_data`, `model.onnx.data`, `model.onnx_data_1`. */
function externalData({ files }: OpenModel, graph: ModelFile) {
  const folder = graph.name.slice(0, graph.name.lastIndexOf("/") + 1);
  return files.filter(({ name }) =>
    name !== graph.name && name.startsWith(graph.name) &&
    /^[._]data(?:_\d+)?$/.test(name.slice(graph.name.length))
  ).map((file) => ({ path: file.name.slice(folder.length), file }));
}

function createReader(
  progress: ((readBytes: number) => void) | undefined,
  signal: AbortSignal | undefined,
) {
  let readBytes = 0;
  return async (file: ModelFile): Promise<ArrayBuffer> => {
    const whole = new Uint8Array(file.size);
    for (let start = 0; start < file.size; start += pieceBytes) {
      if (signal?.aborted) throw cancelled();
      const end = Math.min(start + pieceBytes, file.size);
      const piece = await file.slice(start, end).arrayBuffer();
      whole.set(new Uint8Array(piece), start);
      // Its memory is free now, and not when V8 finds time.
      piece.transfer(0);
      readBytes += end - start;
      progress?.(readBytes);
    }
    return whole.buffer;
  };
}

function cancelled(): AppError {
  return new AppError("CANCELLED", "The load was cancelled");
}

const pieceBytes = 16 * 1024 * 1024;
/** A protobuf's own limit. */
const maxGraphBytes = 2 ** 31 - 1;
