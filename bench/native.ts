// The native backend: through HTTP, bus, cell and engine, against llama.cpp's machine code in the smallest loop; and what
// it is faster than WebAssembly, by quantisation and threads.

import { basename, dirname, join } from "node:path";
import { type ServerProcess, startServer } from "../server/testing/server_process.ts";
import {
  addTestEngines,
  nativeEngineProblem,
  testNativeEngine,
} from "../server/testing/native_engines.ts";
import { compare, firstTokenRow, speedRow } from "./against_bare.ts";
import { postJson, trustModel } from "./cell_of.ts";
import { generateGguf } from "./generate_gguf.ts";
import { loadBareLlama } from "./reference/bare_llama.ts";
import { median, type Row, type Section } from "./report.ts";
import { answerStreamed } from "./streamed_answer.ts";
import { sharedModelsFolder, sharedModelsProblem } from "../server/testing/shared_models.ts";

const rounds = 11;
const firstRounds = 31;
/** A server that is in use has compiled what each request runs. */
const warmUps = { firsts: 10, answers: 2 };
const fewRounds = 3;
const contextLength = 1024;
const streams = 4;
/** About a hundred tokens. */
const longPrompt = "Once upon a time there was a little girl who lived by the sea. ".repeat(7);

export async function measureNative(): Promise<Section> {
  const rows: Row[] = [];
  const problem = nativeEngineProblem("llama");
  if (problem !== undefined) console.error(`skipped: ${problem}`);
  else {
    const folder = await Deno.makeTempDir();
    try {
      const q8 = await generateGguf({ path: join(folder, "random-100m-q8_0.gguf") });
      const small = join(sharedModelsFolder, "rand-15M-q8_0.gguf");
      if (sharedModelsProblem() === undefined) rows.push(...await compareToBare(small, 192));
      rows.push(...await compareToBare(q8.path, 64));
      for (const type of ["q8_0", "q4_0", "f16"] as const) {
        const path = join(folder, `random-100m-${type}.gguf`);
        if (type !== "q8_0") await generateGguf({ path, type });
        for (const threads of [1, 2]) rows.push(await compareToWasm(path, { type, threads }));
        await Deno.remove(path);
      }
    } finally {
      await Deno.remove(folder, { recursive: true });
    }
  }
  return {
    title: "Native",
    how:
      `Random weights, greedy, rounds after a warm-up interleaved, each prompt of its own. Against bare: 1 thread, ` +
      `${rounds} rounds, ${firstRounds} of the first token, from the request to the first text; HTTP streamed, prompt ` +
      `included, beside llama.cpp's addon in the smallest loop in the benchmark's process. Against WebAssembly: ${fewRounds} rounds, two servers, ` +
      `of which one has the native engines on, the same model of 100M parameters, about 100 tokens of prompt and ` +
      `32 of answer, as the engine timed them.`,
    rows,
  };
}

async function compareToBare(path: string, maxTokens: number): Promise<Row[]> {
  const model = basename(path, ".gguf");
  await using served = await serve(path, { backend: "native", threads: 1 });
  const { folder } = testNativeEngine("native", "llama")!;
  const bare = await loadBareLlama({ folder, path, threads: 1, sequences: streams });
  const answer = (prompt: string, tokens: number) =>
    answerStreamed(served.server, { model, prompt, maxTokens: tokens });
  const first = await compare({ rounds: firstRounds, warmUps: warmUps.firsts }, (prompt) => ({
    bare: async () => (await bare({ prompts: [prompt], maxTokens: 4 })).firstTextMs,
    served: async () => (await answer(prompt, 4)).firstMs,
  }));
  const one = await compare({ rounds, warmUps: warmUps.answers }, (prompt) => ({
    bare: async () => (await bare({ prompts: [prompt], maxTokens })).ms,
    served: async () => (await answer(prompt, maxTokens)).ms,
  }));
  const many = await compare({ rounds, warmUps: warmUps.answers }, (prompt) => {
    const prompts = Array.from({ length: streams }, (_, at) => `${prompt}, ${at}`);
    return {
      bare: async () => (await bare({ prompts, maxTokens })).ms,
      served: async () => {
        const started = performance.now();
        await Promise.all(prompts.map((prompt) => answer(prompt, maxTokens)));
        return performance.now() - started;
      },
    };
  });
  return [
    speedRow(`${model}, ${maxTokens} tokens`, one, { tokens: maxTokens, least: 0.97 }),
    firstTokenRow(model, first),
    speedRow(`${model}, ${streams} streams of ${maxTokens} tokens`, many, {
      tokens: streams * maxTokens,
      least: 1,
    }),
  ];
}

