// Embeddings: through HTTP, against onnxruntime alone on the same tokens; and many callers at once against one after the
// other, which is what batching is for.

import { createOnnxEngine, type OnnxModel } from "../plugins/runtime/engines/onnx/mod.ts";
import {
  createTestHost,
  sharedModel,
} from "../plugins/runtime/engines/transformers/testing_host.ts";
import { createTextTokenizer } from "../plugins/runtime/engines/transformers/encode.ts";
import { readTextFiles } from "../plugins/runtime/engines/transformers/text_config.ts";
import { dirname } from "node:path";
import { buildBundles } from "../server/build/bundles.ts";
import { type ServerProcess, startServer } from "../server/testing/server_process.ts";
import { sharedModelsFolder } from "../server/testing/shared_models.ts";
import { median, type Row, type Section } from "./report.ts";

const rounds = 7;
const callers = 32;
const words = "the quick brown fox jumps over a lazy dog and then it sleeps under tall old trees"
  .split(" ");

export async function measureEmbeddings(): Promise<Section> {
  const opened = sharedModel("minilm");
  const rows: Row[] = [];
  if (opened !== undefined) {
    const { folder } = await buildBundles({ log: () => {} });
    const bare = await createOnnxEngine(createTestHost(folder)).load(opened);
    const { config, ...files } = await readTextFiles(opened);
    const tokenizer = createTextTokenizer({ ...files, maxTokens: config.maxTokens });
    await using server = await startServer({
      env: { BKG_MODEL_PATHS: dirname(sharedModelsFolder) },
    });
    for (const length of [4, 10, 30, 126]) {
      const texts = makeTexts(length > 60 ? callers : 2 * callers, length);
      const tokens = texts.map((text) => [...tokenizer.encode(text).ids]);
      rows.push(...await measureTexts({ bare, server, texts, tokens }));
    }
    await bare.unload();
  }
  return {
    title: "Embeddings",
    how:
      `MiniLM's shape, int8, WebAssembly, 1 thread, ${rounds} rounds after a warm-up, interleaved. A call: one of ` +
      `POST /v1/embeddings with all texts, tokenizer included, base64; bare: onnxruntime-web's session on the ` +
      `same tokens in batches of ${callers}, in a Worker of the benchmark's process. Callers: ${callers} of ` +
      `them, one text a call, against one caller who asks one after the other.`,
    rows,
  };
}

interface Measured {
  bare: OnnxModel;
  server: ServerProcess;
  texts: readonly string[];
  tokens: readonly number[][];
}

async function measureTexts({ bare, server, texts, tokens }: Measured): Promise<Row[]> {
  const times = {
    bare: [] as number[],
    call: [] as number[],
    one: [] as number[],
    many: [] as number[],
  };
  const batches = Array.from(
    { length: texts.length / callers },
    (_, at) => tokens.slice(at * callers, (at + 1) * callers),
  );
  const measures: Record<keyof typeof times, () => Promise<void>> = {
    bare: async () => {
      for (const batch of batches) await runBare(bare, batch);
    },
    call: () => embed(server, texts),
    one: async () => {
      for (const text of texts) await embed(server, text);
    },
    many: async () => {
      const waiting = [...texts];
      const call = async () => {
        for (let text = waiting.pop(); text !== undefined; text = waiting.pop()) {
          await embed(server, text);
        }
      };
      await Promise.all(Array.from({ length: callers }, call));
    },
  };
  for (let round = 0; round <= rounds; round++) {
    const names = Object.keys(measures) as (keyof typeof times)[];
    // Who goes first changes with each round.
    for (const name of round % 2 === 0 ? names : names.reverse()) {
      const started = performance.now();
      await measures[name]();
      if (round > 0) times[name].push(performance.now() - started);
    }
  }
  const rate = (name: keyof typeof times) => texts.length / median(times[name]) * 1000;
  const ratio = (of: keyof typeof times, to: keyof typeof times) =>
    median(times[of].map((ms, at) => times[to][at]! / ms));
  const [served, batched] = [ratio("call", "bare"), ratio("many", "one")];
  const what = `${tokens[0]!.length} tokens a text`;
  return [
    {
      what: `${what}, a call of ${texts.length} texts`,
      measured: `${rate("call").toFixed(1)} texts/s`,
      reference: `bare onnxruntime ${rate("bare").toFixed(1)} texts/s (${served.toFixed(2)}x)`,
      budget: "≥ 0.95 of bare",
      met: served >= 0.95,
    },
    {
      what: `${what}, ${callers} callers`,
      measured: `${rate("many").toFixed(1)} texts/s`,
      reference: `one caller ${rate("one").toFixed(1)} texts/s (${batched.toFixed(2)}x)`,
      budget: "≥ 2x of one",
      met: batched >= 2,
    },
  ];
}

function makeTexts(count: number, length: number): string[] {
  return Array.from(
    { length: count },
    (_, row) =>
      Array.from({ length }, (_, at) => words[(row * 7 + at * (row + 3)) % words.length]).join(" "),
  );
}

async function runBare(model: OnnxModel, rows: readonly number[][]): Promise<void> {
  const width = Math.max(...rows.map((row) => row.length));
  const tensor = (value: (row: number[], at: number) => number) => ({
    type: "int64" as const,
    dims: [rows.length, width],
    data: BigInt64Array.from(
      rows.flatMap((row) => Array.from({ length: width }, (_, at) => BigInt(value(row, at)))),
    ),
  });
  await model.run({
    input_ids: tensor((row, at) => row[at] ?? 0),
    attention_mask: tensor((row, at) => at < row.length ? 1 : 0),
    token_type_ids: tensor(() => 0),
  });
}

async function embed(server: ServerProcess, input: string | readonly string[]): Promise<void> {
  const response = await server.fetch("/v1/embeddings", {
    method: "POST",
    headers: { "content-type": "application/json" },
    body: JSON.stringify({ model: "minilm", input, encoding_format: "base64" }),
  });
  if (response.status !== 200) throw new Error(await response.text());
  await response.body?.pipeTo(new WritableStream());
}
