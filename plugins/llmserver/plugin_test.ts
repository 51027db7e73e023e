import { PluginError } from "@bkg/plugin";
import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { parseManifest } from "../runtime/contract/manifest.ts";
import { assertMatches, compileSchema, fillDefaults } from "../runtime/contract/schema.ts";
import type { CallContext } from "../runtime/guest/context.ts";
import { startEngine, testModel } from "../runtime/engines/testing_harness.ts";
import type { WllamaEngine, WllamaModel } from "../runtime/engines/wllama/interface.ts";
import type { Answer } from "./answer.ts";
import { plainChat, readMessages } from "./chat.ts";
import type { LlmServer } from "./llm_server.ts";
import plugin from "./plugin.ts";
import type { Context, Settings } from "./settings.ts";

const manifest = parseManifest(
  JSON.parse(readFileSync(new URL("./plugin.json", import.meta.url), "utf8")),
);

/** Engines that no test here uses. */
const absent = {
  onnx: { load: () => Promise.reject(new Error("not here")) },
  transformers: { load: () => Promise.reject(new Error("not here")) },
};

type Open = (id: string) => ReturnType<Context["models"]["open"]>;

/** The plugin as the guest runs it, on an engine and models of the test's own. */
async function startPlugin(engine: WllamaEngine, open: Open, settings: Partial<Settings> = {}) {
  const metrics: Record<string, number> = {};
  const quiet = () => {};
  const ctx: Context = {
    pluginId: "llmserver",
    settings: { ...fillDefaults(manifest.settings, {}) as Settings, ...settings },
    log: { debug: quiet, info: quiet, warn: quiet, error: quiet },
    models: { list: () => Promise.resolve([]), open },
    engines: { ...absent, wllama: engine },
    metric: (name, value) => {
      assert(manifest.metrics.some((metric) => metric.name === name), `"${name}" is not declared`);
      metrics[name] = value;
    },
  };
  const state = await plugin.setup!(ctx) as LlmServer;
  const call = (capability: string, input: unknown, options: Partial<CallContext> = {}) => {
    const declared = manifest.capabilities.find(({ id }) => id === capability)!;
    const what = `Input of "${capability}"`;
    assertMatches(compileSchema(declared.inputSchema, what), input, "INVALID_INPUT", what);
    const context = {
      state,
      ctx,
      signal: new AbortController().signal,
      principal: "a",
      alive: quiet,
    };
    const handler = plugin.capabilities[capability]!;
    return handler(input as never, { ...context, ...options } as never) as AsyncGenerator<
      { delta: string },
      Answer
    >;
  };
  return { call, metrics, state, [Symbol.asyncDispose]: async () => await plugin.teardown!(state) };
}

async function collect(capability: string, stream: AsyncGenerator<{ delta: string }, Answer>) {
  const { outputSchema, resultSchema } = manifest.capabilities.find(({ id }) => id === capability)!;
  const checkItem = compileSchema(outputSchema, "item");
  let streamed = "";
  while (true) {
    const { done, value } = await stream.next();
    if (done) {
      const check = compileSchema(resultSchema!, "result");
      assertMatches(check, value, "INVALID_OUTPUT", "The result");
      assert.equal(value.text, streamed);
      return value;
    }
    assertMatches(checkItem, value, "INVALID_OUTPUT", "An item");
    streamed += value.delta;
  }
}

/** An engine that answers "a b c" and loads at once; `gate` holds its answers back. */
function fakeEngine(gate: Promise<unknown> = Promise.resolve()) {
  const events: string[] = [];
  const engine: WllamaEngine = {
    load(model) {
      events.push(`load ${model.id}`);
      if (model.id === "broken") {
        return Promise.reject(new PluginError("INVALID_MODEL", "It is broken"));
      }
      return Promise.resolve<WllamaModel>({
        isBroken: false,
        info: () => ({
          engine: "fake",
          engineVersion: "1",
          backend: "wasm",
          threads: 1,
          loadMs: 1,
          contextLength: 1,
          trainedContextLength: 1,
          parallel: 1,
          hasChatTemplate: false,
          bosToken: 1,
          eosToken: 2,
          vocabularySize: 3,
          dimensions: 2,
        }),
        async *complete() {
          await gate;
          for (const text of ["a", " b", " c"]) yield { text };
          return {
            finishReason: "stop",
            usage: { promptTokens: 1, cachedTokens: 0, completionTokens: 3 },
            timings: { promptMs: 1, generationMs: 1, tokensPerSecond: 3 },
          };
        },
        chat() {
          throw new Error("has no template");
        },
        embed() {
          throw new Error("writes text");
        },
        unload() {
          events.push(`unload ${model.id}`);
          return Promise.resolve();
        },
      });
    },
  };
  /** How often each model is open now. */
  const held = new Map<string, number>();
  const open: Open = (asked) => {
    if (asked === "missing") {
      return Promise.reject(new PluginError("NOT_FOUND", `No model "${asked}"`));
    }
    const id = asked.toLowerCase() === "owner/one" ? "Owner/One:Q8_0" : asked;
    const task = ["embedding", "rerank", "speech"].find((task) => id.endsWith(task)) ?? "chat";
    const format = id.endsWith(".onnx") ? "onnx" : "gguf";
    const count = (change: number) => held.set(id, (held.get(id) ?? 0) + change);
    count(1);
    return Promise.resolve({ id, size: 1, format, task, files: [], close: () => void count(-1) });
  };
  return { engine, open, events, held };
}

