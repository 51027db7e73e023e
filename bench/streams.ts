// The first token, and four answers at once: through HTTP, bus, cell and engine, against wllama alone in the same kind of
// Worker, with equal model, prompts, threads and count of tokens.

import { basename, dirname, join } from "node:path";
import { openModelFile, startEngine } from "../plugins/runtime/engines/testing_harness.ts";
import { startServer } from "../server/testing/server_process.ts";
import { sharedModelsFolder, sharedModelsProblem } from "../server/testing/shared_models.ts";
import { compare, firstTokenRow, speedRow } from "./against_bare.ts";
import { generateGguf } from "./generate_gguf.ts";
import type { Row, Section } from "./report.ts";
import { answerStreamed } from "./streamed_answer.ts";

const rounds = 11;
const firstRounds = 31;
/** A server that is in use has compiled what each request runs. */
const warmUps = { firsts: 10, answers: 2 };
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
  const first = await compare({ rounds: firstRounds, warmUps: warmUps.firsts }, (prompt) => ({
    bare: async () => (await harness.bare(opened, { ...run, prompt, maxTokens: 2 })).firstMs,
    served: async () => (await answerStreamed(server, { model, prompt, maxTokens: 2 })).firstMs,
  }));
  const together = await compare({ rounds, warmUps: warmUps.answers }, (prompt) => {
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
  return [
    firstTokenRow(model, first),
    speedRow(`${model}, ${streams} streams of ${maxTokens} tokens`, together, {
      tokens: streams * maxTokens,
      least: 1,
    }),
  ];
}
