// llm.embed, llm.rerank and llm.models on real engines.

import { PluginError } from "@bkg/plugin";
import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { buildBundles } from "../../server/build/bundles.ts";
import { parseManifest } from "../runtime/contract/manifest.ts";
import { assertMatches, compileSchema, fillDefaults } from "../runtime/contract/schema.ts";
import type { OpenModel } from "../runtime/engines/engine.ts";
import { startEngine, testModel } from "../runtime/engines/testing_harness.ts";
import { createTransformersEngine } from "../runtime/engines/transformers/mod.ts";
import {
  createTestHost,
  openModelBytes,
  sharedModel,
} from "../runtime/engines/transformers/testing_host.ts";
import { rankerFiles } from "../runtime/engines/transformers/testing_ranker.ts";
import type { CallContext } from "../runtime/guest/context.ts";
import { type EmbedResult, shorten } from "./embed.ts";
import type { LlmServer } from "./llm_server.ts";
import type { ListedModel } from "./model_list.ts";
import plugin from "./plugin.ts";
import type { RerankResult } from "./rerank.ts";
import type { Context, Settings } from "./settings.ts";

const manifest = parseManifest(
  JSON.parse(readFileSync(new URL("./plugin.json", import.meta.url), "utf8")),
);
const { folder } = await buildBundles({ log: () => {} });

type Engines = Context["engines"];

/** The plugin over these models; inputs and results are held against its schemas. */
async function startPlugin(models: OpenModel[], engines: Partial<Engines>, settings = {}) {
  const quiet = () => {};
  const absent = { load: () => Promise.reject(new Error("not here")) };
  const metrics: Record<string, number> = {};
  const ctx: Context = {
    pluginId: "llmserver",
    limits: { memoryMb: 4096 },
    settings: { ...fillDefaults(manifest.settings, {}) as Settings, ...settings },
    log: { debug: quiet, info: quiet, warn: quiet, error: quiet },
    models: {
      list: () => Promise.resolve(models.map(({ files: _, close: __, ...summary }) => summary)),
      open: (id) => {
        const model = models.find((model) => model.id === id);
        if (model !== undefined) return Promise.resolve(model);
        return Promise.reject(new PluginError("NOT_FOUND", `No model "${id}"`));
      },
    },
    engines: {
      wllama: absent,
      onnx: absent,
      transformers: createTransformersEngine(createTestHost(folder)),
      ...engines,
    },
    metric: (name, value) => {
      assert.ok(manifest.metrics.some((metric) => metric.name === name), name);
      metrics[name] = value;
    },
  };
  const state = await plugin.setup!(ctx) as LlmServer;
  const call = async (capability: string, input: unknown, options: Partial<CallContext> = {}) => {
    const declared = manifest.capabilities.find(({ id }) => id === capability)!;
    const check = (schema: typeof declared.inputSchema, value: unknown) =>
      assertMatches(compileSchema(schema, capability), value, "INVALID_INPUT", capability);
    check(declared.inputSchema, input);
    const { signal } = new AbortController();
    const context = { state, ctx, signal, principal: "a", alive: quiet, ...options };
    const result = await plugin.capabilities[capability]!(input as never, context as never);
    check(declared.outputSchema, result);
    return result;
  };
  return {
    metrics,
    state,
    embed: (input: object, options?: Partial<CallContext>) =>
      call("llm.embed", input, options) as Promise<EmbedResult>,
    rerank: (input: object, options?: Partial<CallContext>) =>
      call("llm.rerank", input, options) as Promise<RerankResult>,
    models: async () => (await call("llm.models", {}) as { models: ListedModel[] }).models,
    [Symbol.asyncDispose]: async () => await plugin.teardown!(state),
  };
}

const ranker = () => openModelBytes("ranker", rankerFiles(), { task: "rerank" });

