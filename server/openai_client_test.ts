// The real `openai` client against a served app: what its users see.

import assert from "node:assert/strict";
import OpenAI from "openai";
import { AppError } from "../plugins/runtime/contract/error.ts";
import type { Capability } from "../plugins/runtime/contract/capability.ts";
import type { Bus, InvokeOptions, PluginHost } from "../plugins/runtime/host/host.ts";
import type { ModelRecord } from "../models/model.ts";
import { createApp } from "./app.ts";
import { createOperatorAuthenticator } from "./auth/operator_key.ts";
import { createLogger } from "./log.ts";
import { createMetrics } from "./observability/metrics.ts";
import { serveHttp } from "./serve.ts";

const token = "bkg_operator_" + "A".repeat(43);
const messages = [{ role: "user" as const, content: "hi" }];

Deno.test("openai: errors are the client's own classes, with code and param", () =>
  withServer(async ({ client, url }) => {
    const raise = async (promise: Promise<unknown>) => {
      const error = await promise.then(() => undefined, (error: unknown) => error);
      assert.ok(error instanceof OpenAI.APIError, String(error));
      return error;
    };
    const anyone = new OpenAI({ apiKey: "wrong", baseURL: `${url}/v1`, maxRetries: 0 });
    assert.ok(await raise(anyone.models.list()) instanceof OpenAI.AuthenticationError);
    const unknown = await raise(client.chat.completions.create({ model: "none", messages }));
    assert.ok(unknown instanceof OpenAI.NotFoundError);
    assert.equal(unknown.code, "model_not_found");
    for (
      const [field, extra] of [
        ["n", { n: 2 }],
        ["tools", { tools: [{ type: "function", function: { name: "f" } }] }],
        ["logprobs", { logprobs: true }],
        ["response_format", { response_format: { type: "json_object" } }],
        ["modalities", { modalities: ["text", "audio"] }],
        ["messages[0].content[0]", {
          messages: [{ role: "user", content: [{ type: "image_url", image_url: { url: "x" } }] }],
        }],
      ] as const
    ) {
      const body = {
        model: "m",
        messages,
        ...extra,
      } as OpenAI.ChatCompletionCreateParamsNonStreaming;
      const error = await raise(client.chat.completions.create(body));
      assert.ok(error instanceof OpenAI.BadRequestError);
      assert.equal(error.code, "unsupported_feature");
      assert.equal(error.param, field);
    }
    const hot = await raise(
      client.chat.completions.create({ model: "m", messages, temperature: 3 }),
    );
    assert.equal(hot.param, "temperature");
    const full = await raise(
      client.chat.completions.create({ model: "m", messages, user: "x", seed: 503 }),
    );
    assert.ok(full instanceof OpenAI.InternalServerError);
    assert.equal(full.headers?.get("retry-after"), "1");
  }));

Deno.test("openai: an error in mid-stream is raised, an abort reaches the call", () =>
  withServer(async ({ client, calls }) => {
    const failing = await client.chat.completions.create({
      model: "m",
      messages,
      stream: true,
      seed: 502,
    });
    let text = "";
    await assert.rejects(async () => {
      for await (const chunk of failing) text += chunk.choices[0]?.delta.content ?? "";
    }, (error) => error instanceof OpenAI.APIError && error.code === "cell_lost");
    assert.equal(text, "One");

    const hanging = await client.chat.completions.create({
      model: "m",
      messages,
      stream: true,
      seed: 499,
    });
    for await (const _ of hanging) break;
    const limit = performance.now() + 2000;
    while (!calls.at(-1)!.options.signal!.aborted && performance.now() < limit) {
      await new Promise((resolve) => setTimeout(resolve, 5));
    }
    assert.ok(calls.at(-1)!.options.signal!.aborted);
  }));

