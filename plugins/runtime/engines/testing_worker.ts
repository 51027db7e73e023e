// The Worker's side of testing_harness.ts: the engine, or wllama alone, driven by messages.

import { type CacheManager, Wllama } from "@wllama/wllama";
import type { ModelFile, OpenModel } from "./engine.ts";
import { createWllamaEngine, type GenerateOptions, type WllamaModel } from "./wllama/mod.ts";
import type {
  BareResult,
  BareRun,
  Input,
  RemoteModel,
  WorkerReply,
  WorkerRequest,
} from "./testing_harness.ts";

declare const self: {
  addEventListener(type: "message", listener: (event: MessageEvent<WorkerRequest>) => void): void;
  postMessage(message: WorkerReply): void;
};

const models = new Map<number, WllamaModel>();
const aborts = new Map<number, AbortController>();
const waiting = new Map<number, (buffer: ArrayBuffer) => void>();
let wasm: ArrayBuffer;
let threadsLent = 0;
let nextId = 1;

const engine = createWllamaEngine({
  asset: () => Promise.resolve(wasm.slice(0)),
  takeThreads: (wanted) => {
    threadsLent += wanted;
    return Promise.resolve({ threads: wanted, release: () => void (threadsLent -= wanted) });
  },
});

self.addEventListener("message", ({ data }) => {
  if (data.kind === "wasm") wasm = data.bytes;
  else if (data.kind === "bytes") waiting.get(data.id)?.(data.buffer);
  else if (data.kind === "abort") aborts.get(data.id)?.abort();
  else {
    run(data).then(
      (value) => reply({ kind: "value", id: data.id, value }),
      (error) =>
        reply({
          kind: "error",
          id: data.id,
          error: { code: error?.code, message: String(error?.message), details: error?.details },
        }),
    ).finally(() => aborts.delete(data.id));
  }
});

function reply(message: WorkerReply): void {
  self.postMessage(message);
}

async function run(request: Extract<WorkerRequest, { method: string }>): Promise<unknown> {
  const abort = new AbortController();
  aborts.set(request.id, abort);
  const { signal } = abort;
  switch (request.method) {
    case "load": {
      const model = await engine.load(openRemote(request.model), {
        ...request.options,
        signal,
        progress: (readBytes) => reply({ kind: "progress", id: request.id, state: { readBytes } }),
      });
      const handle = nextId++;
      models.set(handle, model);
      return { handle, info: model.info() };
    }
    case "generate": {
      const model = models.get(request.handle)!;
      const stream = start(model, request.input, {
        ...request.options,
        signal,
        progress: (state) => reply({ kind: "progress", id: request.id, state }),
      });
      while (true) {
        const { done, value } = await stream.next();
        if (done) return value;
        reply({ kind: "piece", id: request.id, piece: value });
      }
    }
    case "embed":
      return await models.get(request.handle)!.embed(request.text, {
        signal,
        progress: () => reply({ kind: "progress", id: request.id, state: {} }),
      });
    case "unload":
      await models.get(request.handle)!.unload();
      return { threadsLent };
    case "bare":
      return await runBare(openRemote(request.model), request.run);
  }
}

function start(model: WllamaModel, input: Input, options: GenerateOptions) {
  return "prompt" in input
    ? model.complete(input.prompt, options)
    : model.chat(input.messages, options);
}

function openRemote({ files, ...summary }: RemoteModel): OpenModel {
  return { ...summary, files: files.map((file) => remoteFile(file)), close: () => {} };
}

function remoteFile({ handle, name, size }: RemoteModel["files"][number]) {
  return {
    name,
    size,
    slice(from, to) {
      const end = Math.min(to, size);
      return {
        size: end - from,
        arrayBuffer: () =>
          new Promise((resolve) => {
            const id = nextId++;
            waiting.set(id, (buffer) => {
              waiting.delete(id);
              resolve(buffer);
            });
            reply({ kind: "read", id, handle, start: from, end });
          }),
      };
    },
  } satisfies ModelFile as ModelFile;
}

/** By what they were loaded with. They stay: what a load leaves to be done would be counted with the next run. */
const bareModels = new Map<string, Promise<Wllama>>();

async function loadBare(
  { files }: OpenModel,
  { threads, contextLength, sequences }: Pick<
    Required<BareRun>,
    "threads" | "contextLength" | "sequences"
  >,
) {
  const url = URL.createObjectURL(new Blob([wasm], { type: "application/wasm" }));
  const quiet = { debug() {}, log() {}, warn() {}, error() {} };
  const wllama = new Wllama({ default: url }, { cacheManager: {} as CacheManager, logger: quiet });
  wllama.setCompat(null);
  await wllama.loadModel(files as unknown as Blob[], {
    n_ctx: contextLength * sequences,
    n_threads: threads,
    n_gpu_layers: 0,
    n_parallel: sequences,
  });
  await completeBare(wllama, { prompt: "To begin with", maxTokens: 4 });
  return wllama;
}

async function completeBare(
  wllama: Wllama,
  { prompt, maxTokens }: Pick<BareRun, "prompt" | "maxTokens">,
) {
  let text = "";
  let firstMs = NaN;
  const started = performance.now();
  const stream = await wllama.createCompletion({
    prompt,
    max_tokens: maxTokens,
    temperature: 0,
    stream: true,
  });
  for await (const chunk of stream) {
    const piece = chunk.choices[0]?.text ?? "";
    if (text === "" && piece !== "") firstMs = performance.now() - started;
    text += piece;
  }
  return { text, firstMs, ms: performance.now() - started };
}

async function runBare(opened: OpenModel, run: BareRun): Promise<BareResult> {
  const { prompt, beside = [], maxTokens, threads, contextLength } = run;
  const { sequences = 1 + beside.length } = run;
  const key = JSON.stringify([opened.id, threads, contextLength, sequences]);
  const loading = bareModels.get(key) ?? loadBare(opened, { threads, contextLength, sequences });
  bareModels.set(key, loading);
  const wllama = await loading;
  try {
    const [first, ...others] = await Promise.all(
      [prompt, ...beside].map((prompt) => completeBare(wllama, { prompt, maxTokens })),
    );
    return { ...first!, ms: Math.max(first!.ms, ...others.map(({ ms }) => ms)) };
  } catch (error) {
    bareModels.delete(key);
    await wllama.exit();
    throw error;
  }
}
