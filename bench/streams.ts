// The first token, and four answers at once: through HTTP, bus, cell and engine, against wllama alone in the same kind of
// Worker, with equal model, prompts, threads and count of tokens.

import { basename, dirname, join } from "node:path";
import { openModelFile, startEngine } from "../plugins/runtime/engines/testing_harness.ts";
import { startServer } from "../server/testing/server_process.ts";
import { sharedModelsFolder, sharedModelsProblem } from "../server/testing/shared_models.ts";
import { generateGguf } from "./generate_gguf.ts";
import { median, type Row, type Section } from "./report.ts";
import { answerStreamed } from "./streamed_answer.ts";

const rounds = 11;
const contextLength = 1024;
const streams = 4;

export async function measureStreams(): Promise<Section> {
  const folder = await Deno.makeTempDir();
  try {
    const rows: Row[] = [];
    const problem = sharedModelsProblem();
    if (problem === undefined) {
      rows.push(...await measureModel(join(sharedModelsFolder, "rand-15M-q8_0.gguf"), 64));
    } else console.error(`skipped rand-15M-q8_0: ${problem}`);
    const { path } = await generateGguf({ path: join(folder, "random-100m-q8_0.gguf") });
    rows.push(...await measureModel(path, 16));
    return {
      title: "Streams",
      how:
        `WebAssembly, 1 thread, greedy, random weights, ${rounds} rounds after a warm-up, interleaved, prompts ` +
        `of their own each time. Served: HTTP with the openai client, streamed. Bare: wllama's own ` +
        `createCompletion, streamed, in a Worker without permissions in the benchmark's process. The first ` +
        `token is counted from the request to the first text.`,
      rows,
    };
  } finally {
    await Deno.remove(folder, { recursive: true });
  }
}

async function measureModel(path: string, maxTokens: number): Promise<Row[]> {
  const model = basename(path, ".gguf");
  await using server = await startServer({
    env: { BKG_MODEL_PATHS: dirname(path) },
  });
  await using harness = await startEngine();
  const opened = openModelFile(path);
  await answerStreamed(server, { model, prompt: "To begin with", maxTokens: 4 });
  const first: Pair = { served: [], bare: [] };
  const rates: Pair = { served: [], bare: [] };
  for (let number = 1; rates.served.length < rounds; number++) {
    if (number > 4 * rounds) throw new Error("bare wllama answers none of the prompts");
    const prompts = Array.from({ length: streams }, (_, at) => `${number}.${at} Once upon a time`);
    const [prompt = "", ...beside] = prompts;
    const serveOne = () =>
      answerStreamed(server, { model, prompt: `${prompt} alone`, maxTokens: 4 });
    const serveAll = async () => {
      const started = performance.now();
      await Promise.all(
        prompts.map((text) => answerStreamed(server, { model, prompt: text, maxTokens })),
      );
      return performance.now() - started;
    };
    const serve = async () => [(await serveOne()).firstMs, await serveAll()] as const;
    // Who goes first changes with each round: a machine's speed drifts within one.
    const early = number % 2 === 0 ? await serve() : undefined;
    const run = { threads: 1, contextLength };
    // Random weights may say bytes that are no UTF-8, which bare wllama takes for a failure.
    const bare = await Promise.all([
      harness.bare(opened, { ...run, prompt: `${prompt} alone`, maxTokens: 4 }),
    ]).then(async (
      [one],
    ) => [one, await harness.bare(opened, { ...run, prompt, beside, maxTokens })])
      .catch(() => undefined);
    if (bare === undefined) continue;
    const [firstMs, ms] = early ?? await serve();
    first.served.push(firstMs);
    first.bare.push(bare[0]!.firstMs);
    rates.served.push(streams * maxTokens / ms * 1000);
    rates.bare.push(streams * maxTokens / bare[1]!.ms * 1000);
  }
  const later = median(first.served.map((ms, at) => ms - first.bare[at]!));
  const ratio = median(rates.served.map((rate, at) => rate / rates.bare[at]!));
  return [
    {
      what: `${model}, first token`,
      measured: `${median(first.served).toFixed(1)} ms`,
      reference: `bare wllama ${median(first.bare).toFixed(1)} ms (${signed(later)} ms)`,
      budget: "≤ bare + 5 ms",
      met: later <= 5,
    },
    {
      what: `${model}, ${streams} streams of ${maxTokens} tokens`,
      measured: `${median(rates.served).toFixed(1)} tokens/s`,
      reference: `bare wllama, ${streams} at once, ${median(rates.bare).toFixed(1)} tokens/s (${
        ratio.toFixed(3)
      }x)`,
      budget: "≥ bare",
      met: ratio >= 1,
    },
  ];
}

interface Pair {
  served: number[];
  bare: number[];
}

function signed(ms: number): string {
  return `${ms < 0 ? "−" : "+"}${Math.abs(ms).toFixed(1)}`;
}