Deno.test("llm.rerank sorts by relevance, and answers what is asked for", async (t) => {
  await using running = await startPlugin([ranker()], {});
  const documents = ["blue bird", "red fox", "fox", "red bird"];
  const asked = { model: "ranker", query: "red fox", documents };

  await t.step("scores are sigmoids of the logits; equal ones stay in their order", async () => {
    const { results, usage, truncated, backend } = await running.rerank(asked);
    assert.deepEqual(results.map(({ index }) => index), [1, 2, 3, 0]);
    assert.ok(Math.abs(results[0]!.relevanceScore - 1 / (1 + Math.exp(-1))) < 1e-9);
    assert.equal(results[1]!.relevanceScore, 0.5);
    assert.equal(results[0]!.document, undefined);
    assert.deepEqual([usage.promptTokens, truncated, backend], [27, 0, "wasm"]);
  });

  await t.step("topN, returnDocuments, and documents that are too long", async () => {
    const { results, truncated } = await running.rerank({
      ...asked,
      documents: [...documents, "fox ".repeat(50)],
      topN: 2,
      returnDocuments: true,
    });
    assert.equal(results.length, 2);
    for (const { index, document } of results) {
      assert.equal(document, index === 4 ? "fox ".repeat(50) : documents[index]);
    }
    assert.equal(truncated, 1);
  });

  await t.step("callers at once get each their own", async () => {
    const queries = ["red", "blue", "fox", "bird"];
    const together = await Promise.all(
      queries.map((query) => running.rerank({ ...asked, query })),
    );
    for (const [at, query] of queries.entries()) {
      assert.deepEqual(together[at], await running.rerank({ ...asked, query }));
    }
  });

  await t.step("empty texts, unknown models and a caller who left", async () => {
    await assert.rejects(running.rerank({ ...asked, query: "" }), { code: "INVALID_INPUT" });
    await assert.rejects(running.rerank({ ...asked, documents: ["a", ""] }), {
      code: "INVALID_INPUT",
    });
    await assert.rejects(running.rerank({ ...asked, model: "nobody" }), { code: "NOT_FOUND" });
    const left = AbortSignal.abort();
    await assert.rejects(running.rerank(asked, { signal: left }), { code: "CANCELLED" });
    assert.deepEqual(running.state.health(), { modelsLoaded: 1, callsActive: 0 });
  });

  await t.step("a long answer is refused before the host would cut it off", async () => {
    const many = Array.from({ length: 3 }, () => "fox ".repeat(200_000));
    const call = running.rerank({ ...asked, documents: many, returnDocuments: true });
    await assert.rejects(call, { code: "PAYLOAD_TOO_LARGE" });
  });
});

Deno.test("a model for another task is refused by name, and takes nobody's place", async () => {
  const odd = (id: string, format: string, task?: string): OpenModel =>
    openModelBytes(id, {}, { format, ...(task === undefined ? {} : { task }) });
  await using running = await startPlugin([
    ranker(),
    odd("face", "onnx", "face"),
    odd("chat", "onnx", "chat"),
    odd("gguf-rerank", "gguf", "rerank"),
    odd("weights", "safetensors", "embedding"),
    odd("sentences", "gguf", "embedding"),
  ], {});
  await running.rerank({ model: "ranker", query: "red", documents: ["fox"] });
  const refused = { code: "INVALID_INPUT", details: { field: "model" } };
  for (const model of ["ranker", "face", "chat", "gguf-rerank", "weights"]) {
    await assert.rejects(running.embed({ model, input: "red" }), refused, model);
  }
  for (const model of ["face", "chat", "gguf-rerank", "weights", "sentences"]) {
    const call = running.rerank({ model, query: "red", documents: ["fox"] });
    const code = model === "gguf-rerank" ? "UNSUPPORTED_FEATURE" : refused.code;
    await assert.rejects(call, { ...refused, code }, model);
  }
  assert.equal(running.metrics["model_loads"], 1);
  const listed = await running.models();
  assert.deepEqual(listed.map(({ id, uses }) => [id, ...uses]), [
    ["ranker", "scores"],
    ["sentences", "vectors"],
  ]);
  assert.equal(listed[0]!.loaded[0]!.use, "scores");
  assert.equal(listed[1]!.loaded.length, 0);
});

