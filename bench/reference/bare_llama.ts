// Reference: llama.cpp's addon alone, as fast as it goes in Deno: loaded once, then for each line on stdin a prompt is
// read, and tokens are decoded and sampled in a loop. No Worker, no channel, no queue, no text, no stop strings.
// deno run -A bare_llama.ts <package folder> <model.gguf> [threads] [sequences]

import { createInterface } from "node:readline";
import process from "node:process";
import { createTokenPieces } from "../../server/cells/native/llama_pieces.ts";
import { type AddonContext, openAddon } from "../../server/cells/native/llama_addon.ts";

/** One line on stdin; each sequence has a prompt of its own. */
export interface BareLlamaRun {
  prompts: string[];
  maxTokens: number;
}

/** One line on stdout. */
export interface BareLlamaResult {
  /** Of all sequences, prompts included, ms. */
  ms: number;
  /** Until the first token of the first prompt that makes text. */
  firstTextMs: number;
  tokens: number;
}

const contextLength = 1024;
const batchSize = 512;

if (import.meta.main) {
  const [folder = "", path = "", threads = "1", sequences = "1"] = Deno.args;
  const run = await loadBareLlama({
    ...{ folder, path, threads: Number(threads), sequences: Number(sequences) },
  });
  console.log(JSON.stringify({ ready: true }));
  for await (const line of createInterface({ input: process.stdin })) {
    console.log(JSON.stringify(await run(JSON.parse(line) as BareLlamaRun)));
  }
}

/** Loads a model into this process; the function that comes back runs it. */
export async function loadBareLlama(
  { folder, path, threads, sequences = 1 }: {
    /** Of the package. */
    folder: string;
    path: string;
    threads: number;
    sequences?: number;
  },
): Promise<(run: BareLlamaRun) => Promise<BareLlamaResult>> {
  const { addon } = await openAddon({ engine: "llama", variant: "cpu", version: "", folder });
  const model = new addon.AddonModel(path, {
    ...{ addonExports: addon, useMmap: false, gpuLayers: 0, hasLoadAbortSignal: false },
    ...{ onLoadProgress: () => {}, overridesList: [] },
  });
  if (!await model.init()) throw new Error(`${path} does not load`);
  const context = new addon.AddonContext(model, {
    ...{ contextSize: contextLength * sequences, batchSize, sequences, threads },
    ...{ embeddings: false, flashAttention: "auto" },
  });
  if (!await context.init()) throw new Error("the context does not load");
  const pieces = createTokenPieces(model);
  const samplers = Array.from({ length: sequences }, () => {
    const sampler = new addon.AddonSampler(model);
    sampler.applyConfig({ temperature: 0 });
    return sampler;
  });
  return async ({ prompts, maxTokens }) => {
    const startedMs = performance.now();
    const places = prompts.map((prompt, sequence) => {
      const tokens = model.tokenize(prompt, true);
      return { sequence, tokens: Uint32Array.of(model.tokenBos(), ...tokens), position: 0 };
    });
    const written: { token: number; ms: number }[] = [];
    for (let step = 0; step < maxTokens; step++) {
      const indexes = addBatch(context, places);
      await context.decodeBatch();
      const chosen = await Promise.all(
        places.map(({ sequence }, at) => context.sampleToken(indexes[at]!, samplers[sequence]!)),
      );
      written.push({ token: chosen[0]!, ms: performance.now() - startedMs });
      for (const [at, place] of places.entries()) {
        place.position += place.tokens.length;
        place.tokens = Uint32Array.of(chosen[at]!);
      }
    }
    const ms = performance.now() - startedMs;
    for (const { sequence } of places) context.disposeSequence(sequence);
    const decoder = new TextDecoder();
    const first = written.find(({ token }) =>
      decoder.decode(pieces.bytesOf(token), { stream: true }) !== ""
    );
    return { ms, firstTextMs: first?.ms ?? NaN, tokens: maxTokens * prompts.length };
  };
}

function addBatch(
  context: AddonContext,
  places: readonly { sequence: number; tokens: Uint32Array<ArrayBuffer>; position: number }[],
): number[] {
  context.initBatch(places.reduce((sum, { tokens }) => sum + tokens.length, 0));
  return places.map(({ sequence, tokens, position }) =>
    context.addToBatch(sequence, position, tokens, Uint32Array.of(tokens.length - 1))[0]!
  );
}
