// The wllama engine on any backend: the same greedy text everywhere, calls that end, models that go on without each other.

import type { Completion, GenerateOptions, Piece, WllamaModel } from "../wllama/interface.ts";
import { check, type EngineCase, equal, fails, loseGpu, near, type Suite } from "./suite.ts";

export const wllamaCases: readonly EngineCase[] = [
  {
    name: "tells what it runs on, as observed, and takes the threads that the host gives",
    async run(suite) {
      await using model = await load(suite, { threads: 2 });
      const { engine, backend, device, threads, contextLength, vocabularySize, loadMs } = model
        .info();
      equal({ engine, backend, threads, contextLength, vocabularySize }, {
        ...{ engine: "wllama", backend: suite.backend, threads: suite.threads },
        ...{ contextLength: 128, vocabularySize: 512 },
      });
      equal(device !== undefined, backend === "webgpu");
      check(loadMs > 0, "loadMs");
      check(greedyText.startsWith((await complete(model, few)).text), "it writes something else");
    },
  },
  {
    name: "writes 32 greedy tokens, the same on every backend, piece by piece",
    async run(suite) {
      await using model = await load(suite);
      const { text, pieces, usage, finishReason } = await complete(model, { maxTokens: 32 });
      equal(text, greedyText);
      equal([usage.promptTokens, usage.completionTokens, finishReason], [13, 32, "length"]);
      // A fast backend's texts go together, but never all at the end.
      check(pieces > 1, `it came in ${pieces} pieces`);
    },
  },
  {
    name: "a cancelled call frees its slot for the one that waits",
    async run(suite) {
      await using model = await load(suite);
      const leave = new AbortController();
      const stream = model.complete(story, { ...greedy, signal: leave.signal });
      await stream.next();
      const waits = complete(model, { maxTokens: 3 });
      leave.abort();
      equal((await collect(stream)).finishReason, "cancelled");
      check(greedyText.startsWith((await waits).text), "the next answer is another");
      const broken = model.complete(story, greedy);
      await broken.next();
      await broken.return(undefined as never);
      equal((await complete(model, { maxTokens: 2 })).usage.completionTokens, 2);
    },
  },
  {
    name: "two models at once answer each what they answer alone, and one is unloaded alone",
    async run(suite) {
      await using one = await load(suite);
      const other = await load(suite);
      const answers = await Promise.all([one, other].map((model) => complete(model, few)));
      for (const { text } of answers) check(greedyText.startsWith(text), `it wrote "${text}"`);
      const stream = other.complete(story, greedy);
      await stream.next();
      await Promise.all([fails(() => collect(stream), "UNAVAILABLE"), other.unload()]);
      await fails(() => complete(other, few), "UNAVAILABLE", "unloaded");
      equal((await complete(one, few)).usage.completionTokens, few.maxTokens);
      check(!one.isBroken, "the other one is broken");
    },
  },
  {
    name: "a file that is no model is refused, and the next one loads",
    async run(suite) {
      const broken = await suite.open("broken");
      await fails(
        () => suite.engines.wllama.load(broken, { backend: suite.backend }),
        "INVALID_MODEL",
      );
      await using model = await load(suite);
      equal((await complete(model, { maxTokens: 1 })).usage.completionTokens, 1);
    },
  },
  {
    name: "turns a text into the vector that wasm makes of it: within 1e-4, on a GPU 1e-3",
    async run(suite) {
      const vectors: Float32Array[] = [];
      for (const backend of new Set(["wasm" as const, suite.backend])) {
        await using model = await load({ ...suite, backend }, { use: "vectors" });
        equal(model.info().dimensions, 64);
        vectors.push((await model.embed(story)).vector);
      }
      const [cpu, here = cpu] = vectors;
      check(cpu!.some((value) => Math.abs(value) > 0.05), "it is no vector");
      near(here!, cpu!, suite.backend === "webgpu" ? 1e-3 : 1e-4);
    },
  },
  {
    name: "a lost GPU ends its model in mid-stream, no other, and a new load writes on",
    backends: ["webgpu"],
    async run(suite) {
      await using other = await load({ ...suite, backend: "wasm" });
      {
        await using model = await load(suite);
        const stream = model.complete(story, greedy);
        await stream.next();
        const waits = complete(model, few);
        loseGpu();
        await Promise.all([
          fails(() => collect(stream), "UNAVAILABLE"),
          fails(() => waits, "UNAVAILABLE"),
        ]);
        check(model.isBroken, "it says that it goes on");
        await fails(() => complete(model, few), "UNAVAILABLE");
        equal((await complete(other, { maxTokens: 32 })).text, greedyText);
      }
      await using again = await load(suite);
      check(greedyText.startsWith((await complete(again, few)).text), "it writes something else");
    },
  },
];

const story = "Once upon a time";
const greedy = { principal: "test", temperature: 0 };
const few = { maxTokens: 3 };
/** What the model of 32-bit floats goes on with: llama.cpp's own words, on any machine. */
const greedyText = ", pixels unfolding like petals. Classifications unfold, a kaleidos";

async function load(
  { engines, open, backend }: Suite,
  options: Parameters<Suite["engines"]["wllama"]["load"]>[1] = {},
): Promise<WllamaModel & AsyncDisposable> {
  const opened = await open("story");
  const model = await engines.wllama.load(opened, { contextLength: 128, ...options, backend });
  return Object.assign(model, {
    async [Symbol.asyncDispose]() {
      await model.unload();
      opened.close();
    },
  });
}

function complete(model: WllamaModel, options: Partial<GenerateOptions>) {
  return collect(model.complete(story, { ...greedy, ...options }));
}

async function collect(stream: AsyncGenerator<Piece, Completion>) {
  let text = "";
  for (let pieces = 0;; pieces++) {
    const { done, value } = await stream.next();
    if (done) return { ...value, text, pieces };
    text += value.text;
  }
}
