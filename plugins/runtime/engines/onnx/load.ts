// Brings an ONNX model into a Worker of its own: its files, the backend that was asked for and really got.

import { AppError } from "../../contract/error.ts";
import { chooseBackend } from "../choose_backend.ts";
import type { EngineHost, ModelFile, OpenModel } from "../engine.ts";
import type { OnnxInfo, OnnxLoadOptions, OnnxModel } from "./interface.ts";
import { createModel } from "./model.ts";
import { startWorker, type WorkerLink } from "./worker_link.ts";
import type { LoadRequest } from "./worker_message.ts";

export async function loadModel(
  host: EngineHost,
  model: OpenModel,
  options: OnnxLoadOptions,
): Promise<OnnxModel> {
  const started = performance.now();
  const { signal } = options;
  const chosen = chooseBackend(options.backend, { host, model, engine: "onnxruntime" });
  const { backend } = chosen;
  if (backend === "native") throw new AppError("UNSUPPORTED_FEATURE", "not yet");
  if (signal?.aborted) throw cancelled();
  const graph = findGraph(model, options.file);
  // onnxruntime's threads are module Workers, which an opaque origin does not start.
  const wanted = (globalThis as { origin?: string }).origin === "null" ? 1 : options.threads ?? 1;
  const lease = await host.takeThreads(Math.max(wanted, 1));
  let link: WorkerLink | undefined;
  try {
    // First of all: a Worker within a Worker takes Deno a second to come up, in which the files are read.
    link = startWorker(await host.asset("onnx_worker.js"));
    const [module, wasm] = await Promise.all([host.asset("ort.mjs"), host.asset("ort.wasm")]);
    const read = createReader(options.progress, signal);
    const request: LoadRequest = {
      kind: "load",
      module: new TextDecoder().decode(module),
      wasm,
      model: await read(graph),
      external: [],
      backend,
      threads: lease.threads,
      optimization: options.optimization ?? "all",
      fixedAxes: options.fixedAxes ?? {},
    };
    const folder = graph.name.slice(0, graph.name.lastIndexOf("/") + 1);
    const external = await Promise.all(
      externalData(model, graph).map(async (file) => ({
        path: file.name.slice(folder.length),
        data: await read(file),
      })),
    );
    if (signal?.aborted) throw cancelled();
    const loaded = await link.load({ ...request, external }, signal);
    const info: OnnxInfo = {
      engine: "onnx",
      engineVersion: `onnxruntime-web ${loaded.version}`,
      backend: loaded.backend,
      threads: loaded.threads,
      loadMs: performance.now() - started,
      inputs: loaded.inputs,
      outputs: loaded.outputs,
    };
    return createModel({ info, link, release: lease.release });
  } catch (error) {
    link?.end(new AppError("UNAVAILABLE", "The model did not load"));
    lease.release();
    if (signal?.aborted) throw cancelled();
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
      `"${first.name}" has ${first.size} bytes, and WebAssembly takes at most ${maxGraphBytes}`,
    );
  }
  return first;
}

/** What may hold a graph's weights beside it: `model.onnx_data`, `model.onnx.data`, `model.onnx_data_1`. */
function externalData({ files }: OpenModel, graph: ModelFile): ModelFile[] {
  return files.filter(({ name }) =>
    name !== graph.name && name.startsWith(graph.name) &&
    /^[._]data(?:_\d+)?$/.test(name.slice(graph.name.length))
  );
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
      whole.set(new Uint8Array(await file.slice(start, end).arrayBuffer()), start);
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
