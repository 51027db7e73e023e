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
const firstRounds = 31;
/** V8 compiles anew what runs often. */
const warmUps = 3;
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
        `WebAssembly, 1 thread, ${streams} sequences, greedy, random weights, rounds after a warm-up interleaved: ` +
        `${firstRounds} of the first token, from the request to the first text, ${rounds} of the streams. Prompts ` +
        `of their own each time. Served: HTTP with the openai client, streamed. Bare: wllama's own ` +
        `createCompletion, streamed, in a Worker without permissions in the benchmark's process.`,
      rows,
    };
  } finally {
    await Deno.remove(folder, { recursive: true });
  }
}

async function measureModel(path: string, maxTokens: number): Promise<Row[]> {
  const model = basename(path, ".gguf");
  await using server = await startServer({ env: { BKG_MODEL_PATHS: dirname(path) } });
  await using harness = await startEngine();
  const opened = openModelFile(path);
  const run = { threads: 1, contextLength, sequences: streams };
  const first = await compare(firstRounds, (prompt) => ({
    bare: async () => (await harness.bare(opened, { ...run, prompt, maxTokens: 2 })).firstMs,
    served: async () => (await answerStreamed(server, { model, prompt, maxTokens: 2 })).firstMs,
  }));
  const together = await compare(rounds, (prompt) => {
    const prompts = Array.from({ length: streams }, (_, at) => `${prompt}, ${at}`);
    const [alone = "", ...beside] = prompts;
    return {
      bare: async () =>
        (await harness.bare(opened, { ...run, prompt: alone, beside, maxTokens })).ms,
      served: async () => {
        const started = performance.now();
        await Promise.all(
          prompts.map((prompt) => answerStreamed(server, { model, prompt, maxTokens })),
        );
        return performance.now() - started;
      },
    };
  });
  const tokens = (ms: number[]) => median(ms.map((each) => streams * maxTokens / each * 1000));
  const later = median(first.served.map((ms, at) => ms - first.bare[at]!));
  const ratio = median(together.bare.map((ms, at) => ms / together.served[at]!));
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
      measured: `${tokens(together.served).toFixed(1)} tokens/s`,
      reference: `bare wllama, ${streams} at once, ${tokens(together.bare).toFixed(1)} tokens/s (${
        ratio.toFixed(3)
      }x)`,
      budget: "≥ bare",
      met: ratio >= 1,
    },
  ];
}

/** Milliseconds of both sides, each round with a prompt of its own, so that nothing comes from a cache. */
async function compare(
  rounds: number,
  sides: (prompt: string) => Record<keyof Pair, () => Promise<number>>,
): Promise<Pair> {
  const pair: Pair = { served: [], bare: [] };
  for (let number = 1; pair.served.length < rounds; number++) {
    if (number > warmUps + 4 * rounds) throw new Error("bare wllama answers none of the prompts");
    const { served, bare } = sides(`${number} Once upon a time there was`);
    // Who goes first changes with each round: a machine's speed drifts within one.
    const early = number % 2 === 0 ? await served() : undefined;
    // Random weights may say bytes that are no UTF-8, which bare wllama takes for a failure.
    const bareMs = await bare().catch(() => undefined);
    const servedMs = early ?? await served();
    if (bareMs === undefined || number <= warmUps) continue;
    pair.served.push(servedMs);
    pair.bare.push(bareMs);
  }
  return pair;
}

interface Pair {
  served: number[];
  bare: number[];
}

function signed(ms: number): string {
  return `${ms < 0 ? "−" : "+"}${Math.abs(ms).toFixed(1)}`;
}