async function compareToWasm(
  path: string,
  { type, threads }: { type: string; threads: number },
): Promise<Row> {
  const model = basename(path, ".gguf");
  await using native = await serve(path, { backend: "native", threads });
  await using wasm = await serve(path, { backend: "wasm", threads });
  const rates = { native: [] as Rates[], wasm: [] as Rates[] };
  for (let round = 0; round <= fewRounds; round++) {
    const input = { model, prompt: `${round} ${longPrompt}`, maxTokens: 32 };
    const sides = [[native, "native"], [wasm, "wasm"]] as const;
    for (const [{ server }, side] of round % 2 === 0 ? sides : sides.toReversed()) {
      const timed = await timeAnswer(server, input);
      if (round > 0) rates[side].push(timed);
    }
  }
  const middle = (of: Rates[], what: keyof Rates) => median(of.map((rate) => rate[what]));
  const words = (of: Rates[]) =>
    `${middle(of, "prompt").toFixed(0)} / ${middle(of, "generation").toFixed(1)} tokens/s`;
  const faster = (what: keyof Rates) =>
    `${(middle(rates.native, what) / middle(rates.wasm, what)).toFixed(1)}x`;
  return {
    what: `100M, ${type}, ${threads} ${threads === 1 ? "thread" : "threads"}: prompt / generation`,
    measured: words(rates.native),
    reference: `WebAssembly ${words(rates.wasm)} (${faster("prompt")} / ${faster("generation")})`,
    budget: "",
    met: "reported",
  };
}

interface Rates {
  /** Tokens a second. */
  prompt: number;
  generation: number;
}

interface Served extends AsyncDisposable {
  server: ServerProcess;
}

/** A server with the model and nothing else, its language plugin set to one backend. */
async function serve(
  path: string,
  { backend, threads }: { backend: "native" | "wasm"; threads: number },
): Promise<Served> {
  const dataDir = await Deno.makeTempDir();
  if (backend === "native") await addTestEngines(dataDir);
  const server = await startServer({ dataDir, env: { BKG_MODEL_PATHS: dirname(path) } });
  const model = basename(path, ".gguf");
  await trustModel(server, model);
  await postJson(server, "/api/plugins/llmserver/config", {
    settings: { backend, threads, parallel: streams, contextLength },
  });
  await answerStreamed(server, { model, prompt: "To begin with", maxTokens: 4 });
  return {
    server,
    async [Symbol.asyncDispose]() {
      await server[Symbol.asyncDispose]();
      await Deno.remove(dataDir, { recursive: true });
    },
  };
}

async function timeAnswer(
  server: ServerProcess,
  { model, prompt, maxTokens }: { model: string; prompt: string; maxTokens: number },
): Promise<Rates> {
  const response = await server.fetch("/api/capabilities/llm.complete", {
    method: "POST",
    headers: { "content-type": "application/json" },
    body: JSON.stringify({ model, prompt, maxTokens, temperature: 0 }),
  });
  const text = await response.text();
  if (!response.ok) throw new Error(text);
  const { usage, timings } = JSON.parse(text) as {
    usage: { promptTokens: number; cachedTokens: number };
    timings: { promptMs: number; tokensPerSecond: number };
  };
  const read = usage.promptTokens - usage.cachedTokens;
  return { prompt: read / timings.promptMs * 1000, generation: timings.tokensPerSecond };
}
