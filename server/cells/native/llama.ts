// The native engine "llama": GGUF models in llama.cpp's machine code, for the wllama engine of this cell's Worker.

import type { IncomingCall } from "../../../plugins/runtime/channel/channel.ts";
import { transferred } from "../../../plugins/runtime/channel/transfer.ts";
import { AppError } from "../../../plugins/runtime/contract/error.ts";
import type {
  LlamaAnswer,
  LlamaItem,
  LlamaLoaded,
  LlamaProgress,
} from "../../../plugins/runtime/contract/native_llama.ts";
import { openAddon, type OpenedAddon } from "./llama_addon.ts";
import { LlamaCall } from "./llama_call.ts";
import { readEmbed, readGenerate, readLoad } from "./llama_input.ts";
import { type LoadedWeights, loadWeights } from "./llama_load.ts";
import { createTokenPieces, type TokenPieces } from "./llama_pieces.ts";
import { createSampler } from "./llama_sampler.ts";
import { LlamaScheduler } from "./llama_scheduler.ts";
import { LlamaTokenizer } from "./llama_tokenizer.ts";
import { LlamaVectorizer } from "./llama_vectors.ts";
import type { NativeDeps, NativeMethods } from "./native_engines.ts";

type Input = Readonly<Record<string, unknown>>;

interface LoadedModel extends LoadedWeights {
  tokenizer: LlamaTokenizer;
  pieces: TokenPieces;
  runs: { text: LlamaScheduler } | { vectors: LlamaVectorizer };
}

/** Throws UNSUPPORTED_FEATURE where the machine code does not run here. */
export async function openLlama({ installed, files }: NativeDeps): Promise<NativeMethods> {
  const opened = await openAddon(installed);
  const models = new Map<unknown, LoadedModel>();
  let nextModel = 1;
  /** Models that are being loaded. */
  let coming = 0;
  const find = (input: Input): LoadedModel => {
    const model = models.get(input["model"]);
    if (model === undefined) throw new AppError("NOT_FOUND", "The model is not loaded");
    return model;
  };
  return {
    async *load(input, { signal }): AsyncGenerator<LlamaProgress, LlamaLoaded> {
      const wanted = readLoad(input);
      if (models.size + coming >= maxModels) {
        throw new AppError("QUEUE_FULL", `${maxModels} models are loaded`);
      }
      coming++;
      const news = new News();
      const loading = loadWeights(opened, wanted, {
        files,
        signal,
        variant: installed.variant,
        progress: (loaded) => news.tell(loaded),
      }).finally(() => {
        coming--;
        news.end();
      });
      // Who left does not wait for it.
      loading.catch(() => {});
      let isKept = false;
      try {
        for await (const loaded of news.follow()) yield { loaded };
        const weights = await loading;
        const number = nextModel++;
        const loaded = toLoaded(number, weights, opened);
        const tokenizer = new LlamaTokenizer(weights.model);
        models.set(number, {
          ...weights,
          tokenizer,
          pieces: createTokenPieces(weights.model),
          runs: wanted.use === "text"
            ? { text: new LlamaScheduler(weights.context, { ...wanted, ...weights }) }
            : { vectors: new LlamaVectorizer({ ...weights, ...loaded, tokenizer }) },
        });
        isKept = true;
        return loaded;
      } finally {
        if (!isKept) loading.then(disposeWeights, () => {});
      }
    },
    generate: (input, call) => generate(opened, find(input), { input, call }),
    async embed(input, call) {
      const { runs } = find(input);
      if (!("vectors" in runs)) throw wrongUse("text", "vectors");
      const { texts } = readEmbed(input);
      const { signal } = call;
      const answer = await runs.vectors.embed(texts, { signal, alive: () => call.alive() });
      return transferred(answer, [answer.vectors.buffer]);
    },
    async unload(input) {
      const { tokenizer, runs, context, model } = find(input);
      models.delete(input["model"]);
      const reason = new AppError("UNAVAILABLE", "The model was unloaded");
      tokenizer.close(reason);
      await ("text" in runs ? runs.text : runs.vectors).close(reason);
      await disposeWeights({ context, model });
    },
  };
}

const maxModels = 64;

async function disposeWeights({ context, model }: Pick<LoadedWeights, "context" | "model">) {
  await context.dispose();
  await model.dispose();
}

async function* generate(
  { addon }: OpenedAddon,
  { model, tokenizer, runs, pieces, contextLength }: LoadedModel,
  { input, call: { signal } }: { input: Input; call: IncomingCall },
): AsyncGenerator<LlamaItem, LlamaAnswer> {
  if (!("text" in runs)) throw wrongUse("vectors", "text");
  const options = readGenerate(input);
  const { prompt: text, principal, stop, maxTokens = Infinity, ...sampling } = options;
  const prompt = await tokenizer.encode(text);
  signal.throwIfAborted();
  tokenizer.requireOpen();
  if (prompt.length === 0) throw new AppError("INVALID_INPUT", "The prompt has no tokens");
  if (prompt.length >= contextLength) throw overflow(prompt.length, contextLength);
  const call = new LlamaCall({
    prompt,
    principal,
    stop,
    sampler: createSampler({ addon, model, pieces }, sampling, prompt),
    maxTokens,
    isEnd: (token) => model.isEogToken(token),
    bytesOf: pieces.bytesOf,
  });
  signal.addEventListener("abort", () => call.isCancelled = true, { once: true });
  runs.text.start(call);
  return yield* call.items();
}

function toLoaded(
  number: number,
  { model, context, contextLength }: LoadedWeights,
  { build }: OpenedAddon,
): LlamaLoaded {
  const [bosToken, eosToken] = [model.tokenBos(), model.tokenEos()];
  const textOf = (token: number) => token < 0 ? "" : model.getTokenString(token) ?? "";
  const memory = [model.getMemoryBreakdown(), context.getMemoryBreakdown()];
  return {
    model: number,
    contextLength,
    trainedContextLength: model.getTrainContextSize(),
    bosToken,
    eosToken,
    bos: textOf(bosToken),
    eos: textOf(eosToken),
    dimensions: model.getEmbeddingVectorSize(),
    threads: context.getThreads(),
    memoryBytes: memory.reduce((sum, { cpuRam, gpuVram }) => sum + cpuRam + gpuVram, 0),
    build,
  };
}

function overflow(promptTokens: number, contextLength: number): AppError {
  return new AppError(
    "CONTEXT_OVERFLOW",
    `The prompt has ${promptTokens} tokens, the context takes fewer than ${contextLength}`,
    { details: { promptTokens, contextLength } },
  );
}

function wrongUse(loaded: string, wanted: string): AppError {
  return new AppError(
    "UNSUPPORTED_FEATURE",
    `The model was loaded for ${loaded}, not for ${wanted}`,
  );
}

/** The latest of what is told, for one who follows at his own pace. */
class News {
  #latest: number | undefined;
  #ended = false;
  #wake = () => {};

  tell(value: number): void {
    this.#latest = value;
    this.#wake();
  }

  end(): void {
    this.#ended = true;
    this.#wake();
  }

  async *follow(): AsyncGenerator<number> {
    while (!this.#ended) {
      const value = this.#latest;
      this.#latest = undefined;
      if (value !== undefined) yield value;
      else await new Promise<void>((resolve) => this.#wake = resolve);
    }
  }
}
