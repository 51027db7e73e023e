// The engine on real and made models, its runs in onnxruntime.

import assert from "node:assert/strict";
import { buildBundles } from "../../../../server/build/bundles.ts";
import { floatWeight, type TestModel, writeOnnx } from "../onnx/testing_models.ts";
import { createTransformersEngine } from "./mod.ts";
import { createTestHost, openModelBytes, sharedModel } from "./testing_host.ts";
import { rankerFiles, tokenizerJson } from "./testing_ranker.ts";

const { folder } = await buildBundles({ log: () => {} });

/** Eight words of two numbers each, as states of tokens. */
function encoderGraph(changes: Partial<TestModel> = {}): Uint8Array {
  const table = [0, 0, 0, 0, 3, 0, 0, 4, 1, 0, 0, 1, 6, 8, NaN, 1];
  return writeOnnx({
    nodes: [{ op: "Gather", inputs: ["table", "input_ids"], outputs: ["last_hidden_state"] }],
    inputs: [{ name: "input_ids", type: "int64", shape: ["batch", "tokens"] }],
    outputs: [{ name: "last_hidden_state", type: "float32", shape: ["batch", "tokens", 2] }],
    weights: [floatWeight("table", [8, 2], table)],
    ...changes,
  });
}

const encoder = {
  "config.json": { model_type: "bert", max_position_embeddings: 16, hidden_size: 2 },
  "tokenizer.json": tokenizerJson(),
  "model.onnx": encoderGraph(),
};

Deno.test("the configuration of sentence-transformers is what is done", async (t) => {
  const host = createTestHost(folder);
  const engine = createTransformersEngine(host);
  const embed = async (files: Record<string, object>, text: string, promptName?: string) => {
    const model = await engine.load(openModelBytes("tiny", { ...encoder, ...files }));
    try {
      const options = promptName === undefined ? {} : { promptName };
      const { vectors: [vector], ...used } = await model.embed([text], options);
      return { vector: [...vector!], ...used, info: model.info() };
    } finally {
      await model.unload();
    }
  };
  const modules = (...types: string[]) => ({
    "modules.json": types.map((type, at) => ({
      idx: at,
      path: `${at}_${type}`,
      type: `x.${type}`,
    })),
  });

  await t.step("without one: the mean of all tokens, of the length 1", async () => {
    // [CLS] (3, 0) and [SEP] (0, 4) belong to it: the sum is (4, 4).
    const { vector, promptTokens, info } = await embed({}, "red");
    assert.equal(promptTokens, 3);
    assert.deepEqual([info.pooling, info.normalizes, info.maxTokens], ["mean", true, 16]);
    assert.ok(Math.abs(Math.hypot(...vector) - 1) < 1e-6);
    assert.ok(Math.abs(vector[0]! / vector[1]! - 1) < 1e-6, `${vector}`);
  });

  await t.step("cls, not normalised, another length", async () => {
    const { vector, info } = await embed({
      ...modules("Transformer", "Pooling"),
      "1_Pooling/config.json": { pooling_mode_cls_token: true, word_embedding_dimension: 2 },
      "sentence_bert_config.json": { max_seq_length: 5 },
    }, "red fox");
    assert.deepEqual(vector, [3, 0]);
    assert.deepEqual([info.pooling, info.normalizes, info.maxTokens], ["cls", false, 5]);
  });

  await t.step("the last token, by its newer name", async () => {
    const { vector } = await embed({
      ...modules("Transformer", "Pooling"),
      "1_Pooling/config.json": { pooling_mode: "lasttoken" },
    }, "red fox");
    assert.deepEqual(vector, [0, 4]);
  });

  await t.step("prompts by name, and the default one", async () => {
    const files = {
      "config_sentence_transformers.json": {
        prompts: { query: "blue ", none: "" },
        default_prompt_name: "query",
      },
    };
    assert.equal((await embed(files, "red")).promptTokens, 4);
    assert.equal((await embed(files, "red", "none")).promptTokens, 3);
    await assert.rejects(embed(files, "red", "other"), {
      code: "INVALID_INPUT",
      message: 'The model has no prompt "other": there are "query", "none"',
    });
  });

  await t.step("a text that is too long is cut, and counted", async () => {
    const { truncated, promptTokens } = await embed({}, "red ".repeat(100));
    assert.deepEqual([truncated, promptTokens], [1, 16]);
  });

  await t.step("what is no number is refused, never sent", async () => {
    await assert.rejects(embed({}, "bird"), { code: "INVALID_OUTPUT" });
  });

  await t.step("what this engine does not do is refused by name", async () => {
    const wrong: [files: Record<string, object>, code: string, says: RegExp][] = [
      [
        { "1_Pooling/config.json": { pooling_mode_weightedmean_tokens: true } },
        "UNSUPPORTED_FEATURE",
        /weightedmean/,
      ],
      [modules("Transformer", "Pooling", "Dense"), "UNSUPPORTED_FEATURE", /dense layer/],
      [{ "tokenizer.json": new TextEncoder().encode("{") }, "INVALID_MODEL", /no JSON/],
      [{ "tokenizer.json": { model: {} } }, "INVALID_MODEL", /tokenizer.json is not valid/],
      [
        {
          "model.onnx": encoderGraph({
            inputs: [{ name: "pixels", type: "int64", shape: ["batch", "tokens"] }],
            nodes: [{ op: "Gather", inputs: ["table", "pixels"], outputs: ["last_hidden_state"] }],
          }),
        },
        "UNSUPPORTED_FEATURE",
        /"pixels"/,
      ],
    ];
    for (const [files, code, message] of wrong) {
      await assert.rejects(embed(files, "red"), { code, message });
    }
    const { "tokenizer.json": _, ...bare } = encoder;
    await assert.rejects(engine.load(openModelBytes("bare", bare)), {
      code: "UNSUPPORTED_FEATURE",
      message: /no tokenizer.json/,
    });
  });
  assert.equal(host.threadsLent, 0);
});

