// The native backend of the wllama engine, in this process: what it answers, beside what WebAssembly answers.

import assert from "node:assert/strict";
import { join } from "node:path";
import type { AppError } from "../../../plugins/runtime/contract/error.ts";
import { startEngine, testModel } from "../../../plugins/runtime/engines/testing_harness.ts";
import type {
  Completion,
  GenerateOptions,
  WllamaModel,
} from "../../../plugins/runtime/engines/wllama/interface.ts";
import {
  collect,
  complete,
  greedy,
  story,
} from "../../../plugins/runtime/engines/wllama/testing_answer.ts";
import { projectRoot } from "../../build/bundles.ts";
import { testNativeEngine } from "../../testing/native_engines.ts";
import { startNativeLlama } from "../../testing/native_llama.ts";
import { sharedModelsFolder } from "../../testing/shared_models.ts";
import { createFileReads } from "../file_reads.ts";
import { openLlama } from "./llama.ts";

function findModel(name: string, facts = {}) {
  const model = testModel(name, facts);
  const folder = name.startsWith("demo") ? join(projectRoot, "models/demo") : sharedModelsFolder;
  return model && { ...model, path: join(folder, name) };
}

Deno.test("native llama, on aidreams260K", async (t) => {
  const file = findModel("aidreams260K-f32.gguf", { contextLength: 128 });
  using host = await startNativeLlama("native llama");
  if (file === undefined || host === undefined) return;
  const model = await host.load(file, { parallel: 4 });

  await t.step("load reports what was observed", () => {
    const { loadMs, engineVersion, ...info } = model.info();
    assert.deepEqual(info, {
      ...{ engine: "wllama", backend: "native", variant: "cpu", threads: 1, parallel: 4 },
      ...{ contextLength: 128, trainedContextLength: 128, hasChatTemplate: false },
      ...{ bosToken: 1, eosToken: 2, vocabularySize: 512, dimensions: 64 },
    });
    assert(loadMs > 0);
    assert.match(engineVersion, /^llama\.cpp v\d/);
  });

  await t.step("32 greedy tokens and its vectors are WebAssembly's", async () => {
    await using harness = await startEngine();
    const wasm = await harness.engine.load(file);
    const prompts = [story, "The little dog", "", "日本語 🙂", "\u0000"];
    for (const prompt of prompts) {
      const [ours, theirs] = [
        await complete(model, { maxTokens: 32 }, prompt),
        await complete(wasm, { maxTokens: 32 }, prompt),
      ];
      assert.equal(ours.text, theirs.text, prompt);
      assert.equal(ours.usage.promptTokens, theirs.usage.promptTokens, prompt);
      assert.equal(ours.finishReason, theirs.finishReason);
    }
    const [vectors, wasmVectors] = [
      await host.load(file, { use: "vectors" }),
      await harness.engine.load(file, { use: "vectors" }),
    ];
    for (const text of [story, "A fox", "x".repeat(3000)]) {
      const [ours, theirs] = [await vectors.embed(text), await wasmVectors.embed(text)];
      assert.equal(ours.truncated, theirs.truncated);
      if (ours.truncated) continue;
      assert.equal(ours.promptTokens, theirs.promptTokens);
      const difference = Math.max(
        ...ours.vector.map((value, at) => Math.abs(value - theirs.vector[at]!)),
      );
      assert(difference <= 1e-4, `${difference}`);
    }
    await vectors.unload();
  });

  await t.step("maxTokens ends the answer with its usage, a full context too", async () => {
    const { finishReason, usage, timings } = await complete(model, { maxTokens: 7 });
    assert.equal(finishReason, "length");
    assert.deepEqual([usage.completionTokens, usage.promptTokens], [7, 13]);
    assert(timings.generationMs > 0 && timings.tokensPerSecond > 0);
    const full = await complete(model);
    assert.equal(full.finishReason, "length");
    assert.equal(full.usage.promptTokens + full.usage.completionTokens, 129);
  });

  await t.step("stop strings cut across tokens, and a beginning of one is given back", async () => {
    const whole = await complete(model, { maxTokens: 40, topLogprobs: 0 });
    const tokens = whole.logprobs.map(({ text }) => text);
    const at = tokens.findIndex((token, index) => index > 3 && token.length > 1);
    const stop = tokens[at]!.slice(-1) + tokens[at + 1]!.slice(0, 1);
    const cut = await complete(model, { maxTokens: 40, stop: [stop] });
    assert.equal(cut.text, whole.text.slice(0, whole.text.indexOf(stop)));
    assert.equal(cut.finishReason, "stop");
    const looksLike = whole.text.slice(-3) + "\u0000never";
    const kept = await complete(model, { maxTokens: 40, stop: [looksLike] });
    assert.equal(kept.text, whole.text);
    assert.equal(kept.finishReason, "length");
    const none = await complete(model, { maxTokens: 40, stop: [whole.text, "never"] });
    assert.deepEqual([none.text, none.finishReason], ["", "stop"]);
  });

  await t.step(
    "a seed repeats an answer, another does not, and 0 takes the likeliest",
    async () => {
      const draw = async (options: Partial<GenerateOptions>) =>
        (await complete(model, {
          temperature: 1.5,
          topK: 0,
          topP: 1,
          minP: 0,
          maxTokens: 30,
          ...options,
        })).text;
      assert.equal(await draw({ seed: 7 }), await draw({ seed: 7 }));
      assert.notEqual(await draw({ seed: 7 }), await draw({ seed: 8 }));
      assert.notEqual(await draw({}), await draw({}));
      await draw({ seed: Number.MAX_SAFE_INTEGER });
      const plain = await complete(model, { maxTokens: 30 });
      assert.equal(await draw({ temperature: 2, topK: 1 }), plain.text);
      assert.equal(await draw({ temperature: 2, topP: 0 }), plain.text);
      assert.notEqual(await draw({ temperature: 0, repeatPenalty: 2 }), plain.text);
      assert.equal(await draw({ temperature: 0, repeatPenalty: 1 }), plain.text);
    },
  );

  await t.step("logprobs: the model's own, whatever is sampled", async () => {
    const plain = await complete(model, { maxTokens: 20, topLogprobs: 20 });
    assert.equal(plain.logprobs.length, 20);
    assert.equal(plain.logprobs.map(({ text }) => text).join(""), plain.text);
    for (const { text, bytes, logprob, top } of plain.logprobs) {
      assert.deepEqual(top[0], { text, bytes, logprob });
      const together = top.reduce((sum, { logprob }) => sum + Math.exp(logprob), 0);
      assert(together <= 1.0001 && together > 0.3, `${together}`);
    }
    const [shaped] = (await complete(model, {
      ...{ maxTokens: 1, topLogprobs: 20, temperature: 2, topK: 1, repeatPenalty: 2 },
    })).logprobs;
    assert.deepEqual(shaped!.top, plain.logprobs[0]!.top);
    const bare = await complete(model, { maxTokens: 5, topLogprobs: 0 });
    assert(bare.logprobs.every(({ top }) => top.length === 0));
    const stop = plain.text.slice(-4);
    const cut = await complete(model, { maxTokens: 40, stop: [stop], topLogprobs: 0 });
    assert.equal(cut.text, plain.text.slice(0, plain.text.indexOf(stop)));
    assert(cut.logprobs.map(({ text }) => text).join("").startsWith(cut.text));
    assert(cut.logprobs.length < 20);
  });

  await t.step("a grammar is kept to, and one that cannot be read is refused", async () => {
    const options = { grammar: 'root ::= ("yes" | "no") " " [0-9]{3}', maxTokens: 30 };
    for (const temperature of [0, 1.5]) {
      const answer = await complete(model, { ...options, temperature, topLogprobs: 1 });
      assert.match(answer.text, /^(yes|no) \d{3}$/);
      assert.equal(answer.finishReason, "stop");
    }
    for (
      const grammar of ["root ::= nothing", "", "root ::= root", "root ::= (", 'other ::= "a"']
    ) {
      await assert.rejects(complete(model, { grammar }), { code: "INVALID_INPUT" }, grammar);
    }
  });

  await t.step("a prompt that is too long names the numbers, or loses its middle", async () => {
    await assert.rejects(complete(model, {}, story.repeat(30)), (error: AppError) => {
      assert.equal(error.code, "CONTEXT_OVERFLOW");
      const details = error.details as { promptTokens: number; contextLength: number };
      assert.equal(details.contextLength, 128);
      assert(details.promptTokens > 300);
      return true;
    });
    const overflow = "truncate-middle" as const;
    const cut = await complete(model, { overflow, maxTokens: 8 }, story.repeat(30));
    assert(cut.truncatedTokens! > 200 && cut.usage.completionTokens === 8);
    const book = "Lily saw a fox. ".repeat(650_000);
    await assert.rejects(complete(model, {}, book), { code: "CONTEXT_OVERFLOW" });
    const turns = Array.from({ length: 61 }, (_, at) => ({
      role: at % 2 === 0 ? "user" : "assistant",
      content: "a story",
    }));
    await assert.rejects(collect(model.chat(turns, greedy)), { code: "CONTEXT_OVERFLOW" });
    const recent = await collect(model.chat(turns, { ...greedy, overflow, maxTokens: 8 }));
    assert(recent.truncatedTokens! > 200 && recent.usage.completionTokens === 8);
    const chat = model.chat([{ role: "user", content: book }], {
      ...greedy,
      overflow,
      maxTokens: 3,
    });
    assert.equal((await collect(chat)).usage.completionTokens, 3);
  });

  await t.step("four answers at once are what they are alone, and a fifth waits", async () => {
    const prompts = [story, "The little dog", "Lily and Tom", "One day", "A cat"];
    const alone: string[] = [];
    for (const prompt of prompts) {
      alone.push((await complete(model, { maxTokens: 40 }, prompt)).text);
    }
    const order: number[] = [];
    const together = await Promise.all(prompts.map(async (prompt, index) => {
      const { text } = await complete(model, { maxTokens: 40 }, prompt);
      order.push(index);
      return text;
    }));
    assert.deepEqual(together, alone);
    assert.equal(order.at(-1), 4);
  });

  await t.step("a cancelled call frees its slot, in mid-stream and in the queue", async () => {
    const aborts = Array.from({ length: 8 }, () => new AbortController());
    const answers = aborts.map(({ signal }) => complete(model, { signal }));
    for (const abort of aborts) abort.abort();
    for (const { finishReason } of await Promise.all(answers)) {
      assert.equal(finishReason, "cancelled");
    }
    const stream = model.complete(story, greedy);
    await stream.next();
    await stream.return(undefined as never);
    const late = new AbortController();
    let seen = 0;
    for await (const _ of model.complete(story, { ...greedy, signal: late.signal })) {
      if (++seen === 5) late.abort();
    }
    assert(seen < 20, `${seen}`);
    const after = await Promise.all([1, 2, 3, 4].map(() => complete(model, { maxTokens: 5 })));
    assert.equal(after.length, 4);
  });

  await t.step("one principal's prompt is reused, and never another's", async () => {
    const long = `${story} there was a small dog who liked to run and play in the park`;
    const ask = async (principal: string, prompt: string) =>
      (await complete(model, { principal, maxTokens: 2 }, prompt)).usage.cachedTokens;
    assert.equal(await ask("carol", long), 0);
    assert(await ask("carol", `${long} all day`) > 20);
    assert.equal(await ask("bob", long), 0);
    // Unlike in WebAssembly, the other's call does not cost the first one hers.
    assert(await ask("carol", `${long} all night`) > 20);
    for (const principal of ["x1", "x2", "x3", "x4"]) assert.equal(await ask(principal, long), 0);
    assert.equal(await ask("carol", long), 0);
  });

  await t.step("a chat that the template refuses hurts nobody else", async () => {
    const running = complete(model, { maxTokens: 40 });
    const odd = collect(model.chat([{ role: undefined as never, content: "hi" }], greedy));
    await assert.rejects(odd, { code: "INVALID_INPUT" });
    assert.equal((await running).usage.completionTokens, 40);
  });

  await t.step("a model for the one does not do the other", async () => {
    await assert.rejects(model.embed("text"), { code: "UNSUPPORTED_FEATURE" });
    const vectors = await host.load(file, { use: "vectors" });
    await assert.rejects(async () => await complete(vectors), { code: "UNSUPPORTED_FEATURE" });
    await vectors.unload();
  });

  await t.step("unload ends what runs; the next load works", async () => {
    const rejected = assert.rejects(
      Promise.all([1, 2, 3, 4, 5, 6].map(() => complete(model, {}))),
      { code: "UNAVAILABLE" },
    );
    await model.unload();
    await model.unload();
    await rejected;
    await assert.rejects(complete(model), { code: "UNAVAILABLE" });
    const again = await host.load(file);
    assert.equal((await complete(again, { maxTokens: 3 })).usage.completionTokens, 3);
    await again.unload();
  });

  await t.step("a file that is no model, and one that ends too early, are refused", async () => {
    const folder = await Deno.makeTempDir();
    const bytes = await Deno.readFile(file.path);
    const broken = {
      "cut.gguf": bytes.slice(0, bytes.length - 100_000),
      "text.gguf": new TextEncoder().encode("GGUF is what this is not".repeat(50)),
    };
    for (const [name, content] of Object.entries(broken)) {
      const path = `${folder}/${name}`;
      await Deno.writeFile(path, content);
      const load = host.native.stream("llama.load", {
        ...{ files: [host.open(path)], use: "text", contextLength: 64, parallel: 1, threads: 1 },
      });
      await assert.rejects(drain(load), (error: AppError) => {
        assert.equal(error.code, "INVALID_MODEL", error.message);
        assert(!error.message.includes(folder), error.message);
        return true;
      });
    }
    await Deno.remove(folder, { recursive: true });
  });
});

