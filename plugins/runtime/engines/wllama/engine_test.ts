import assert from "node:assert/strict";
import { fileURLToPath } from "node:url";
import type { AppError } from "../../contract/error.ts";
import { startEngine, testModel } from "../testing_harness.ts";
import { collect, complete, greedy, story } from "./testing_answer.ts";

Deno.test("wllama engine, on aidreams260K", async (t) => {
  const file = testModel("aidreams260K-f32.gguf", { contextLength: 128 });
  if (file === undefined) return;
  await using harness = await startEngine();
  const { engine } = harness;
  const model = await engine.load(file, { parallel: 2 });

  await t.step("load reports what was observed and reads by ranges", () => {
    const { backend, threads, contextLength, hasChatTemplate, loadMs } = model.info();
    assert.deepEqual({ backend, threads, contextLength, hasChatTemplate }, {
      backend: "wasm",
      threads: 1,
      contextLength: 128,
      hasChatTemplate: false,
    });
    assert(loadMs > 0);
  });

  await t.step("greedy text equals wllama's own, with 1 and 2 threads", async () => {
    const { text } = await complete(model, { maxTokens: 20 });
    for (const threads of [1, 2]) {
      const run = { prompt: story, maxTokens: 20, threads, contextLength: 128 };
      assert.equal((await harness.bare(file, run)).text, text);
    }
    const threaded = await engine.load(file, { threads: 2 });
    assert.equal(threaded.info().threads, 2);
    assert.equal((await complete(threaded, { maxTokens: 20 })).text, text);
    await threaded.unload();
  });

  await t.step("maxTokens ends the answer with its usage", async () => {
    const { finishReason, usage, timings } = await complete(model, { maxTokens: 7 });
    assert.equal(finishReason, "length");
    assert.equal(usage.completionTokens, 7);
    assert.equal(usage.promptTokens, 13);
    assert(timings.generationMs > 0 && timings.tokensPerSecond > 0);
  });

  await t.step("a full context ends the answer with length", async () => {
    const { finishReason, usage } = await complete(model);
    assert(finishReason === "length" || finishReason === "stop");
    assert(usage.promptTokens + usage.completionTokens <= 129);
  });

  await t.step("stop strings cut across tokens, and a beginning of one is given back", async () => {
    const whole = await complete(model, { maxTokens: 40 });
    const at = whole.pieces.findIndex((piece, index) => index > 3 && piece.length > 1);
    const before = whole.pieces.slice(0, at).join("");
    const stop = whole.pieces[at]!.slice(-1) + whole.pieces[at + 1]!.slice(0, 1);
    const expected = whole.text.slice(0, whole.text.indexOf(stop));
    assert(expected.length <= before.length + whole.pieces[at]!.length);
    const cut = await complete(model, { maxTokens: 40, stop: [stop] });
    assert.equal(cut.text, expected);
    assert.equal(cut.finishReason, "stop");
    assert(cut.usage.completionTokens < 40 && cut.usage.completionTokens > 0);
    const looksLike = whole.text.slice(-3) + "\u0000never";
    const kept = await complete(model, { maxTokens: 40, stop: [looksLike] });
    assert.equal(kept.text, whole.text);
    assert.equal(kept.finishReason, "length");
    assert.equal(kept.usage.completionTokens, 40);
  });

  await t.step("a seed repeats an answer, another does not", async () => {
    const draw = (seed: number) =>
      complete(model, { temperature: 1.5, topK: 0, topP: 1, minP: 0, seed, maxTokens: 30 });
    const [first, again, other] = [await draw(7), await draw(7), await draw(8)];
    assert.equal(first.text, again.text);
    assert.notEqual(first.text, other.text);
    await complete(model, { seed: Number.MAX_SAFE_INTEGER, maxTokens: 1 });
    await complete(model, { seed: -5, maxTokens: 1 });
  });

  await t.step("penalties and filters reach the engine", async () => {
    const plain = await complete(model, { maxTokens: 60 });
    const penalized = await complete(model, {
      maxTokens: 60,
      repeatPenalty: 2,
      frequencyPenalty: 2,
      presencePenalty: 2,
    });
    assert.notEqual(plain.text, penalized.text);
    const filtered = await complete(model, { maxTokens: 60, temperature: 2, topK: 1 });
    assert.equal(filtered.text, plain.text);
  });

  await t.step("a prompt that is too long names the numbers", async () => {
    await assert.rejects(complete(model, {}, story.repeat(30)), (error: AppError) => {
      assert.equal(error.code, "CONTEXT_OVERFLOW");
      const details = error.details as { promptTokens: number; contextLength: number };
      assert.equal(details.contextLength, 128);
      assert(details.promptTokens > 300);
      return true;
    });
    assert.equal((await complete(model, { maxTokens: 3 })).usage.completionTokens, 3);
  });

  await t.step("truncate-middle leaves out as much as leaves room for the answer", async () => {
    const overflow = "truncate-middle";
    const prompt = `Once upon a time ${story.repeat(60)} the end of it`;
    for (const maxTokens of [8, undefined]) {
      const answer = await complete(
        model,
        { overflow, ...(maxTokens === undefined ? {} : { maxTokens }) },
        prompt,
      );
      const { promptTokens } = answer.usage;
      const room = maxTokens ?? 32;
      assert(promptTokens <= 128 - room && promptTokens > 70, `${promptTokens} tokens were left`);
      assert(answer.truncatedTokens! > 300, `${answer.truncatedTokens} tokens were left out`);
      assert(answer.usage.completionTokens > 0);
    }
    const short = await complete(model, { overflow, maxTokens: 3 });
    assert.equal(short.truncatedTokens, undefined);
  });

  await t.step("10 MB of prompt are refused or cut, and others go on", async () => {
    const prompt = "Lily saw a fox. ".repeat(650_000);
    const other = complete(model, { maxTokens: 60 });
    await assert.rejects(complete(model, {}, prompt), { code: "CONTEXT_OVERFLOW" });
    const cut = await complete(model, { overflow: "truncate-middle", maxTokens: 3 }, prompt);
    assert.equal(cut.usage.completionTokens, 3);
    assert(cut.truncatedTokens! > 1_000_000, `${cut.truncatedTokens} tokens were left out`);
    const chat = model.chat([{ role: "user", content: prompt }], {
      ...greedy,
      overflow: "truncate-middle",
      maxTokens: 3,
    });
    assert.equal((await collect(chat)).usage.completionTokens, 3);
    assert.equal((await other).usage.completionTokens, 60);
  });

  await t.step("logprobs: each token's, and the likeliest at its place", async () => {
    for (const topLogprobs of [0, 3]) {
      const { logprobs, text, pieces } = await complete(model, { maxTokens: 20, topLogprobs });
      assert.equal(logprobs.length, 20);
      assert.equal(logprobs.map((token) => token.text).join(""), text);
      assert.equal(pieces.join(""), (await complete(model, { maxTokens: 20 })).text);
      for (const { logprob, bytes, top, text } of logprobs) {
        assert(logprob <= 0 && bytes.length > 0);
        assert.equal(top.length, topLogprobs);
        // Greedy: the chosen token is the likeliest one.
        if (topLogprobs > 0) assert.deepEqual(top[0], { text, bytes, logprob });
        assert(top.every((token, at) => at === 0 || token.logprob <= top[at - 1]!.logprob));
      }
    }
  });

  await t.step("logprobs are the model's own, whatever temperature and penalties", async () => {
    const shaped = { topLogprobs: 20, maxTokens: 1, temperature: 2, topK: 1, repeatPenalty: 2 };
    const [plain] = (await complete(model, { topLogprobs: 20, maxTokens: 1 })).logprobs;
    const [other] = (await complete(model, shaped)).logprobs;
    assert.deepEqual(other!.top, plain!.top);
    const together = plain!.top.reduce((sum, { logprob }) => sum + Math.exp(logprob), 0);
    assert(together > 0.5 && together <= 1.0001, `${together}`);
  });

  await t.step(
    "logprobs end where a stop string cuts, and come with text that was held",
    async () => {
      const whole = await complete(model, { maxTokens: 20, topLogprobs: 0 });
      const stop = whole.text.slice(-4);
      const cut = await complete(model, { maxTokens: 40, stop: [stop], topLogprobs: 0 });
      assert.equal(cut.text, whole.text.slice(0, whole.text.indexOf(stop)));
      const shown = cut.logprobs.map(({ text }) => text).join("");
      assert(shown.startsWith(cut.text));
      assert.deepEqual(cut.logprobs, whole.logprobs.slice(0, cut.logprobs.length));
      const looksLike = whole.text.slice(-3) + "\u0000never";
      const kept = await complete(model, { maxTokens: 20, stop: [looksLike], topLogprobs: 0 });
      assert.deepEqual(kept.logprobs, whole.logprobs);
    },
  );

  await t.step("16 stop strings: one that is the whole answer leaves none", async () => {
    const { text } = await complete(model, { maxTokens: 8 });
    const stop = [text, ...Array.from({ length: 15 }, (_, at) => `never ${at}`)];
    const none = await complete(model, { maxTokens: 40, stop });
    assert.deepEqual([none.text, none.pieces, none.finishReason], ["", [], "stop"]);
  });

  await t.step("frequencyPenalty ends a repetition", async () => {
    const prompt = "ha ha ha ha ha ha ha ha ha ha";
    const most = (text: string) => {
      const counts = new Map<string, number>();
      for (const word of text.split(" ")) counts.set(word, (counts.get(word) ?? 0) + 1);
      return Math.max(...counts.values());
    };
    const plain = await complete(model, { maxTokens: 80 }, prompt);
    const varied = await complete(model, { maxTokens: 80, frequencyPenalty: 2 }, prompt);
    assert(most(varied.text) < most(plain.text), `${plain.text}\n${varied.text}`);
  });

  await t.step("odd prompts are answered", async () => {
    for (const prompt of ["", "\ud800", "\u0000", "日本語 🙂"]) {
      const { usage } = await complete(model, { maxTokens: 3 }, prompt);
      assert(usage.completionTokens > 0);
    }
  });

  await t.step("parallel calls answer as alone, and a third waits", async () => {
    const prompts = [story, "The little dog", "Lily and Tom"];
    const alone = [];
    for (const prompt of prompts) {
      alone.push((await complete(model, { maxTokens: 40 }, prompt)).text);
    }
    const order: number[] = [];
    const together = await Promise.all(prompts.map(async (prompt, index) => {
      const answer = await complete(model, { maxTokens: 40 }, prompt);
      order.push(index);
      return answer.text;
    }));
    assert.deepEqual(together, alone);
    assert.equal(order.at(-1), 2);
  });

  await t.step("a cancelled call frees its slot, in mid-stream and in the queue", async () => {
    const aborts = [1, 2, 3, 4].map(() => new AbortController());
    const answers = aborts.map(({ signal }) => complete(model, { signal }));
    for (const { signal } of aborts) assert(!signal.aborted);
    for (const abort of aborts) abort.abort();
    for (const { finishReason } of await Promise.all(answers)) {
      assert.equal(finishReason, "cancelled");
    }
    const stream = model.complete(story, greedy);
    await stream.next();
    await stream.return(undefined as never);
    const after = await Promise.all([1, 2].map(() => complete(model, { maxTokens: 5 })));
    assert.equal(after.length, 2);
  });

  await t.step("a chat that the template refuses hurts nobody else", async () => {
    const running = complete(model, { maxTokens: 40 });
    const chat = collect(
      model.chat([{ role: "user", content: "hi" }], { ...greedy, maxTokens: 5 }),
    );
    assert.equal((await chat).usage.completionTokens, 5);
    const odd = collect(model.chat([{ role: undefined as never, content: "hi" }], greedy));
    await assert.rejects(odd, { code: "INVALID_INPUT" });
    assert.equal((await running).usage.completionTokens, 40);
  });

  await t.step("one principal's prompt is reused, and never another's", async () => {
    const fresh = await engine.load(file);
    const long = `${story} there was a small dog who liked to run and play in the park`;
    const ask = async (principal: string, prompt: string) =>
      (await complete(fresh, { principal, maxTokens: 2 }, prompt)).usage;
    assert.equal((await ask("alice", long)).cachedTokens, 0);
    const again = await ask("alice", `${long} all day`);
    assert(again.cachedTokens > 20, `${again.cachedTokens} tokens were reused`);
    assert.equal((await ask("bob", long)).cachedTokens, 0);
    assert.equal((await ask("alice", long)).cachedTokens, 0);
    await fresh.unload();
  });

  await t.step("unload ends what runs and frees the threads", async () => {
    const rejected = assert.rejects(
      Promise.all([1, 2, 3].map(() => complete(model, {}))),
      { code: "UNAVAILABLE" },
    );
    await model.unload();
    await model.unload();
    await rejected;
    await assert.rejects(complete(model), { code: "UNAVAILABLE" });
  });

  await t.step("a load can be given up, and the next one works", async () => {
    const abort = new AbortController();
    // Past what is read before llama.cpp is started.
    const progress = (readBytes: number) => readBytes > 500_000 && abort.abort();
    const loading = engine.load(file, { signal: abort.signal, progress });
    await assert.rejects(loading, { code: "CANCELLED" });
    await (await engine.load(file)).unload();
  });

  await t.step("a file that is no model is refused, and the engine goes on", async () => {
    const bytes = new TextEncoder().encode("GGUF is what this is not".repeat(50));
    const part = (start: number, end: number) => ({
      size: end - start,
      arrayBuffer: () => Promise.resolve(bytes.slice(start, end).buffer),
    });
    const broken = {
      ...file,
      files: [{ name: "x.gguf", size: bytes.length, slice: part }],
    };
    await assert.rejects(engine.load(broken), { code: "INVALID_MODEL" });
    const failing = {
      ...broken,
      files: [{
        name: "x.gguf",
        size: 1000,
        slice: () => ({ size: 1, arrayBuffer: () => Promise.resolve(new ArrayBuffer(0)) }),
      }],
    };
    await assert.rejects(engine.load(failing), { code: "INVALID_MODEL" });
    const again = await engine.load(file);
    assert.equal((await complete(again, { maxTokens: 3 })).usage.completionTokens, 3);
    await again.unload();
  });
});

