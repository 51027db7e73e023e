// A loaded text encoder: tokens, batches of them through the graph, and what comes out as vectors or scores.

import { AppError } from "../../contract/error.ts";
import type { OnnxModel, Tensor } from "../onnx/interface.ts";
import { Batches } from "./batches.ts";
import type { Encoded, TextTokenizer } from "./encode.ts";
import type { CallOptions, TextEncoderInfo, TextEncoderModel } from "./interface.ts";
import { normalize, pool } from "./pooling.ts";
import type { TextConfig } from "./text_config.ts";

/** What the graph takes and gives. */
export interface Graph {
  /** `isWide`: int64, else int32. */
  inputs: readonly { name: string; isWide: boolean }[];
  output: string;
  /** Numbers of each token, of each text, or a score. */
  kind: "states" | "vectors" | "logits";
}

export function createTextEncoder(
  { model, info, config, tokenizer, graph, batchTokens }: {
    model: OnnxModel;
    info: TextEncoderInfo;
    config: TextConfig;
    tokenizer: TextTokenizer;
    graph: Graph;
    batchTokens: number;
  },
): TextEncoderModel {
  const batches = new Batches<Float32Array>(async (rows) => {
    const tokens = Math.max(...rows.map(({ ids }) => ids.length), 1);
    const inputs = makeInputs(rows, { tokens, graph, padToken: config.padToken });
    const { outputs } = await model.run(inputs, { outputs: [graph.output] });
    return { unpack: () => readRows(outputs[graph.output], { rows, tokens, graph, config }) };
  }, { maxTokens: batchTokens });

  return {
    info: () => info,
    get isBroken() {
      return model.isBroken;
    },
    async embed(texts, { promptName, ...options } = {}) {
      if (graph.kind === "logits") throw unfit("scores texts, and makes no vectors of them");
      const prompt = choosePrompt(config, promptName);
      const rows = await encodeAll(texts, options, (text) => tokenizer.encode(prompt + text));
      return { vectors: await batches.run(rows, options), ...count(rows) };
    },
    async score(query, texts, options = {}) {
      if (graph.kind !== "logits") throw unfit("makes vectors of texts, and no scores");
      const rows = await encodeAll(texts, options, (text) => tokenizer.encode(query, text));
      const scores = await batches.run(rows, options);
      if (scores.some(({ length }) => length !== 1)) {
        throw unfit(`answers ${scores[0]?.length} labels, and a score is one`);
      }
      return { logits: Float32Array.from(scores, ([logit]) => logit!), ...count(rows) };
    },
    unload() {
      batches.close(new AppError("UNAVAILABLE", "The model was unloaded"));
      return model.unload();
    },
  };
}

function choosePrompt({ prompts, defaultPrompt }: TextConfig, name: string | undefined): string {
  if (name === undefined) return defaultPrompt;
  const prompt = prompts.get(name);
  if (prompt !== undefined) return prompt;
  const known = [...prompts.keys()].slice(0, 20).map((key) => `"${key}"`).join(", ");
  const there = known === "" ? "it has none" : `there are ${known}`;
  throw new AppError("INVALID_INPUT", `The model has no prompt "${name}": ${there}`, {
    details: { field: "promptName" },
  });
}

/** Equal texts are encoded once. Many take a while: other calls, and the end of this one, come in between. */
async function encodeAll(
  texts: readonly string[],
  { signal, progress }: CallOptions,
  encode: (text: string) => Encoded,
): Promise<Encoded[]> {
  const known = new Map<string, Encoded>();
  const rows: Encoded[] = [];
  let since = performance.now();
  for (const text of texts) {
    const row = known.get(text) ?? encode(text);
    known.set(text, row);
    rows.push(row);
    if (performance.now() - since < encodeStepMs) continue;
    await new Promise((resolve) => setTimeout(resolve));
    if (signal?.aborted) throw new AppError("CANCELLED", "The call was cancelled");
    progress?.();
    since = performance.now();
  }
  return rows;
}

const encodeStepMs = 10;

function count(rows: readonly Encoded[]) {
  return {
    promptTokens: rows.reduce((sum, { ids }) => sum + ids.length, 0),
    truncated: rows.filter(({ truncated }) => truncated).length,
  };
}

function makeInputs(
  rows: readonly Encoded[],
  { tokens, graph, padToken }: { tokens: number; graph: Graph; padToken: number },
): Record<string, Tensor> {
  const valueOf: Record<string, (row: Encoded, at: number) => number> = {
    input_ids: ({ ids }, at) => ids[at] ?? padToken,
    attention_mask: ({ ids }, at) => at < ids.length ? 1 : 0,
    token_type_ids: ({ types }, at) => types[at] ?? 0,
    position_ids: (_row, at) => at,
  };
  const dims = [rows.length, tokens];
  return Object.fromEntries(graph.inputs.map(({ name, isWide }) => {
    const size = rows.length * tokens;
    const valueAt = (at: number) => valueOf[name]!(rows[Math.floor(at / tokens)]!, at % tokens);
    const tensor: Tensor = isWide
      ? {
        type: "int64",
        dims,
        data: BigInt64Array.from({ length: size }, (_, at) => BigInt(valueAt(at))),
      }
      : { type: "int32", dims, data: Int32Array.from({ length: size }, (_, at) => valueAt(at)) };
    return [name, tensor];
  }));
}

function readRows(
  output: Tensor | undefined,
  { rows, tokens, graph, config }: {
    rows: readonly Encoded[];
    tokens: number;
    graph: Graph;
    config: TextConfig;
  },
): Float32Array[] {
  const { data, dims } = output ?? {};
  const width = graph.kind === "states" ? dims?.[2] ?? 0 : (data?.length ?? 0) / rows.length;
  const size = rows.length * width * (graph.kind === "states" ? tokens : 1);
  if (!(data instanceof Float32Array) || width < 1 || data.length !== size) {
    throw unfit(`answered the shape [${dims?.join(", ") ?? ""}] for ${rows.length} texts`);
  }
  const lengths = rows.map(({ ids }) => ids.length);
  const vectors = graph.kind === "states"
    ? pool(data, { lengths, tokens, width, pooling: config.pooling })
    : rows.map((_, row) => data.slice(row * width, (row + 1) * width));
  for (const vector of vectors) {
    if (!vector.every(Number.isFinite)) {
      throw new AppError("INVALID_OUTPUT", "The model answered what is no number");
    }
    if (graph.kind !== "logits" && config.normalizes) normalize(vector);
  }
  return vectors;
}

function unfit(problem: string): AppError {
  return new AppError("UNSUPPORTED_FEATURE", `The model ${problem}`);
}