Deno.test("native llama, on the demo model: chats by its own template", async (t) => {
  const file = findModel("demo-stories-q8_0.gguf", { chatTemplate: true });
  using host = await startNativeLlama("native llama, on the demo model");
  if (file === undefined || host === undefined) return;
  const model = await host.load(file);
  const chat = (...messages: [role: string, content: string][]) =>
    messages.map(([role, content]) => ({ role, content }));
  const ask = (model: WllamaModel, messages: ReturnType<typeof chat>) =>
    collect(model.chat(messages, { ...greedy, maxTokens: 24 }));

  await t.step("answers are WebAssembly's", async () => {
    await using harness = await startEngine();
    const wasm = await harness.engine.load(file);
    const chats = [
      chat(["user", "hi"]),
      chat(["system", "Be kind"], ["user", "Tell me a story about a dog"]),
      chat(["user", "a cat"], ["assistant", "Once"], ["user", "and a dog"]),
      chat(),
    ];
    for (const messages of chats) {
      const [ours, theirs] = [await ask(model, messages), await ask(wasm, messages)];
      assert(ours.text.length > 10);
      assert.equal(ours.text, theirs.text);
      assert.equal(ours.usage.promptTokens, theirs.usage.promptTokens);
    }
  });

  await t.step("an answer that was begun is gone on with", async () => {
    const whole = await ask(model, chat(["user", "a story about a dog"]));
    const begun = whole.text.slice(0, whole.text.indexOf(",") + 1);
    const rest = await ask(model, chat(["user", "a story about a dog"], ["assistant", begun]));
    assert((begun + rest.text).startsWith(whole.text), `${begun}|${rest.text}|${whole.text}`);
  });
  await model.unload();
});

