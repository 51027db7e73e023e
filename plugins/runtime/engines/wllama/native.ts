// Brings a GGUF model into llama.cpp's machine code, which the cell's main runs: what is said to it, and what it took.

import { readGguf } from "../../../../models/gguf.ts";
import { AppError } from "../../contract/error.ts";
import type { NativeVariant } from "../../contract/native_engine.ts";
import type { LlamaLoad, LlamaLoaded, LlamaProgress } from "../../contract/native_llama.ts";
import type { EngineHost, ModelFile, NativeHost, OpenModel } from "../engine.ts";
import { ChatTemplate } from "./chat_template.ts";
import type { WllamaInfo, WllamaLoadOptions, WllamaModel } from "./interface.ts";
import { createNativeModel } from "./native_model.ts";

export async function loadNative(
  host: EngineHost,
  opened: OpenModel,
  { native, variant, ...options }: Omit<WllamaLoadOptions, "backend"> & {
    native: NativeHost;
    variant: NativeVariant;
  },
): Promise<WllamaModel> {
  const started = performance.now();
  const { signal, use = "text" } = options;
  const weights = findParts(opened);
  const lease = await host.takeThreads(Math.max(options.threads ?? 1, 1));
  try {
    const header = await readHeader(weights[0]!);
    const parallel = use === "vectors" ? 1 : Math.max(options.parallel ?? 1, 1);
    const isLanguageModel = opened.task !== "embedding" && header.architecture !== undefined;
    const wanted: LlamaLoad = {
      files: weights.map(({ handle = -1 }) => handle),
      use,
      contextLength: Math.min(
        options.contextLength ?? 4096,
        opened.contextLength ?? Infinity,
        use === "vectors" ? maxVectorTokens : Infinity,
      ),
      parallel,
      threads: lease.threads,
      // A language model names no pooling.
      ...(use === "vectors" && isLanguageModel ? { meanPooling: header.architecture! } : {}),
    };
    const bytes = weights.reduce((sum, { size }) => sum + size, 0);
    const loaded = await followLoad(
      native.stream("llama.load", wanted, {
        ...(signal === undefined ? {} : { signal }),
        onLate: (loaded) => unload(native, (loaded as LlamaLoaded).model),
      }),
      (part) => options.progress?.(Math.round(part * bytes)),
    );
    const info: WllamaInfo = {
      engine: "wllama",
      engineVersion: `llama.cpp ${loaded.build}`,
      backend: "native",
      variant,
      threads: loaded.threads,
      loadMs: performance.now() - started,
      contextLength: loaded.contextLength,
      trainedContextLength: loaded.trainedContextLength,
      parallel,
      hasChatTemplate: header.chatTemplate !== undefined,
      bosToken: loaded.bosToken,
      eosToken: loaded.eosToken,
      vocabularySize: header.vocabSize ?? 0,
      dimensions: loaded.dimensions,
    };
    return createNativeModel({
      native,
      info,
      use,
      model: loaded.model,
      template: new ChatTemplate({
        loadWorker: () => host.asset("chat_template.js"),
        template: header.chatTemplate,
        bos: loaded.bos,
        eos: loaded.eos,
      }),
      release: lease.release,
    });
  } catch (error) {
    lease.release();
    if (signal?.aborted) throw new AppError("CANCELLED", "The load was cancelled");
    throw error;
  }
}

/** As in WebAssembly, so that the vectors are the same. */
const maxVectorTokens = 2048;

/** In the order of their numbers: llama.cpp is given the first. */
function findParts({ id, files }: OpenModel): ModelFile[] {
  const parts = files.filter(({ name }) => /\.gguf$/i.test(name));
  if (parts.length === 0) throw new AppError("INVALID_MODEL", `The model "${id}" has no GGUF file`);
  return parts.sort((a, b) => a.name < b.name ? -1 : 1);
}

function readHeader(file: ModelFile) {
  return readGguf({
    size: file.size,
    read: async (offset, length) =>
      new Uint8Array(await file.slice(offset, offset + length).arrayBuffer()),
  });
}

/** Of a load that was left just as it was done. */
function unload(native: NativeHost, model: number): void {
  native.call("llama.unload", { model }).catch(() => {});
}

async function followLoad(
  stream: AsyncGenerator<unknown, unknown>,
  progress: (part: number) => void,
): Promise<LlamaLoaded> {
  while (true) {
    const { done, value } = await stream.next();
    if (done) return value as LlamaLoaded;
    progress((value as LlamaProgress).loaded);
  }
}
