// Tokens a second: a completion through HTTP, bus, cell and engine, against wllama alone in the same kind
// of Worker, with equal model, prompt, threads and count of tokens.

import { join } from "node:path";
import { openModelFile, startEngine } from "../plugins/runtime/engines/testing_harness.ts";
import { startServer } from "../server/testing/server_process.ts";
import { sharedModelsFolder, sharedModelsProblem } from "../server/testing/shared_models.ts";
import { generateGguf } from "./generate_gguf.ts";
import { median, type Row, type Section } from "./report.ts";
import { answerStreamed } from "./streamed_answer.ts";

const rounds = 11;
const contextLength = 1024;
const prompt = "Once upon a time there was a little girl";

export async function measureTokens(): Promise<Section> {
  const folder = await Deno.makeTempDir();
  const rows: Row[] = [];
  try {
    const generated = await generateGguf({ path: join(folder, "random-100m-q8_0.gguf") });
    rows.push(await measureModel(generated.path, 32));
    const missing = sharedModelsProblem();
    if (missing === undefined) {
      rows.unshift(await measureModel(join(sharedModelsFolder, "rand-15M-q8_0.gguf"), 150));
    } else console.error(`skipped rand-15M-q8_0: ${missing}`);
  } finally {
    await Deno.remove(folder, { recursive: true });
  }
  return {
    title: "Tokens",
    how:
      `One completion at a time, 1 thread, greedy, ${rounds} rounds after a warm-up, interleaved, prompt ` +
      `included; each round has a prompt of its own, so that nothing comes from a cache. Served: HTTP with ` +
      `the openai client, streamed. Bare: wllama's own createCompletion, streamed, in a Worker without ` +
      `permissions in the benchmark's process. Random weights.`,
    rows,
  };
}

async function measureModel(path: string, maxTokens: number): Promise<Row> {
  const model = path.slice(path.lastIndexOf("/") + 1).replace(".gguf", "");
  const folder = path.slice(0, path.lastIndexOf("/"));
  await using server = await startServer({ env: { BKG_MODEL_PATHS: folder } });
  await using harness = await startEngine();
  const served: number[] = [];
  const bare: number[] = [];
  await answerStreamed(server, { model, prompt: "To begin with", maxTokens: 4 });
  for (let number = 1; served.length < rounds; number++) {
    const text = `${number} ${prompt}`;
    const serve = async () => (await answerStreamed(server, { model, prompt: text, maxTokens })).ms;
    // Who goes first changes with each round: a machine's speed drifts within one.
    const early = number % 2 === 0 ? await serve() : undefined;
    const run = { prompt: text, maxTokens, threads: 1, contextLength };
    // Random weights may say bytes that are no UTF-8, which bare wllama takes for a failure.
    const alone = await harness.bare(openModelFile(path), run).catch(() => undefined);
    if (alone === undefined && number < 3 * rounds) continue;
    if (alone === undefined) throw new Error("bare wllama answers none of the prompts");
    bare.push(maxTokens / alone.ms * 1000);
    served.push(maxTokens / (early ?? await serve()) * 1000);
  }
  const ratio = median(served.map((rate, index) => rate / (bare[index] ?? NaN)));
  return {
    what: `${model}, ${maxTokens} tokens`,
    measured: `${median(served).toFixed(1)} tokens/s`,
    reference: `bare wllama ${median(bare).toFixed(1)} tokens/s (${ratio.toFixed(3)}x)`,
    budget: "≥ 0.97 of bare",
    met: ratio >= 0.97,
  };
}
