// What a server of language models owes its clients when it is busy, asked too much of, or left: with the openai client
// and with bare requests, on real models.

import assert from "node:assert/strict";
import OpenAI from "openai";
import { skipUnless } from "../require.ts";
import { type ServerProcess, startServer } from "../server_process.ts";
import { sharedModelsFolder, sharedModelsProblem } from "../shared_models.ts";

const demo = "demo-stories-q8_0";
const story = [{ role: "user" as const, content: "Tell me a story about a fox and a lantern." }];

Deno.test("serving: several answers, probabilities, many callers, huge prompts", async (t) => {
  await using server = await startServer();
  const client = new OpenAI({ baseURL: `${server.url}/v1`, apiKey: server.token, maxRetries: 0 });
  const asked = { model: demo, messages: story, temperature: 0, max_tokens: 16 };

  await t.step("10 MB of prompt are refused, and another's stream goes on", async () => {
    const stream = await client.chat.completions.create({
      ...asked,
      max_tokens: 200,
      stream: true,
    });
    const reading = Array.fromAsync(stream);
    const content = "A fox saw a lantern. ".repeat(470_000);
    await assert.rejects(
      client.chat.completions.create({ ...asked, messages: [{ role: "user", content }] }),
      (error) =>
        error instanceof OpenAI.BadRequestError && error.code === "context_length_exceeded",
    );
    const cut = await call(server, "llm.chat", {
      model: demo,
      messages: [{ role: "user", content }],
      maxTokens: 4,
      overflow: "truncate-middle",
    });
    assert.equal(cut.status, 200);
    assert.ok((await cut.json()).truncatedTokens > 1_000_000);
    const chunks = await reading;
    assert.ok(chunks.length > 20 && chunks.at(-1)!.choices[0]!.finish_reason !== null);
  });

  await t.step("n answers with their probabilities, and one usage", async () => {
    const { choices, usage } = await client.chat.completions.create({
      ...asked,
      temperature: 1.5,
      n: 3,
      seed: 4,
      logprobs: true,
      top_logprobs: 2,
    });
    assert.equal(new Set(choices.map(({ message }) => message.content)).size, 3);
    for (const { message, logprobs } of choices) {
      const tokens = logprobs!.content!;
      assert.equal(tokens.map(({ token }) => token).join(""), message.content);
      assert.ok(tokens.every(({ top_logprobs }) => top_logprobs.length === 2));
    }
    assert.equal(usage!.completion_tokens, 48);
    const stream = await client.chat.completions.create({
      ...asked,
      n: 3,
      stream: true,
      stream_options: { include_usage: true },
    });
    const told = ["", "", ""];
    let tokens: number | undefined;
    for await (const { choices: [choice], usage } of stream) {
      if (choice !== undefined) told[choice.index] += choice.delta.content ?? "";
      tokens = usage?.completion_tokens ?? tokens;
    }
    assert.equal(new Set(told).size, 1, "greedy answers are equal");
    assert.ok(told[0]!.length > 20);
    assert.equal(tokens, 48);
  });

  await t.step(
    "200 callers at once: some are served, the rest is told when to come again",
    async () => {
      const answers = await Promise.all(Array.from({ length: 200 }, async () => {
        const response = await call(server, "llm.complete", {
          model: demo,
          prompt: "Once",
          maxTokens: 2,
        });
        await response.body?.cancel();
        return response;
      }));
      const served = answers.filter(({ status }) => status === 200);
      const refused = answers.filter(({ status }) => status === 503);
      assert.equal(served.length + refused.length, 200, answers.map(({ status }) => status).join());
      assert.ok(served.length >= 64 && refused.length > 0, `${served.length} were served`);
      for (const { headers } of refused) assert.ok(Number(headers.get("retry-after")) > 0);
      assert.equal((await client.chat.completions.create(asked)).usage!.completion_tokens, 16);
    },
  );

  await t.step("llm.models tells what is loaded, the queue and the memory", async () => {
    const { models, queue, memory } = await (await call(server, "llm.models", {})).json();
    const { loaded: [facts] } = models.find(({ id }: { id: string }) => id === demo);
    assert.equal(facts.use, "text");
    assert.ok(facts.bytes > facts.maxTokens && facts.tokensPerSecond > 0 && facts.idleMs >= 0);
    assert.equal(facts.pinned, false);
    assert.deepEqual(queue, { active: 0, waiting: 0 });
    assert.ok(memory.usedBytes >= facts.bytes && memory.usedBytes < memory.budgetBytes);
  });
});

Deno.test({
  name:
    "serving: a long prompt: its headers come before its first token, and who leaves frees the slot",
  ignore: skipUnless("prefill of rand-15M", sharedModelsProblem()),
  async fn() {
    await using server = await startServer({ env: { BKG_MODEL_PATHS: sharedModelsFolder } });
    const model = "rand-15M-q8_0";
    const content = "The quick brown fox jumps over the lazy dog. ".repeat(150);
    const active = async () =>
      (await (await server.fetch("/api/plugins/llmserver/telemetry")).json()).active;
    const ask = (start: string, signal: AbortSignal) =>
      server.fetch("/v1/completions", {
        method: "POST",
        headers: { "content-type": "application/json" },
        body: JSON.stringify({
          model,
          prompt: start + content,
          stream: true,
          max_tokens: 4,
          seed: 1,
        }),
        signal,
      });
    const warm = await call(server, "llm.complete", { model, prompt: "a", maxTokens: 1 });
    assert.equal(warm.status, 200, await warm.text());
    const leaving = new AbortController();
    // Of a request with a large body Deno tells nobody that its sender has left, until the answer begins.
    const large = server.fetch("/api/capabilities/llm.complete", {
      method: "POST",
      headers: { "content-type": "application/json", accept: "text/event-stream" },
      body: JSON.stringify({ model, prompt: content.repeat(200), overflow: "truncate-middle" }),
      signal: leaving.signal,
    });
    const small = ["1", "2", "3"].map((start) => ask(start, leaving.signal));
    const answers = await Promise.all([...small, large]);
    // Headers are here, a token is not: four such prompts take longer than that.
    assert.deepEqual(answers.map(({ status }) => status), [200, 200, 200, 200]);
    assert.equal(await active(), 4);
    leaving.abort();
    await Promise.allSettled(answers.map((answer) => answer.text()));
    const giveUpAt = performance.now() + 60_000;
    while (await active() > 0) {
      assert.ok(performance.now() < giveUpAt, "the slots are still taken");
      await new Promise((resolve) => setTimeout(resolve, 20));
    }
  },
});

function call(server: ServerProcess, capability: string, input: unknown): Promise<Response> {
  return server.fetch(`/api/capabilities/${capability}`, {
    method: "POST",
    headers: { "content-type": "application/json" },
    body: JSON.stringify(input),
  });
}