Deno.test("plugin.json is valid, and so are its examples", () => {
  for (const { id, inputSchema, examples } of manifest.capabilities) {
    for (const { input } of examples) {
      assertMatches(compileSchema(inputSchema, id), input, "INVALID_INPUT", id);
    }
  }
});

Deno.test("llm.chat and llm.complete refuse what their schema bounds", async () => {
  const { engine, open } = fakeEngine();
  await using running = await startPlugin(engine, open);
  const good = { model: "m", prompt: "x" };
  for (
    const bad of [
      { temperature: 3 },
      { topP: -1 },
      { maxTokens: 0 },
      { stop: [""] },
      {
        stop: Array(17).fill("x"),
      },
      { other: 1 },
      { seed: 0.5 },
    ]
  ) {
    const wrong = () => running.call("llm.complete", { ...good, ...bad });
    assert.throws(wrong, { code: "INVALID_INPUT" });
  }
  const empty = () => running.call("llm.chat", { model: "m", messages: [] });
  assert.throws(empty, { code: "INVALID_INPUT" });
});

Deno.test("readMessages refuses an empty list by its name; developer counts as system", () => {
  assert.throws(() => readMessages([]), { code: "INVALID_INPUT", details: { field: "messages" } });
  assert.deepEqual(readMessages([{ role: "developer", content: "x" }]), [
    { role: "system", content: "x" },
  ]);
});

Deno.test("plainChat ends where the assistant speaks, or continues it", () => {
  assert.equal(plainChat([{ role: "user", content: "hi" }]).prompt, "User: hi\nAssistant:");
  const begun = plainChat([{ role: "user", content: "hi" }, { role: "assistant", content: "Oh" }]);
  assert.equal(begun.prompt, "User: hi\nAssistant: Oh");
});

Deno.test("a model is loaded once, and makes room for another", async () => {
  const { engine, open, events } = fakeEngine();
  await using running = await startPlugin(engine, open);
  const ask = (model: string) =>
    collect("llm.complete", running.call("llm.complete", { model, prompt: "x" }));
  await Promise.all([ask("one"), ask("one"), ask("one")]);
  assert.equal((await ask("one")).text, "a b c");
  await ask("two");
  assert.deepEqual(events, ["load one", "unload one", "load two"]);
  assert.equal(running.metrics["tokens_generated"], 15);
  assert.equal(running.metrics["models_loaded"], 1);
  assert.equal(running.metrics["calls_active"], 0);
});

Deno.test("a model stays open while it is in memory, and no longer", async () => {
  const { engine, open, held } = fakeEngine();
  const running = await startPlugin(engine, open, { maxLoaded: 2 });
  const ask = (model: string) =>
    collect("llm.complete", running.call("llm.complete", { model, prompt: "x" }));
  await Promise.all(["one", "one", "two"].map(ask));
  assert.deepEqual(Object.fromEntries(held), { one: 1, two: 1 });
  await assert.rejects(ask("broken"), { code: "INVALID_MODEL" });
  await ask("three");
  assert.deepEqual(Object.fromEntries(held), { one: 0, two: 1, broken: 0, three: 1 });
  await running[Symbol.asyncDispose]();
  assert.deepEqual([...held.values()], [0, 0, 0, 0]);
});

Deno.test("spellings of one model share it, and the answer names it as it is", async () => {
  const { engine, open, events, held } = fakeEngine();
  await using running = await startPlugin(engine, open);
  const ask = (model: string) =>
    collect("llm.complete", running.call("llm.complete", { model, prompt: "x" }));
  const asked = ["owner/one", "Owner/One:Q8_0", "OWNER/ONE", "owner/one"];
  const answers = [...await Promise.all(asked.map(ask)), await ask("Owner/one")];
  assert.deepEqual(new Set(answers.map(({ model }) => model)), new Set(["Owner/One:Q8_0"]));
  assert.deepEqual(events, ["load Owner/One:Q8_0"]);
  assert.deepEqual([...held], [["Owner/One:Q8_0", 1]]);
});

Deno.test("what is no language model is refused by name, and takes nobody's place", async () => {
  const { engine, open, events, held } = fakeEngine();
  await using running = await startPlugin(engine, open);
  const ask = (model: string) => running.call("llm.complete", { model, prompt: "x" }).next();
  await collect("llm.complete", running.call("llm.complete", { model: "one", prompt: "x" }));
  for (
    const [model, message] of [
      ["nomic-embedding", '"nomic-embedding" is an embedding model: it writes no text'],
      ["my-rerank", '"my-rerank" is a model for the task "rerank": it writes no text'],
      ["a.onnx", '"a.onnx" is a model in the format "onnx": this plugin writes with GGUF models'],
    ] as const
  ) {
    await assert.rejects(ask(model), {
      code: "INVALID_INPUT",
      message,
      details: { field: "model" },
    });
    assert.equal(held.get(model), 0);
  }
  await assert.rejects(ask("missing"), { code: "NOT_FOUND" });
  assert.deepEqual(events, ["load one"]);
});