Deno.test("native llama, on a 15M model", async (t) => {
  const file = findModel("rand-15M-q8_0.gguf");
  using host = await startNativeLlama("native llama, on a 15M model");
  if (file === undefined || host === undefined) return;
  const model = await host.load(file, { parallel: 2, contextLength: 4096 });
  const prompt = "The quick brown fox jumps over the lazy dog. ".repeat(80);

  await t.step("a call cancelled while its prompt is read ends after one step", async () => {
    const abort = new AbortController();
    const steps: number[] = [];
    const { finishReason, text } = await complete(model, {
      signal: abort.signal,
      progress: ({ processedTokens = 0 }) => {
        steps.push(processedTokens);
        if (processedTokens > 0) abort.abort();
      },
    }, prompt);
    assert.deepEqual([finishReason, text], ["cancelled", ""]);
    assert(steps.at(-1)! <= 512, `${steps.at(-1)} tokens were read`);
  });

  await t.step("others' tokens go on while a prompt is read", async () => {
    let during = 0;
    let reading = true;
    const writing = (async () => {
      for await (const _ of model.complete("One", { ...greedy, maxTokens: 60 })) {
        if (reading) during++;
      }
    })();
    await complete(model, { maxTokens: 1 }, prompt);
    reading = false;
    await writing;
    assert(during >= 3, `${during} pieces came meanwhile`);
  });

  await t.step("pieces are whole characters", async () => {
    const { text, pieces } = await complete(model, {
      ...{ maxTokens: 400, temperature: 3, topK: 0, topP: 1, minP: 0, seed: 1 },
    });
    assert(pieces.every((piece) => piece.isWellFormed() && piece !== ""));
    assert(text.length > 400);
  });

  await t.step("a load can be given up, and the next one works", async () => {
    const abort = new AbortController();
    const loading = host.load(file, { signal: abort.signal, progress: () => abort.abort() });
    await assert.rejects(loading, { code: "CANCELLED" });
    await (await host.load(file)).unload();
  });
  await model.unload();
});