Deno.test("openai: chat, text and models, streamed and not", () =>
  withServer(async ({ client, calls }) => {
    const chat = await client.chat.completions.create({
      model: "m",
      messages: [
        { role: "developer", content: "d" },
        { role: "user", content: [{ type: "text", text: "a" }, { type: "text", text: "b" }] },
      ],
      max_tokens: 1,
      max_completion_tokens: 7,
      stop: "x",
      top_p: 0.5,
      frequency_penalty: null,
      store: true,
      ...{ top_k: 3, min_p: 0.1, repeat_penalty: 1.1 },
    });
    assert.deepEqual(calls.at(-1)!.input, {
      model: "m",
      messages: [{ role: "developer", content: "d" }, { role: "user", content: "ab" }],
      maxTokens: 7,
      stop: ["x"],
      topP: 0.5,
      topK: 3,
      minP: 0.1,
      repeatPenalty: 1.1,
    });
    assert.match(chat.id, /^chatcmpl-/);
    assert.equal(chat.object, "chat.completion");
    assert.equal(chat.choices[0]!.message.content, "One two");
    assert.equal(chat.choices[0]!.finish_reason, "stop");
    assert.equal(chat.usage!.total_tokens, 5);
    assert.equal(chat.usage!.prompt_tokens_details!.cached_tokens, 1);

    const chunks = await Array.fromAsync(
      await client.chat.completions.create({
        model: "m",
        messages,
        stream: true,
        stream_options: { include_usage: true },
      }),
    );
    assert.equal(chunks[0]!.choices[0]!.delta.role, "assistant");
    assert.equal(chunks.map((chunk) => chunk.choices[0]?.delta.content ?? "").join(""), "One two");
    assert.equal(chunks.at(-2)!.choices[0]!.finish_reason, "stop");
    assert.equal(chunks.at(-1)!.usage!.completion_tokens, 2);
    assert.deepEqual(chunks.at(-1)!.choices, []);
    assert.equal(new Set(chunks.map(({ id }) => id)).size, 1);

    const text = await client.completions.create({ model: "m", prompt: ["p"] });
    assert.equal(text.object, "text_completion");
    assert.equal(text.choices[0]!.text, "One two");
    const parts = await Array.fromAsync(
      await client.completions.create({ model: "m", prompt: "p", stream: true }),
    );
    assert.equal(parts.map((part) => part.choices[0]?.text ?? "").join(""), "One two");
    const [model] = (await client.models.list()).data;
    assert.deepEqual(model, { id: "m", object: "model", created: 1, owned_by: "bkg" });
    assert.equal((await client.models.retrieve("m")).id, "m");
  }));

interface Call {
  capability: string;
  input: unknown;
  options: InvokeOptions;
}

const model: ModelRecord = {
  id: "m",
  format: "gguf",
  size: 1,
  files: [],
  architecture: "llama",
  parameterCount: 1,
  quantization: "Q8_0",
  contextLength: undefined,
  chatTemplate: false,
  createdAtMs: 1000,
};

async function withServer(
  run: (world: { client: OpenAI; url: string; calls: Call[] }) => Promise<void>,
): Promise<void> {
  const calls: Call[] = [];
  const app = createApp({
    host: {
      bus: storyBus(calls),
      list: () => [],
      subscribe: () => () => {},
    } as unknown as PluginHost,
    auth: createOperatorAuthenticator(token),
    models: {
      list: () => Promise.resolve([model]),
      get: (id) =>
        id === model.id
          ? Promise.resolve(model)
          : Promise.reject(new AppError("NOT_FOUND", `There is no model "${id}" on this host`)),
    },
    config: { version: "0", host: "127.0.0.1", allowedHosts: [], allowedOrigins: [] },
    log: createLogger({ write: () => {} }),
    metrics: createMetrics(),
  });
  const server = serveHttp(app, { host: "127.0.0.1", port: 0 });
  try {
    const client = new OpenAI({ apiKey: token, baseURL: `${server.url}/v1`, maxRetries: 0 });
    await run({ client, url: server.url, calls });
  } finally {
    const drained = server.shutdown();
    void server.shutdown();
    await drained;
  }
}

/** Tells one story; the seed of a call names how it goes wrong. */
function storyBus(calls: Call[]): Bus {
  async function* tell(input: unknown, { signal }: InvokeOptions) {
    const { seed, model } = input as { seed?: number; model: string };
    if (seed === 503) throw new AppError("QUEUE_FULL", "Too many calls wait");
    yield { delta: "One" };
    if (seed === 502) throw new AppError("CELL_LOST", "The cell is gone");
    if (seed === 499) {
      await new Promise((_, reject) =>
        signal?.addEventListener("abort", () => reject(signal.reason))
      );
    }
    yield { delta: " two" };
    return {
      model,
      text: "One two",
      finishReason: "stop",
      usage: { promptTokens: 3, cachedTokens: 1, completionTokens: 2 },
      timings: { promptMs: 1, generationMs: 1, tokensPerSecond: 1 },
      backend: "wasm",
      threads: 1,
    };
  }
  return {
    async call(capability, input, options) {
      calls.push({ capability, input, options });
      const items = tell(input, options);
      while (true) {
        const { done, value } = await items.next();
        if (done) return value;
      }
    },
    stream(capability, input, options) {
      calls.push({ capability, input, options });
      return tell(input, options);
    },
    find: () => ({ capability: {} as Capability, pluginId: "llmserver" }),
  };
}