// In a process of its own: Deno 2.9.6 cannot end a Worker that computes, and two go on to.
Deno.test("wllama engine: a chat template that never ends costs its model alone", async () => {
  if (testModel("aidreams260K-f32.gguf") === undefined) return;
  const script = fileURLToPath(new URL("./testing_endless_template.ts", import.meta.url));
  const { code, stderr } = await new Deno.Command(Deno.execPath(), {
    args: ["run", "-A", "--no-prompt", "--lock=deno.test.lock", script],
    cwd: fileURLToPath(new URL("../../../..", import.meta.url)),
    stdout: "null",
    stderr: "piped",
    signal: AbortSignal.timeout(180_000),
  }).output();
  assert.equal(code, 0, new TextDecoder().decode(stderr));
});

Deno.test("wllama engine takes the weights alone, and refuses what it cannot read before it reads", async (t) => {
  const file = testModel("aidreams260K-f32.gguf", { contextLength: 128 });
  if (file === undefined) return;
  await using harness = await startEngine();
  const { engine } = harness;
  const [weights] = file.files;
  const noRead = () => {
    throw new Error("It was read");
  };

  await t.step("a file past what WebAssembly reads is UNSUPPORTED_FEATURE", async () => {
    const large = { ...file, files: [{ name: "a.gguf", size: 2 ** 31, slice: noRead }] };
    await assert.rejects(engine.load(large), {
      code: "UNSUPPORTED_FEATURE",
      message:
        '"a.gguf" has 2147483648 bytes, WebAssembly reads at most 2147483647 of one file: pull a split or smaller quantisation',
    });
  });

  await t.step("parts past what WebAssembly addresses are OUT_OF_MEMORY", async () => {
    const files = [1, 2, 3].map((part) => ({
      name: `a-0000${part}-of-00003.gguf`,
      size: 2 ** 31 - 1,
      slice: noRead,
    }));
    await assert.rejects(engine.load({ ...file, files }), { code: "OUT_OF_MEMORY" });
  });

  await t.step("a model without weights is INVALID_MODEL", async () => {
    const files = [{ name: "tokenizer.json", size: 1, slice: noRead }];
    await assert.rejects(engine.load({ ...file, files }), { code: "INVALID_MODEL" });
  });

  await t.step("what lies beside the weights is left alone, wherever they lie", async () => {
    const files = [
      { ...weights!, name: "Q8_0/model.GGUF" },
      { name: "tokenizer.json", size: 1, slice: noRead },
    ];
    const model = await engine.load({ ...file, files });
    assert.equal((await complete(model, { maxTokens: 3 })).usage.completionTokens, 3);
    await model.unload();
  });
});

