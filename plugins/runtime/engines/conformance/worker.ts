// The suite in a Worker of a page: takes the engines as the build made them, and the models; then runs a case at a time.

import { type AppError, toAppError, type WireError } from "../../contract/error.ts";
import type { EngineHost, ModelFile, OpenModel } from "../engine.ts";
import { type CaseOrder, runCase } from "./run_case.ts";
import type { SuiteEngine, SuiteModel } from "./suite.ts";

type Files = Record<string, Uint8Array<ArrayBuffer>>;

export type SuiteOrder =
  | {
    kind: "begin";
    modules: Record<SuiteEngine, Uint8Array<ArrayBuffer>>;
    assets: Files;
    models: Record<SuiteModel, Files>;
  }
  | { kind: "case"; order: CaseOrder };

/** `threadsLent`: those that a case did not give back. */
export interface SuiteReport {
  error?: WireError;
  threadsLent: number;
}

declare const self: {
  addEventListener(type: "message", listener: (event: MessageEvent<SuiteOrder>) => void): void;
  postMessage(message: SuiteReport): void;
};

let run: ReturnType<typeof createRunner>;

self.addEventListener("message", async ({ data }) => {
  if (data.kind === "begin") run = createRunner(data);
  else self.postMessage(await (await run)(data.order));
});

async function createRunner(
  { modules, assets, models }: Extract<SuiteOrder, { kind: "begin" }>,
) {
  let threadsLent = 0;
  let threads = 1;
  const host: EngineHost = {
    asset: (name) => Promise.resolve(assets[name]!.slice().buffer),
    takeThreads(wanted) {
      const given = Math.min(wanted, threads);
      threadsLent += given;
      return Promise.resolve({ threads: given, release: () => void (threadsLent -= given) });
    },
  };
  const load = async (name: SuiteEngine): Promise<unknown> =>
    await import(
      URL.createObjectURL(new Blob([modules[name]], { type: "text/javascript" }))
    );
  const { createWllamaEngine } = await load("wllama") as typeof import("../wllama/mod.ts");
  const { createOnnxEngine } = await load("onnx") as typeof import("../onnx/mod.ts");
  const { createTransformersEngine } = await load(
    "transformers",
  ) as typeof import("../transformers/mod.ts");
  const engines = {
    wllama: createWllamaEngine(host),
    onnx: createOnnxEngine(host),
    transformers: createTransformersEngine(host),
  };
  return async (order: CaseOrder): Promise<SuiteReport> => {
    threads = order.threads;
    const open = (name: SuiteModel) => Promise.resolve(openModel(name, models[name]));
    const error = await runCase(order, { engines, open }).then(
      () => undefined,
      (thrown): AppError => toAppError(thrown),
    );
    return { ...(error === undefined ? {} : { error: error.toWire() }), threadsLent };
  };
}

function openModel(id: SuiteModel, files: Files): OpenModel {
  const opened = Object.entries(files).map(([name, bytes]): ModelFile => ({
    name,
    size: bytes.length,
    slice: (start, end) => {
      const part = bytes.slice(start, end);
      return { size: part.length, arrayBuffer: () => Promise.resolve(part.buffer) };
    },
  }));
  return {
    id,
    size: opened.reduce((sum, { size }) => sum + size, 0),
    format: id === "story" ? "gguf" : "onnx",
    files: opened,
    close: () => {},
  };
}