Deno.test("an unknown model is NOT_FOUND, and leaves nothing behind", async () => {
  const { engine, open } = fakeEngine();
  await using running = await startPlugin(engine, open);
  const ask = () => running.call("llm.complete", { model: "missing", prompt: "x" }).next();
  await assert.rejects(ask(), { code: "NOT_FOUND" });
  await assert.rejects(ask(), { code: "NOT_FOUND" });
  assert.deepEqual(running.state.health(), { modelsLoaded: 0, callsActive: 0 });
});

Deno.test("a call for another model waits its turn, and leaves when cancelled", async () => {
  const gate = Promise.withResolvers<void>();
  const { engine, open, events } = fakeEngine(gate.promise);
  await using running = await startPlugin(engine, open);
  const ask = (model: string, signal = new AbortController().signal) =>
    collect("llm.complete", running.call("llm.complete", { model, prompt: "x" }, { signal }));
  const abort = new AbortController();
  const first = ask("one");
  const cancelled = assert.rejects(ask("three", abort.signal), { code: "CANCELLED" });
  const second = ask("two");
  abort.abort();
  await cancelled;
  gate.resolve();
  await Promise.all([first, second]);
  assert.deepEqual(events.filter((event) => event.startsWith("load")), ["load one", "load two"]);
});

Deno.test("an idle model is unloaded after keepAliveMs", async () => {
  const { engine, open, events } = fakeEngine();
  await using running = await startPlugin(engine, open, { keepAliveMs: 5 });
  await collect("llm.complete", running.call("llm.complete", { model: "one", prompt: "x" }));
  while (running.state.health().modelsLoaded > 0) {
    await new Promise((resolve) => setTimeout(resolve, 5));
  }
  assert.equal(events.at(-1), "unload one");
});

Deno.test("the plugin on the real engine", async (t) => {
  const file = testModel("aidreams260K-f32.gguf", { contextLength: 128 });
  if (file === undefined) return;
  await using harness = await startEngine();
  await using running = await startPlugin(harness.engine, () => Promise.resolve(file));
  const model = "aidreams260K-f32";

  await t.step("llm.chat answers in the plain form, and reports what ran", async () => {
    const input = {
      model,
      messages: [{ role: "system", content: "Be kind" }, { role: "user", content: "Hi" }],
      maxTokens: 12,
      temperature: 0,
    };
    let beats = 0;
    const stream = running.call("llm.chat", input, { alive: () => beats++ });
    const answer = await collect("llm.chat", stream);
    assert.equal(answer.backend, "wasm");
    assert.equal(answer.threads, 1);
    assert.equal(answer.finishReason, "length");
    assert.equal(answer.usage.completionTokens, 12);
    assert(beats > 0);
  });

  await t.step("calls at once share one load, and later ones read nothing", async () => {
    const other = testModel("aidreams260K-f32.gguf", { contextLength: 128 })!;
    await using shared = await startPlugin(harness.engine, () => Promise.resolve(other));
    const input = { model: other.id, prompt: "Once", maxTokens: 2 };
    const ask = () => collect("llm.complete", shared.call("llm.complete", input));
    await Promise.all([ask(), ask(), ask()]);
    // The engine reads ahead: a small file's bytes come twice at most.
    assert.ok(other.reads.bytes < 2.5 * other.size, `${other.reads.bytes} bytes were read`);
    const { count } = other.reads;
    await ask();
    assert.equal(other.reads.count, count);
    assert.equal(shared.metrics["model_loads"], 1);
  });

  await t.step("llm.complete repeats itself, and reuses its prompt", async () => {
    const input = { model, prompt: "Once upon a time there was", maxTokens: 20, temperature: 0 };
    const ask = () => collect("llm.complete", running.call("llm.complete", input));
    const [first, ...later] = [await ask(), await ask(), await ask(), await ask()];
    for (const { text } of later) assert.equal(text, first.text);
    // The engine chooses the sequence; one that still cleans up remembers nothing.
    assert(later.some(({ usage }) => usage.cachedTokens > 0));
  });

  await t.step("a caller who leaves frees the slot", async () => {
    for (let index = 0; index < 6; index++) {
      const stream = running.call("llm.complete", { model, prompt: "Once" });
      await stream.next();
      await stream.return(undefined as never);
    }
    assert.equal(running.metrics["calls_active"], 0);
  });

  await t.step("a prompt past the context is CONTEXT_OVERFLOW", async () => {
    const input = { model, prompt: "Once upon a time ".repeat(100) };
    await assert.rejects(running.call("llm.complete", input).next(), { code: "CONTEXT_OVERFLOW" });
  });
});