Deno.test("native llama: a load that is left while it tells of its progress gives all back", async () => {
  const installed = testNativeEngine("a load that is left", "llama");
  if (installed === undefined) return;
  const path = join(projectRoot, "models/demo/demo-stories-q8_0.gguf");
  const files = createFileReads(projectRoot);
  files.open(1, { path, size: Deno.statSync(path).size, trusted: true });
  const methods = await openLlama({ installed, files, bundles: projectRoot });
  // 75 MB of context.
  const wanted = { files: [1], use: "text", contextLength: 512, parallel: 64, threads: 1 };
  const call = { signal: new AbortController().signal, streaming: true, alive: () => {} };
  const before = Deno.memoryUsage().rss;
  for (let round = 0; round < 6; round++) {
    const load = methods["load"]!(wanted, call) as AsyncGenerator;
    await load.next();
    await load.return(undefined);
  }
  const isFree = () => Deno.memoryUsage().rss < before + 200e6;
  // What is still being read now is large before it is gone.
  await new Promise((resolve) => setTimeout(resolve, 2000));
  for (let turn = 0; turn < 40 && !isFree(); turn++) {
    await new Promise((resolve) => setTimeout(resolve, 250));
  }
  assert(isFree(), `${before} > ${Deno.memoryUsage().rss} bytes`);
  files.close(1);
});

