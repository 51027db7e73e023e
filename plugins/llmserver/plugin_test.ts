import { PluginError } from "@bkg/plugin";
import assert from "node:assert/strict";
import { assertMatches, compileSchema } from "../runtime/contract/schema.ts";
import { startEngine, testModel } from "../runtime/engines/testing_harness.ts";
import type { WllamaEngine, WllamaModel } from "../runtime/engines/wllama/interface.ts";
import { plainChat, readMessages } from "./chat.ts";
import { collect, manifest, type Open, startPlugin } from "./testing_plugin.ts";

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

Deno.test("llm.complete refuses a response format before a model is loaded, by its field", async () => {
  const { engine, open, events } = fakeEngine();
  await using running = await startPlugin(engine, open);
  const ask = (responseFormat: unknown) =>
    running.call("llm.complete", { model: "m", prompt: "x", responseFormat });
  for (
    const [responseFormat, code, field] of [
      [{ type: "json_schema" }, "INVALID_INPUT", "responseFormat.schema"],
      [
        { type: "json_schema", schema: { not: {} } },
        "UNSUPPORTED_FEATURE",
        "responseFormat.schema",
      ],
      [{ type: "json_object", schema: {} }, "INVALID_INPUT", "responseFormat.schema"],
      [{ type: "grammar" }, "INVALID_INPUT", "responseFormat.grammar"],
      [
        { type: "grammar", grammar: 'root ::= root "a"' },
        "INVALID_INPUT",
        "responseFormat.grammar",
      ],
    ] as const
  ) {
    assert.throws(() => ask(responseFormat), (error: unknown) => {
      const { code: said, details } = error as { code: string; details: { field: string } };
      assert.deepEqual([said, details.field], [code, field]);
      return true;
    });
  }
  assert.throws(() => ask({ type: "xml" }), { code: "INVALID_INPUT" });
  assert.deepEqual(events, []);
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
  await using running = await startPlugin(engine, open, { maxLoaded: 1 });
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
  await using running = await startPlugin(engine, open, { maxLoaded: 1 });
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

Deno.test("pinned models are loaded at the start; one that is unknown is told in the log", async () => {
  const { engine, open, events } = fakeEngine();
  const errors: unknown[] = [];
  await using running = await startPlugin(engine, open, {
    pinned: ["missing", "my-speech", "one"],
    maxLoaded: 1,
    log: { error: (message, fields) => errors.push([message, fields?.["id"], fields?.["code"]]) },
  });
  while (running.state.health().modelsLoaded === 0) {
    await new Promise((resolve) => setTimeout(resolve, 1));
  }
  assert.deepEqual(errors, [
    ["a pinned model is not loaded", "missing", "NOT_FOUND"],
    ["a pinned model is not loaded", "my-speech", "INVALID_INPUT"],
  ]);
  for (const model of ["two", "three"]) {
    await collect("llm.complete", running.call("llm.complete", { model, prompt: "x" }));
  }
  assert.deepEqual(events, ["load one", "load two", "unload two", "load three"]);
});

Deno.test("a model past the memory limit is OUT_OF_MEMORY with both numbers", async () => {
  const { engine, open, events } = fakeEngine();
  await using running = await startPlugin(engine, open, { memoryMb: 64 });
  await assert.rejects(running.call("llm.complete", { model: "one", prompt: "x" }).next(), {
    code: "OUT_OF_MEMORY",
    message: /^The model "one" takes about \d+ bytes, and the plugin's models may take 570/,
  });
  assert.deepEqual(events, []);
});

Deno.test("keepAliveMs of a call wins over the setting", async () => {
  const { engine, open, events } = fakeEngine();
  await using running = await startPlugin(engine, open);
  const input = { model: "one", prompt: "x", keepAliveMs: 0 };
  await collect("llm.complete", running.call("llm.complete", input));
  assert.deepEqual(events, ["load one", "unload one"]);
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

  await t.step("an answer keeps to its response format, and ends with it", async () => {
    const input = { model, messages: [{ role: "user", content: "Hi" }], maxTokens: 60 };
    const schema = { type: "object", properties: { a: { enum: ["b", "c"] } }, required: ["a"] };
    for (
      const [responseFormat, form] of [
        [{ type: "json_schema", schema }, /^\{"a": ?"[bc]"\}$/],
        [{ type: "grammar", grammar: 'root ::= "yes" | "no"' }, /^(yes|no)$/],
      ] as const
    ) {
      const stream = running.call("llm.chat", { ...input, responseFormat });
      const { text, finishReason } = await collect("llm.chat", stream);
      assert.match(text, form);
      assert.equal(finishReason, "stop");
    }
    const cut = { ...input, maxTokens: 2, responseFormat: { type: "json_object" } };
    assert.match((await collect("llm.chat", running.call("llm.chat", cut))).text, /^\{/);
  });
});
