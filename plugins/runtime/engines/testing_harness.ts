// Runs the real engine as a cell does: one bundle in a Worker without permissions, models read by range.
// Tests drive it from outside through the same interface that a plugin has.

import * as esbuild from "esbuild";
import { execFileSync } from "node:child_process";
import { existsSync, openSync, readdirSync, readFileSync, readSync, statSync } from "node:fs";
import { basename, join } from "node:path";
import process from "node:process";
import { fileURLToPath } from "node:url";
import { AppError, type ErrorCode } from "../contract/error.ts";
import { type ModelSummary, summarizeModel } from "../contract/model_summary.ts";
import { preludeSource } from "../boot/prelude.ts";
import type { OpenModel } from "./engine.ts";
import type {
  ChatMessage,
  Completion,
  Embedding,
  GenerateOptions,
  Piece,
  WllamaEngine,
  WllamaInfo,
  WllamaLoadOptions,
  WllamaModel,
} from "./wllama/interface.ts";

export type Input = { prompt: string } | { messages: readonly ChatMessage[] };

export interface BareRun {
  prompt: string;
  /** Others that are answered at the same time, each by a sequence of its own. Default none. */
  beside?: readonly string[];
  /** Those that the engine has. Default: as many as there are prompts. */
  sequences?: number;
  maxTokens: number;
  threads: number;
  contextLength: number;
}

export interface RemoteModel extends ModelSummary {
  files: { handle: number; name: string; size: number }[];
}

type Plain<Options> = Omit<Options, "signal" | "progress">;

export type WorkerRequest =
  | { kind: "wasm"; bytes: ArrayBuffer }
  | { kind: "bytes"; id: number; buffer: ArrayBuffer }
  | { kind: "abort"; id: number }
  | ({ kind: "run"; id: number } & Command);

type Command =
  | { method: "load"; model: RemoteModel; options: Plain<WllamaLoadOptions> }
  | { method: "generate"; handle: number; input: Input; options: Plain<GenerateOptions> }
  | { method: "embed"; handle: number; text: string }
  | { method: "unload"; handle: number }
  | { method: "bare"; model: RemoteModel; run: BareRun };

/** Milliseconds from the beginning of all answers: to the first piece of `prompt`'s, and to the end of the last. */
export interface BareResult {
  text: string;
  firstMs: number;
  ms: number;
}

export type WorkerReply =
  | { kind: "value"; id: number; value: unknown }
  | { kind: "error"; id: number; error: { code?: string; message: string; details?: unknown } }
  | { kind: "piece"; id: number; piece: Piece }
  | { kind: "progress"; id: number; state: Record<string, number> }
  | { kind: "read"; id: number; handle: number; start: number; end: number };

export interface EngineHarness extends AsyncDisposable {
  readonly engine: WllamaEngine;
  /** wllama alone, in the same kind of Worker. */
  bare(model: OpenModel, run: BareRun): Promise<BareResult>;
}

const root = fileURLToPath(new URL("../../..", import.meta.url));

/** A test model of ../shared/models/gguf or models/demo; undefined, with one line printed, where it is absent. */
export function testModel(
  name: string,
  facts: Partial<ModelSummary> = {},
): (OpenModel & { readonly reads: ReadCount }) | undefined {
  const folders = [join(root, "../shared/models/gguf"), join(root, "models/demo")];
  const path = folders.map((folder) => join(folder, name)).find((file) => existsSync(file));
  if (path === undefined) {
    console.log(`skipped: the test model ${name} is not here`);
    return undefined;
  }
  return openModelFile(path, facts);
}

/** A model file of this machine, as a plugin would be given it; `facts` is what its host would know of it. */
export function openModelFile(
  path: string,
  facts: Partial<ModelSummary> = {},
): OpenModel & { readonly reads: ReadCount } {
  const reads: ReadCount = { count: 0, bytes: 0, largest: 0 };
  const descriptor = openSync(path, "r");
  const { size } = statSync(path);
  const file = {
    name: basename(path),
    size,
    slice: (start: number, end: number) => ({
      size: Math.min(end, size) - start,
      arrayBuffer: () => {
        const bytes = new Uint8Array(Math.min(end, size) - start);
        readSync(descriptor, bytes, 0, bytes.length, start);
        reads.count++;
        reads.bytes += bytes.length;
        reads.largest = Math.max(reads.largest, bytes.length);
        return Promise.resolve(bytes.buffer);
      },
    }),
  };
  const id = basename(path, ".gguf");
  return { id, size, format: "gguf", ...facts, files: [file], close: () => {}, reads };
}

export interface ReadCount {
  count: number;
  bytes: number;
  largest: number;
}

