// A cross-encoder for tests that reads eight words: it scores a document by how many words it shares with the query.

import { floatWeight, intWeight, type TestNode, writeOnnx } from "../onnx/testing_models.ts";

const words = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "red", "blue", "fox", "bird"];

/** Files by name, as a hub has them. */
export function rankerFiles(): Record<string, Uint8Array | object> {
  return {
    "config.json": {
      architectures: ["BertForSequenceClassification"],
      model_type: "bert",
      num_labels: 1,
      max_position_embeddings: 16,
      pad_token_id: 0,
    },
    "tokenizer_config.json": { model_max_length: 16 },
    "tokenizer.json": tokenizerJson(),
    "onnx/model.onnx": rankerGraph(),
  };
}

/** Splits at spaces; [CLS] and [SEP] as Bert has them. */
export function tokenizerJson(): object {
  const special = (id: string, type_id: number) => ({ SpecialToken: { id, type_id } });
  const sequence = (id: string, type_id: number) => ({ Sequence: { id, type_id } });
  const [cls, sep, first] = [special("[CLS]", 0), special("[SEP]", 0), sequence("A", 0)];
  return {
    version: "1.0",
    added_tokens: words.slice(0, 4).map((content, id) => ({
      ...{ id, content, single_word: false, lstrip: false, rstrip: false },
      ...{ normalized: false, special: true },
    })),
    normalizer: { type: "Lowercase" },
    pre_tokenizer: { type: "WhitespaceSplit" },
    post_processor: {
      type: "TemplateProcessing",
      single: [cls, first, sep],
      pair: [cls, first, sep, sequence("B", 1), special("[SEP]", 1)],
      special_tokens: {},
    },
    decoder: null,
    model: {
      type: "WordPiece",
      unk_token: "[UNK]",
      continuing_subword_prefix: "##",
      max_input_chars_per_word: 100,
      vocab: Object.fromEntries(words.map((word, id) => [word, id])),
    },
  };
}

/** One-hot words, summed for each of the two texts; the logit is their product, less a constant. */
function rankerGraph(): Uint8Array<ArrayBuffer> {
  const isWord = words.map((_, id) => id < 4 ? 0 : 1);
  const table = words.flatMap((_, row) => words.map((_, at) => row === at ? isWord[row]! : 0));
  const node = (op: string, inputs: string[], output: string, attributes = {}): TestNode => ({
    op,
    inputs,
    outputs: [output],
    attributes,
  });
  const axes = { shape: ["batch", "tokens"], type: "int64" } as const;
  return writeOnnx({
    nodes: [
      node("Gather", ["table", "input_ids"], "states"),
      node("Cast", ["token_type_ids"], "second", { to: 1 }),
      node("Cast", ["attention_mask"], "mask", { to: 1 }),
      node("Sub", ["one", "second"], "first"),
      ...["first", "second"].flatMap((part) => [
        node("Mul", [part, "mask"], `${part}_real`),
        node("Unsqueeze", [`${part}_real`, "last"], `${part}_wide`),
        node("Mul", ["states", `${part}_wide`], `${part}_states`),
        node("ReduceSum", [`${part}_states`, "middle"], `${part}_sum`, { keepdims: 0 }),
      ]),
      node("Mul", ["first_sum", "second_sum"], "shared"),
      node("ReduceSum", ["shared", "middle"], "common", { keepdims: 1 }),
      node("Sub", ["common", "one"], "logits"),
    ],
    inputs: ["input_ids", "attention_mask", "token_type_ids"].map((name) => ({ name, ...axes })),
    outputs: [{ name: "logits", type: "float32", shape: ["batch", 1] }],
    weights: [
      floatWeight("table", [words.length, words.length], table),
      floatWeight("one", [1], [1]),
      intWeight("last", [1], [-1]),
      intWeight("middle", [1], [1]),
    ],
  });
}