Deno.test("native llama refuses what a plugin should not ask", async (t) => {
  const file = findModel("aidreams260K-f32.gguf");
  using host = await startNativeLlama("native llama refuses");
  if (file === undefined || host === undefined) return;
  const { native } = host;
  const handle = host.open(file.path);
  const good = { files: [handle], use: "text", contextLength: 64, parallel: 2, threads: 1 };
  const { model } = await drain(native.stream("llama.load", good)) as { model: number };
  const ask = { model, prompt: story, principal: "a", stop: [], maxTokens: 2 };

  await t.step("loads", async () => {
    const odd: [object, string][] = [
      [{ files: [host.open(file.path, false)] }, "FORBIDDEN"],
      [{ files: [99_999] }, "NOT_FOUND"],
      [{ files: ["/etc/passwd"] }, "INVALID_INPUT"],
      [{ files: [] }, "INVALID_MODEL"],
      [{ files: [handle, handle] }, "UNSUPPORTED_FEATURE"],
      [{ files: handle }, "INVALID_INPUT"],
      ...[0, -1, NaN, 2 ** 40, "64", 1.5, null].flatMap((value): [object, string][] => [
        [{ contextLength: value }, "INVALID_INPUT"],
        [{ parallel: value }, "INVALID_INPUT"],
        [{ threads: value }, "INVALID_INPUT"],
      ]),
      [{ use: "everything" }, "INVALID_INPUT"],
      [{ use: "vectors", meanPooling: "llama" }, "INVALID_INPUT"],
      [{ meanPooling: "../llama" }, "INVALID_INPUT"],
    ];
    for (const [change, code] of odd) {
      const load = drain(native.stream("llama.load", { ...good, ...change }));
      await assert.rejects(load, { code }, JSON.stringify(change));
    }
  });

  await t.step("a prompt is held to a small context", async () => {
    for (const contextLength of [1, 2, 4, 13]) {
      const load = native.stream("llama.load", { ...good, contextLength, parallel: 1 });
      const small = await drain(load) as { model: number; contextLength: number };
      assert.equal(small.contextLength, contextLength);
      const call = { ...ask, model: small.model };
      await assert.rejects(drain(native.stream("llama.generate", call)), {
        code: "CONTEXT_OVERFLOW",
      });
      await native.call("llama.unload", { model: small.model });
    }
  });

  await t.step("calls", async () => {
    const odd: object[] = [
      { prompt: 5 },
      { prompt: undefined },
      { principal: null },
      { stop: "x" },
      { stop: [1] },
      { stop: Array(1000).fill("x") },
      { grammar: 7 },
      { maxTokens: "many" },
      { temperature: {} },
      { seed: 0.5 },
      { topLogprobs: "all" },
    ];
    for (const change of odd) {
      const call = drain(native.stream("llama.generate", { ...ask, ...change }));
      await assert.rejects(call, { code: "INVALID_INPUT" }, JSON.stringify(change));
    }
    for (const number of [0, -1, 99, NaN, "1", null, {}]) {
      const input = { ...ask, model: number };
      for (const method of ["generate", "embed", "unload"]) {
        await assert.rejects(drain(native.stream(`llama.${method}`, input)), { code: "NOT_FOUND" });
      }
    }
    for (const method of ["llama.constructor", "llama.", "llama.nothing"]) {
      await assert.rejects(native.call(method, {}), { code: "NOT_FOUND" });
    }
    await assert.rejects(native.call("llama.embed", { model, texts: ["x"] }), {
      code: "UNSUPPORTED_FEATURE",
    });
  });

  await t.step("numbers past every range become the nearest in it", async () => {
    for (const value of [NaN, Infinity, -Infinity, 1e308, -1e308]) {
      const wild = {
        ...{ temperature: value, topP: value, topK: value, minP: value, topLogprobs: value },
        ...{ frequencyPenalty: value, presencePenalty: value, repeatPenalty: value },
      };
      const answer = await drain(
        native.stream("llama.generate", { ...ask, ...wild }),
      ) as Completion;
      assert(answer.usage.completionTokens <= 2);
    }
  });

  await t.step(
    "more calls than it has sequences wait, and more than that are refused",
    async () => {
      const calls = Array.from(
        { length: 100 },
        () => drain(native.stream("llama.generate", ask)).then(() => "ok", ({ code }) => code),
      );
      const outcomes = await Promise.all(calls);
      assert(outcomes.includes("ok") && outcomes.includes("QUEUE_FULL"));
      assert(outcomes.every((outcome) => outcome === "ok" || outcome === "QUEUE_FULL"));
    },
  );

  await native.call("llama.unload", { model });
  await assert.rejects(native.call("llama.unload", { model }), { code: "NOT_FOUND" });
});

async function drain(stream: AsyncGenerator<unknown, unknown>): Promise<unknown> {
  while (true) {
    const { done, value } = await stream.next();
    if (done) return value;
  }
}