Deno.test("a cross-encoder scores pairs, the same alone and together", async () => {
  const engine = createTransformersEngine(createTestHost(folder));
  const model = await engine.load(openModelBytes("ranker", rankerFiles()));
  const { logits } = await model.score("red fox", ["blue bird", "red fox", "fox"]);
  assert.deepEqual([...logits], [-1, 1, 0]);
  assert.deepEqual([...(await model.score("red fox", ["fox"])).logits], [0]);
  await assert.rejects(model.embed(["red"]), { code: "UNSUPPORTED_FEATURE" });
  await model.unload();
  await assert.rejects(model.score("red", ["fox"]), { code: "UNAVAILABLE" });
});

Deno.test("MiniLM: the same batch is the same vectors, other company changes them little", async (t) => {
  const file = sharedModel("minilm");
  if (file === undefined) return;
  const model = await createTransformersEngine(createTestHost(folder)).load(file);
  const texts = ["The fox sleeps", "A lantern", "Where do foxes sleep at night?"];
  const { vectors } = await model.embed(texts);

  await t.step("384 numbers, of the length 1, again and again", async () => {
    assert.deepEqual((await model.embed(texts)).vectors, vectors);
    for (const vector of vectors) {
      assert.equal(vector.length, 384);
      assert.ok(Math.abs(Math.hypot(...vector) - 1) < 1e-5);
    }
  });

  await t.step("int8 takes its scale from the whole batch: cosine of 0.99 and more", async () => {
    for (const [at, text] of texts.entries()) {
      const { vectors: [alone] } = await model.embed([text]);
      const cosine = alone!.reduce((sum, value, index) => sum + value * vectors[at]![index]!, 0);
      assert.ok(cosine > 0.99, `${cosine}`);
    }
  });

  await t.step("32 callers at once get each their own", async () => {
    const asked = Array.from({ length: 32 }, (_, at) => texts[at % texts.length]!);
    const answers = await Promise.all(asked.map((text) => model.embed([text])));
    answers.forEach(({ vectors: [vector] }, at) => {
      const own = vectors[at % texts.length]!;
      const cosine = vector!.reduce((sum, value, index) => sum + value * own[index]!, 0);
      assert.ok(cosine > 0.99, `${at}: ${cosine}`);
    });
  });
  await model.unload();
});