Deno.test("wllama engine, on a 15M model", async (t) => {
  const file = testModel("rand-15M-q8_0.gguf");
  if (file === undefined) return;
  await using harness = await startEngine();
  const model = await harness.engine.load(file, { parallel: 2, contextLength: 1024 });
  const prompt = "The quick brown fox jumps over the lazy dog. ".repeat(25);

  await t.step("load reads the file by ranges", () => {
    assert(file.reads.count > 5);
    assert(file.reads.largest < file.files[0]!.size, "the file was read whole");
  });

  await t.step("progress tells of a long prompt", async () => {
    const seen: number[] = [];
    const { usage } = await complete(model, {
      principal: "progress",
      maxTokens: 2,
      progress: ({ processedTokens }) =>
        processedTokens !== undefined && seen.push(processedTokens),
    }, prompt);
    assert(seen.length > 1);
    assert.equal(seen.at(-1), usage.promptTokens);
  });

  await t.step("a call cancelled while its prompt is read ends after one step", async () => {
    const abort = new AbortController();
    const steps: number[] = [];
    const answer = complete(model, {
      signal: abort.signal,
      progress: ({ processedTokens = 0 }) => {
        steps.push(processedTokens);
        if (processedTokens > 0) abort.abort();
      },
    }, prompt);
    const { finishReason, text } = await answer;
    assert.equal(finishReason, "cancelled");
    assert.equal(text, "");
    assert(steps.at(-1)! <= 512, `${steps.at(-1)} tokens were read`);
  });

  await t.step("two answers at once are what they are alone", async () => {
    const ask = (start: string) => complete(model, { maxTokens: 40 }, start);
    const alone = [await ask("One"), await ask("Two")];
    const together = await Promise.all([ask("One"), ask("Two")]);
    assert.deepEqual(together.map(({ text }) => text), alone.map(({ text }) => text));
  });

  await t.step("old prompts do not fill the memory", async () => {
    const small = await harness.engine.load(file, { contextLength: 512, heapGrowthMb: 1 });
    for (let index = 0; index < 8; index++) {
      const other = `Story ${index} of ${index}: `.repeat(20);
      const { usage } = await complete(small, { maxTokens: 2 }, other);
      assert.equal(usage.completionTokens, 2);
    }
    await small.unload();
  });

  await model.unload();
});