/** Bundles the engine and starts it in a Worker of its own. */
export async function startEngine(): Promise<EngineHarness> {
  const { script, wasm } = await bundle();
  const url = URL.createObjectURL(
    new Blob([preludeSource, "\n", script], { type: "text/javascript" }),
  );
  const options = { type: "module", deno: { permissions: "none" } };
  const worker = new Worker(url, options as WorkerOptions);
  const calls = new Map<number, PendingCall>();
  const files: OpenModel["files"][number][] = [];
  let nextId = 1;
  worker.onerror = (event) => {
    event.preventDefault();
    for (const call of calls.values()) call.reject(new Error(event.message));
  };
  worker.onmessage = async ({ data }: MessageEvent<WorkerReply>) => {
    if (data.kind === "read") {
      const buffer = await files[data.handle]!.slice(data.start, data.end).arrayBuffer();
      return post({ kind: "bytes", id: data.id, buffer });
    }
    const call = calls.get(data.id);
    if (data.kind === "piece") call?.piece?.(data.piece);
    else if (data.kind === "progress") call?.progress?.(data.state);
    else {
      calls.delete(data.id);
      if (data.kind === "value") call?.resolve(data.value);
      else {
        const { code, message, details } = data.error;
        call?.reject(
          code === undefined
            ? new Error(message)
            : new AppError(code as ErrorCode, message, { details }),
        );
      }
    }
  };
  post({ kind: "wasm", bytes: wasm });

  function post(message: WorkerRequest): void {
    worker.postMessage(message);
  }

  function run<Value>(
    command: Command,
    { signal, ...listeners }: Partial<PendingCall> & { signal?: AbortSignal | undefined } = {},
  ): Promise<Value> {
    const id = nextId++;
    if (signal?.aborted) return Promise.reject(signal.reason);
    signal?.addEventListener("abort", () => post({ kind: "abort", id }), { once: true });
    return new Promise<Value>((resolve, reject) => {
      calls.set(id, { ...listeners, resolve: resolve as (value: unknown) => void, reject });
      post({ kind: "run", id, ...command });
    });
  }

  function share(model: OpenModel): RemoteModel {
    return {
      ...summarizeModel(model),
      files: model.files.map((file) => ({
        handle: files.push(file) - 1,
        name: file.name,
        size: file.size,
      })),
    };
  }

  return {
    engine: {
      async load(model, { signal, progress, ...options } = {}) {
        const { handle, info } = await run<{ handle: number; info: WllamaInfo }>(
          { method: "load", model: share(model), options },
          { signal, progress: (state) => progress?.(state["readBytes"] ?? 0) },
        );
        return createRemoteModel(handle, info);
      },
    },
    bare: (model, bareRun) => run({ method: "bare", model: share(model), run: bareRun }),
    async [Symbol.asyncDispose]() {
      worker.terminate();
      URL.revokeObjectURL(url);
      await Promise.resolve();
    },
  };

  function createRemoteModel(handle: number, info: WllamaInfo): WllamaModel {
    return {
      info: () => info,
      isBroken: false,
      complete: (prompt, options) => generate(handle, { prompt }, options),
      chat: (messages, options) => generate(handle, { messages }, options),
      embed: (text, { signal, progress } = {}) =>
        run<Embedding>({ method: "embed", handle, text }, { signal, progress: () => progress?.() }),
      unload: () => run({ method: "unload", handle }),
    };
  }

  async function* generate(
    handle: number,
    input: Input,
    { signal, progress, ...options }: GenerateOptions,
  ): AsyncGenerator<Piece, Completion> {
    const pieces: Piece[] = [];
    let wake = () => {};
    const left = new AbortController();
    const either = AbortSignal.any(signal === undefined ? [left.signal] : [left.signal, signal]);
    let ended = false;
    const completion = run<Completion>({ method: "generate", handle, input, options }, {
      signal: either,
      piece: (piece) => {
        pieces.push(piece);
        wake();
      },
      progress: (state) => progress?.(state),
    }).finally(() => {
      ended = true;
      wake();
    });
    completion.catch(() => {});
    try {
      while (true) {
        // While one is taken others may come, and the end.
        while (pieces.length > 0) yield pieces.shift()!;
        if (ended) return await completion;
        await new Promise<void>((resolve) => wake = resolve);
      }
    } finally {
      if (!ended) {
        left.abort();
        await completion.catch(() => {});
      }
    }
  }
}

interface PendingCall {
  resolve(value: unknown): void;
  reject(error: unknown): void;
  piece?: (piece: Piece) => void;
  progress?: (state: Record<string, number>) => void;
}

let bundled: Promise<{ script: string; wasm: ArrayBuffer }> | undefined;

function bundle(): Promise<{ script: string; wasm: ArrayBuffer }> {
  bundled ??= (async () => {
    const wllama = cachedPackage("@wllama/wllama");
    const { outputFiles } = await esbuild.build({
      entryPoints: [fileURLToPath(new URL("./testing_worker.ts", import.meta.url))],
      alias: { "@wllama/wllama": join(wllama, "esm/index.js") },
      bundle: true,
      format: "esm",
      platform: "browser",
      target: "es2023",
      minifySyntax: true,
      write: false,
      tsconfigRaw: "{}",
    });
    await esbuild.stop();
    const wasm = readFileSync(join(wllama, "esm/wasm/wllama.wasm"));
    return { script: outputFiles[0]!.text, wasm: new Uint8Array(wasm).buffer };
  })();
  return bundled;
}

/** The folder of a package in Deno's cache, which esbuild does not know. */
function cachedPackage(name: string): string {
  const map = JSON.parse(readFileSync(join(root, "import_map.json"), "utf8"));
  const version = map.imports[name].slice(`npm:${name}@`.length);
  const { npmCache } = JSON.parse(execFileSync(process.execPath, ["info", "--json"], {
    encoding: "utf8",
  }));
  const folders = readdirSync(npmCache).map((registry) => join(npmCache, registry, name, version));
  const found = folders.find((folder) => existsSync(folder));
  if (found === undefined) throw new Error(`run "deno cache npm:${name}@${version}" first`);
  return found;
}