Deno.test("llm.embed: MiniLM", async (t) => {
  const file = sharedModel("minilm", { task: "embedding" });
  if (file === undefined) return;
  await using running = await startPlugin([file], {});
  const model = "minilm";

  await t.step(
    "numbers and base64 are the same; fewer dimensions are of the length 1",
    async () => {
      const asked = { model, input: ["The fox", "The bird"] };
      const floats = await running.embed(asked);
      const { embeddings: texts } = await running.embed({ ...asked, encoding: "base64" });
      const read = texts.map((text) => [
        ...new Float32Array(Uint8Array.fromBase64(text as string).buffer),
      ]);
      assert.deepEqual(read, floats.embeddings);
      assert.deepEqual([floats.dimensions, floats.usage.promptTokens], [384, 8]);
      const cut = await running.embed({ ...asked, dimensions: 100 });
      assert.equal(cut.dimensions, 100);
      const [vector] = cut.embeddings as number[][];
      assert.ok(Math.abs(Math.hypot(...vector!) - 1) < 1e-6);
      assert.equal(running.metrics["texts_encoded"], 6);
      assert.equal(running.metrics["tokens_prompt"], 24);
    },
  );

  await t.step("what is wrong is named before anything is computed", async () => {
    const wrong: [change: object, code: string][] = [
      [{ input: "" }, "INVALID_INPUT"],
      [{ input: [] }, "INVALID_INPUT"],
      [{ input: ["a", ""] }, "INVALID_INPUT"],
      [{ dimensions: 385 }, "INVALID_INPUT"],
      [{ dimensions: 0 }, "INVALID_INPUT"],
      [{ dimensions: -1e30 }, "INVALID_INPUT"],
      [{ promptName: "query" }, "INVALID_INPUT"],
      [{ input: new Array(2000).fill("a") }, "PAYLOAD_TOO_LARGE"],
      [{ input: new Array(2049).fill("a") }, "INVALID_INPUT"],
      [{ input: "x".repeat(10_000_001) }, "INVALID_INPUT"],
      [{ model: "nobody" }, "NOT_FOUND"],
    ];
    for (const [change, code] of wrong) {
      const call = running.embed({ model, input: "a", ...change });
      await assert.rejects(call, { code }, JSON.stringify(change).slice(0, 100));
    }
  });

  await t.step("10 MB are cut to what the model takes", async () => {
    const { usage, truncated, embeddings } = await running.embed({
      model,
      input: "fox ".repeat(2_500_000),
    });
    assert.deepEqual([usage.promptTokens, truncated], [512, 1]);
    assert.ok((embeddings[0] as number[]).every(Number.isFinite));
  });

  await t.step("a caller who leaves ends at once, and no other call with it", async () => {
    const abort = new AbortController();
    const book = Array.from({ length: 300 }, (_, at) => `${at} ${"fox ".repeat(300)}`);
    const left = running.embed({ model, input: book }, { signal: abort.signal });
    const other = running.embed({ model, input: "A fox" });
    setTimeout(() => abort.abort(), 100);
    const started = performance.now();
    await assert.rejects(left, { code: "CANCELLED" });
    assert.ok(performance.now() - started < 5000);
    assert.equal((await other).embeddings.length, 1);
    assert.equal(running.state.health().callsActive, 0);
  });
});

Deno.test("llm.embed: a GGUF language model, beside the one that writes", async (t) => {
  const file = testModel("rand-15M-q8_0.gguf", { contextLength: 256, task: "chat" });
  if (file === undefined) return;
  await using harness = await startEngine();
  await using running = await startPlugin([file], { wllama: harness.engine });
  const model = file.id;

  await t.step("its width, of the length 1, the same each time", async () => {
    const first = await running.embed({ model, input: ["A fox", "A lantern"] });
    assert.deepEqual([first.dimensions, first.truncated], [288, 0]);
    for (const vector of first.embeddings as number[][]) {
      assert.ok(Math.abs(Math.hypot(...vector) - 1) < 1e-4);
    }
    assert.notDeepEqual(first.embeddings[0], first.embeddings[1]);
    assert.deepEqual(await running.embed({ model, input: ["A fox", "A lantern"] }), first);
  });

  await t.step("a prompt by name is refused", async () => {
    const call = running.embed({ model, input: "A fox", promptName: "query" });
    await assert.rejects(call, { code: "INVALID_INPUT", details: { field: "promptName" } });
  });

  await t.step("llm.models says what it is in memory for", async () => {
    const [listed] = await running.models();
    assert.deepEqual(listed!.uses, ["text", "vectors"]);
    assert.deepEqual(listed!.loaded.map(({ use, users }) => [use, users]), [["vectors", 0]]);
    assert.equal(running.metrics["models_loaded"], 1);
  });
});

Deno.test("shorten: the first numbers, at the length that they had", () => {
  const vector = Float32Array.of(3, 4, 12);
  assert.equal(shorten(vector, 3, true), vector);
  assert.deepEqual([...shorten(vector, 2, true)], [...Float32Array.of(0.6, 0.8)]);
  assert.deepEqual([...shorten(vector, 2, false)], [3, 4]);
  assert.deepEqual([...shorten(Float32Array.of(0, 0, 1), 2, true)], [0, 0]);
});
