import assert from "node:assert/strict";
import { startEngine, testModel } from "../runtime/engines/testing_harness.ts";
import type { AnswerItem } from "./answer.ts";
import { collect, manifest, startPlugin } from "./testing_plugin.ts";
import { assertMatches, compileSchema } from "../runtime/contract/schema.ts";

Deno.test("llmserver's answers on the real engine", async (t) => {
  const file = testModel("aidreams260K-f32.gguf", { contextLength: 128 });
  const chatty = testModel("demo-stories-q8_0.gguf");
  if (file === undefined || chatty === undefined) return;
  await using harness = await startEngine();
  const open = (id: string) => Promise.resolve(id === chatty.id ? chatty : file);
  await using running = await startPlugin(harness.engine, open, { parallel: 2 });
  const good = { model: file.id, prompt: "Once upon a time", maxTokens: 12 };
  const complete = (input: object, options: { signal?: AbortSignal; principal?: string } = {}) =>
    running.call("llm.complete", { ...good, ...input }, options);
  const ask = (input: object, options: { principal?: string } = {}) =>
    collect("llm.complete", complete(input, options));
  const varied = { temperature: 1.5, topK: 0, topP: 1, minP: 0 };

  await t.step("n: schema bounds it", () => {
    for (const bad of [{ n: 0 }, { n: 9 }, { topLogprobs: 21 }, { topLogprobs: -1 }]) {
      assert.throws(() => complete(bad), { code: "INVALID_INPUT" });
    }
  });

  await t.step(
    "n: answers are those of the seeds that follow, the prompt is counted once",
    async () => {
      const together = await ask({ ...varied, n: 3, seed: 7 });
      const alone = await Promise.all([7, 8, 9].map((seed) => ask({ ...varied, seed })));
      assert.deepEqual(together.choices.map(({ text }) => text), alone.map(({ text }) => text));
      assert.deepEqual(together.choices.map(({ index }) => index), [0, 1, 2]);
      assert.equal(new Set(alone.map(({ text }) => text)).size, 3);
      assert.equal(together.usage.promptTokens, alone[0]!.usage.promptTokens);
      assert.equal(together.usage.completionTokens, 36);
      assert.equal(running.metrics["calls_active"], 0);
    },
  );

  await t.step("n: without a seed answers differ", async () => {
    const { choices } = await ask({ ...varied, n: 8 });
    assert.equal(new Set(choices.map(({ text }) => text)).size, 8);
  });

  await t.step("n: stop strings end each answer for itself", async () => {
    const { choices } = await ask({ ...varied, n: 3, seed: 7, maxTokens: 30 });
    const stop = choices[1]!.text.slice(5, 9);
    const cut = await ask({ ...varied, n: 3, seed: 7, maxTokens: 30, stop: [stop] });
    for (const [index, { text, finishReason }] of cut.choices.entries()) {
      const whole = choices[index]!.text;
      const at = whole.indexOf(stop);
      assert.equal(text, at < 0 ? whole : whole.slice(0, at));
      assert.equal(finishReason, at < 0 ? "length" : "stop");
    }
    assert.equal(cut.choices[1]!.finishReason, "stop");
  });

  await t.step("n: who leaves ends all, waiting ones too, and frees the slots", async () => {
    const abort = new AbortController();
    const cancelled = collect("llm.complete", complete({ n: 8 }, { signal: abort.signal }));
    abort.abort();
    await assert.rejects(cancelled, { code: "CANCELLED" });
    const stream = complete({ n: 8, maxTokens: 100 });
    await stream.next();
    await stream.return(undefined as never);
    assert.equal((await ask({ n: 2 })).choices.length, 2);
    assert.equal(running.metrics["calls_active"], 0);
  });

  await t.step("logprobs come with their text, in items and in the result", async () => {
    const answer = await ask({ n: 2, seed: 1, ...varied, topLogprobs: 2 });
    for (const { index, text, logprobs } of answer.choices) {
      assert.equal(logprobs!.map((token) => token.text).join(""), text);
      const streamed = answer.items.filter((item) => (item.index ?? 0) === index);
      assert.deepEqual(streamed.flatMap((item) => item.logprobs), logprobs);
    }
    assert.equal((await ask({})).choices[0]!.logprobs, undefined);
  });

  await t.step("logprobs of parts of characters are refused, and lose no text", async () => {
    const responseFormat = { type: "grammar", grammar: 'root ::= "a😀b日本c"' };
    const input = { model: chatty.id, responseFormat, maxTokens: 40 };
    assert.equal((await ask(input)).text, "a😀b日本c");
    await assert.rejects(ask({ ...input, topLogprobs: 0 }), {
      code: "UNSUPPORTED_FEATURE",
      details: { field: "topLogprobs" },
    });
    assert.equal((await ask({ ...input, n: 3 })).choices.length, 3);
  });

  await t.step("a chat with its template: stop strings and logprobs", async () => {
    const input = {
      model: chatty.id,
      messages: [{ role: "user", content: "Tell me a story about a fox" }],
      maxTokens: 30,
      temperature: 0,
    };
    const chat = (more: object) =>
      collect("llm.chat", running.call("llm.chat", { ...input, ...more }));
    const whole = await chat({ topLogprobs: 1 });
    const { logprobs } = whole.choices[0]!;
    assert.equal(logprobs!.map((token) => token.text).join(""), whole.text);
    const border = logprobs![4]!.text.slice(-1) + logprobs![5]!.text.slice(0, 1);
    const cut = await chat({ stop: ["never", border] });
    assert.equal(cut.text, whole.text.slice(0, whole.text.indexOf(border)));
    assert.equal(cut.finishReason, "stop");
    const none = await chat({ stop: [whole.text], n: 2 });
    assert.deepEqual(none.choices.map(({ text }) => text), ["", ""]);
  });

  await t.step(
    "overflow: of a chat whole messages are left out, and the result tells",
    async () => {
      const old = Array.from({ length: 120 }, (_, at) => ({
        role: at % 2 === 0 ? "user" : "assistant",
        content: `Message ${at} about a fox and a lantern in the dark wood`,
      }));
      const messages = [...old, { role: "user", content: "Tell me a story" }];
      const input = { model: chatty.id, messages, maxTokens: 5, temperature: 0 };
      const short = await collect("llm.chat", running.call("llm.chat", input));
      assert.equal(short.truncatedTokens, undefined, "the template shows the last three alone");
      const long = { ...input, messages: [{ role: "user", content: "A fox. ".repeat(5000) }] };
      await assert.rejects(running.call("llm.chat", long).next(), { code: "CONTEXT_OVERFLOW" });
      const cut = await collect(
        "llm.chat",
        running.call("llm.chat", { ...long, overflow: "truncate-middle" }),
      );
      assert.ok(cut.truncatedTokens! > 1000, `${cut.truncatedTokens}`);
      assert.equal(cut.usage.completionTokens, 5);
    },
  );

  await t.step("an answer that is under way is counted no more as one that waits", async () => {
    const waiting = async () => (await running.state.list()).queue.waiting;
    const first = [complete({ maxTokens: 100 }), complete({ maxTokens: 100 })];
    await Promise.all(first.map((stream) => stream.next()));
    const second = complete({ maxTokens: 100 });
    const begun = second.next();
    while (await waiting() === 0) await new Promise((done) => setTimeout(done, 1));
    for (const stream of first) await stream.return(undefined as never);
    let item = await begun;
    while (!item.done && item.value.queue !== undefined) item = await second.next();
    assert.equal(await waiting(), 0);
    await second.return(undefined as never);
  });

  await t.step("who waits is told his place, and principals take turns", async () => {
    const long = { maxTokens: 100, temperature: 0 };
    const listed = () => running.state.list();
    const items: AnswerItem[] = [];
    const busy = Array.from({ length: 12 }, () => ask({ ...long, n: 8 }, { principal: "alice" }));
    const order: string[] = [];
    const check = compileSchema(manifest.capabilities[1]!.outputSchema, "item");
    const other = (async () => {
      for await (const item of complete({ ...long, maxTokens: 1 }, { principal: "bob" })) {
        assertMatches(check, item, "INVALID_OUTPUT", "An item");
        items.push(item);
      }
      order.push("bob");
    })();
    while ((await listed()).queue.waiting < 50) await new Promise((done) => setTimeout(done, 1));
    const { queue, memory } = await listed();
    // The other may have been answered already.
    assert.ok(queue.active === 12 || queue.active === 13, `${queue.active}`);
    assert.ok(memory.usedBytes > 0 && memory.usedBytes < memory.budgetBytes);
    await Promise.all([other, ...busy.map((one) => one.then(() => order.push("alice")))]);
    assert.equal(order[0], "bob");
    assert.equal((await listed()).queue.waiting, 0);
    const places = items.flatMap(({ queue }) => queue?.position ?? []);
    assert.ok(places.every((place) => place <= 2), `${places}`);
  });
});
