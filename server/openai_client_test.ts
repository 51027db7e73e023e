// The real `openai` client against a served app: what its users see.

import assert from "node:assert/strict";
import OpenAI from "openai";
import { AppError } from "../plugins/runtime/contract/error.ts";
import type { Capability } from "../plugins/runtime/contract/capability.ts";
import type { Bus, InvokeOptions, PluginHost } from "../plugins/runtime/host/host.ts";
import type { ModelRecord, ModelStore } from "../models/model.ts";
import { createApp } from "./app.ts";
import { createOperatorAuthenticator } from "./testing/operator_authenticator.ts";
import { createLogger } from "./log.ts";
import { createMetrics } from "./observability/metrics.ts";
import { createPresetStore, presetInputSchema } from "./services/preset_store.ts";
import { addUsers } from "./testing/database_engines.ts";
import type { Services } from "./http/services.ts";
import { serveHttp } from "./serve.ts";
import { openTestDatabase } from "./testing/test_database.ts";
import { createTestGuard } from "./testing/test_guard.ts";

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
        ["tools", { tools: [{ type: "function", function: { name: "f" } }] }],
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
      } as unknown as OpenAI.ChatCompletionCreateParamsNonStreaming;
      const error = await raise(client.chat.completions.create(body));
      assert.ok(error instanceof OpenAI.BadRequestError);
      assert.equal(error.code, "unsupported_feature");
      assert.equal(error.param, field);
    }
    const hot = await raise(
      client.chat.completions.create({ model: "m", messages, temperature: 3 }),
    );
    assert.equal(hot.param, "temperature");
    for (
      const [param, extra] of [
        ["n", { n: 9 }],
        ["top_logprobs", { logprobs: true, top_logprobs: 21 }],
        ["top_logprobs", { top_logprobs: 2 }],
        ["stop", { stop: Array(17).fill("x") }],
        ["stop[1]", { stop: ["x"].concat("") }],
      ] as const
    ) {
      const error = await raise(client.chat.completions.create({ model: "m", messages, ...extra }));
      assert.ok(error instanceof OpenAI.BadRequestError);
      assert.equal(error.param, param);
      assert.doesNotMatch(error.message, /Invalid input/);
    }
    const json = { model: "m", prompt: "hi", response_format: { type: "json_object" } };
    assert.equal((await raise(client.completions.create(json))).param, "response_format");
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

Deno.test("openai: a call that streams no usable item is ended", () =>
  withServer(async ({ client, calls }) => {
    const odd = { model: "m", messages, seed: 500 };
    for (const how of [{ stream: true }, { logprobs: true }] as const) {
      const answer = Promise.resolve(client.chat.completions.create({ ...odd, ...how }));
      await assert.rejects(async () => {
        for await (const _ of await answer as AsyncIterable<unknown>);
      }, (error) => error instanceof OpenAI.APIError && error.code === "invalid_output");
      const limit = performance.now() + 2000;
      while (!calls.at(-1)!.isEnded && performance.now() < limit) {
        await new Promise((resolve) => setTimeout(resolve, 5));
      }
      assert.ok(calls.at(-1)!.isEnded, JSON.stringify(how));
    }
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

Deno.test("openai: several answers at once, streamed and not, with one usage", () =>
  withServer(async ({ client, calls }) => {
    const asked = { model: "m", n: 2 };
    const chat = await client.chat.completions.create({ ...asked, messages });
    assert.deepEqual(calls.at(-1)!.input, { ...asked, messages });
    assert.deepEqual(
      chat.choices.map((
        { index, message, finish_reason },
      ) => [index, message.content, finish_reason]),
      [[0, "One two", "stop"], [1, "One two", "stop"]],
    );
    const text = await client.completions.create({ ...asked, prompt: "p" });
    assert.deepEqual(text.choices.map(({ index, text }) => [index, text]), [
      [0, "One two"],
      [1, "One two"],
    ]);
    const options = { stream: true, stream_options: { include_usage: true } } as const;
    const chunks = await Array.fromAsync(
      await client.chat.completions.create({ ...asked, messages, ...options }),
    );
    const told = ["", ""];
    const ends: (string | undefined)[] = [];
    const roles: unknown[] = [];
    for (const { choices: [choice] } of chunks) {
      if (choice === undefined) continue;
      told[choice.index] += choice.delta.content ?? "";
      if (choice.delta.role !== undefined) roles[choice.index] = choice.delta.role;
      if (choice.finish_reason !== null) ends[choice.index] = choice.finish_reason;
    }
    assert.deepEqual([told, ends, roles], [
      ["One two", "One two"],
      ["stop", "stop"],
      ["assistant", "assistant"],
    ]);
    assert.equal(chunks.filter(({ usage }) => usage != null).length, 1);
    assert.equal(chunks.at(-1)!.usage!.completion_tokens, 4);
  }));

Deno.test("openai: log probabilities of chats and texts, streamed and not", () =>
  withServer(async ({ client, calls }) => {
    const chat = { model: "m", messages, n: 2, logprobs: true, top_logprobs: 1 };
    const { choices } = await client.chat.completions.create(chat);
    assert.deepEqual(calls.at(-1)!.input, { model: "m", messages, n: 2, topLogprobs: 1 });
    const token = (token: string, logprob: number) => ({
      token,
      logprob,
      bytes: [...new TextEncoder().encode(token)],
    });
    const content = ["One", " two"].map((text) => ({
      ...token(text, -0.5),
      top_logprobs: [token("Zwo", -0.1)],
    }));
    for (const { logprobs } of choices) assert.deepEqual(logprobs, { content, refusal: null });
    const chunks = await Array.fromAsync(
      await client.chat.completions.create({ ...chat, stream: true }),
    );
    const streamed = chunks.flatMap(({ choices: [choice] }) =>
      choice?.index === 1 ? choice.logprobs?.content ?? [] : []
    );
    assert.deepEqual(streamed, content);

    const text = { model: "m", prompt: "p", logprobs: 1 };
    const expected = {
      tokens: ["One", " two"],
      token_logprobs: [-0.5, -0.5],
      top_logprobs: [{ Zwo: -0.1, One: -0.5 }, { Zwo: -0.1, " two": -0.5 }],
      text_offset: [0, 3],
    };
    assert.deepEqual((await client.completions.create(text)).choices[0]!.logprobs, expected);
    const parts = await Array.fromAsync(
      await client.completions.create({ ...text, stream: true }),
    );
    const offsets = parts.flatMap((part) => part.choices[0]!.logprobs?.text_offset ?? []);
    assert.deepEqual(offsets, [0, 3]);
    assert.equal(
      (await client.completions.create({ model: "m", prompt: "p" })).choices[0]!.logprobs,
      null,
    );
  }));

Deno.test("openai: who waits is told his place in comments, which the client passes over", () =>
  withServer(async ({ client, url }) => {
    const body = { model: "m", messages, stream: true, seed: 3 } as const;
    const response = await fetch(`${url}/v1/chat/completions`, {
      method: "POST",
      headers: { authorization: `Bearer ${token}`, "content-type": "application/json" },
      body: JSON.stringify(body),
    });
    const text = await response.text();
    assert.match(text, /^: queue 3\n\n: queue 1\n\ndata: /);
    const chunks = await Array.fromAsync(await client.chat.completions.create(body));
    assert.equal(chunks.map((chunk) => chunk.choices[0]?.delta.content ?? "").join(""), "One two");
    assert.equal(chunks[0]!.choices[0]!.delta.role, "assistant");
  }));

Deno.test("openai: a preset is named as a model, and what a request says wins over it", async () => {
  await using test = await openTestDatabase();
  await addUsers(test.db, ["operator", "ada"]);
  const presets = createPresetStore({ db: test.db, models });
  const story = presetInputSchema.parse({
    name: "story",
    model: "m",
    systemPrompt: "Be kind",
    parameters: { temperature: 0.5, maxTokens: 9, stop: ["x"], presencePenalty: 1 },
  });
  await presets.create("operator", story);
  await presets.create("ada", { ...story, name: "hers" });
  await presets.create("ada", { ...story, name: "ours", shared: true, systemPrompt: "" });
  await withServer(async ({ client, calls }) => {
    const system = { role: "system", content: "And brief" } as const;
    const answer = await client.chat.completions.create({
      model: "story",
      messages: [system, ...messages],
      max_completion_tokens: 2,
      temperature: 0,
    });
    assert.equal(answer.model, "story");
    assert.deepEqual(calls.at(-1)!.input, {
      model: "m",
      messages: [{ role: "system", content: "Be kind" }, system, ...messages],
      temperature: 0,
      maxTokens: 2,
      stop: ["x"],
      presencePenalty: 1,
    });
    const chunks = await Array.fromAsync(
      await client.chat.completions.create({ model: "ours", messages, stream: true }),
    );
    assert.deepEqual(new Set(chunks.map(({ model }) => model)), new Set(["ours"]));
    assert.deepEqual(calls.at(-1)!.input, { ...story.parameters, model: "m", messages });

    const named = (await client.models.list()).data.map(({ id, owned_by }) => [id, owned_by]);
    assert.deepEqual(named, [["m", "bkg"], ["ours", "preset"], ["story", "preset"]]);
    assert.equal((await client.models.retrieve("story")).id, "story");
    const asked = calls.length;
    for (const model of ["hers", "none"]) {
      for (
        const attempt of [
          client.chat.completions.create({ model, messages }),
          client.completions.create({ model, prompt: "p" }),
          client.models.retrieve(model),
        ]
      ) {
        await assert.rejects(
          attempt,
          (error) =>
            error instanceof OpenAI.NotFoundError && error.code === "model_not_found" &&
            error.message.includes(`There is no model "${model}"`),
        );
      }
    }
    await assert.rejects(
      client.completions.create({ model: "story", prompt: "p" }),
      (error) => error instanceof OpenAI.BadRequestError && error.param === "model",
    );
    assert.equal(calls.length, asked);
  }, { presets });
});

Deno.test("openai: a model that takes a preset's name goes before it; one that is gone is told", async () => {
  await using test = await openTestDatabase();
  await addUsers(test.db, ["operator"]);
  const story = presetInputSchema.parse({ name: "late", model: "m", systemPrompt: "Be kind" });
  await createPresetStore({ db: test.db, models }).create("operator", story);
  const there = new Map([["late", { ...model, id: "late" }]]);
  const later = {
    list: () => Promise.resolve([...there.values()]),
    get: (id: string) => {
      const record = there.get(id);
      return record === undefined ? models.get("none") : Promise.resolve(record);
    },
  };
  const presets = createPresetStore({ db: test.db, models: later });
  await withServer(async ({ client, calls }) => {
    await client.chat.completions.create({ model: "late", messages });
    assert.deepEqual(calls.at(-1)!.input, { model: "late", messages });
    assert.deepEqual((await client.models.list()).data.map(({ owned_by }) => owned_by), ["bkg"]);
    there.clear();
    await assert.rejects(
      client.chat.completions.create({ model: "late", messages }),
      (error) =>
        error instanceof OpenAI.NotFoundError &&
        /builds on a model that is gone/.test(error.message),
    );
  }, { presets, models: later });
});

Deno.test("openai: models of a hub are listed, retrieved and asked by ids with slashes and colons", async () => {
  const id = "Qwen/Qwen2-0.5B-Instruct-GGUF:Q8_0";
  const odd = "owner/Ünï 100%_of?#&+name:Q4_K_M";
  const records = [
    { ...model, id },
    { ...model, id: odd, task: undefined, chatTemplate: true },
    { ...model, id: "owner/embeds:F16", task: "embedding" as const },
    { ...model, id: "owner/projector:F16", task: undefined },
    { ...model, id: "owner/onnx", format: "onnx" as const },
  ];
  await withServer(async ({ client, url, calls }) => {
    const named = (await client.models.list()).data.map(({ id, owned_by }) => [id, owned_by]);
    // What makes vectors comes behind what writes.
    assert.deepEqual(named, [[id, "Qwen"], [odd, "owner"], ["owner/embeds:F16", "owner"]]);
    for (const { id } of records) assert.equal((await client.models.retrieve(id)).id, id);
    const headers = { authorization: `Bearer ${token}` };
    const plain = await fetch(`${url}/v1/models/${id}`, { headers });
    assert.deepEqual(await plain.json(), { id, object: "model", created: 1, owned_by: "Qwen" });
    for (const path of ["Qwen", "Qwen/", "Qwen%2F", `${encodeURIComponent(id)}/files`]) {
      const response = await fetch(`${url}/v1/models/${path}`, { headers });
      assert.equal(response.status, 404, path);
      assert.equal((await response.json()).error.code, "model_not_found", path);
    }
    // The plugin is given the model's own id: its grant knows no other.
    const answer = await client.chat.completions.create({ model: id.toLowerCase(), messages });
    assert.equal(answer.model, id.toLowerCase());
    assert.deepEqual(calls.at(-1)!.input, { model: id, messages });
  }, { models: modelsOf(records) });
});

Deno.test("openai: response_format reaches the call; what is wrong in it is named", () =>
  withServer(async ({ client, calls }) => {
    const schema = { type: "object", properties: { a: { type: "string" } }, required: ["a"] };
    const formats = [
      [{ type: "text" }, undefined],
      [{ type: "json_object" }, { type: "json_object" }],
      [
        { type: "json_schema", json_schema: { name: "a", schema, strict: true, description: "b" } },
        {
          type: "json_schema",
          schema,
        },
      ],
    ] as const;
    for (const [response_format, expected] of formats) {
      await client.chat.completions.create({ model: "m", messages, response_format });
      const { responseFormat } = calls.at(-1)!.input as { responseFormat?: unknown };
      assert.deepEqual(responseFormat, expected);
    }
    const asked = calls.length;
    for (
      const [param, response_format] of [
        ["response_format.type", { type: "xml" }],
        ["response_format.json_schema", { type: "json_schema" }],
        ["response_format.json_schema.name", {
          type: "json_schema",
          json_schema: { name: "a b", schema },
        }],
        ["response_format.json_schema.schema", {
          type: "json_schema",
          json_schema: { name: "a" },
        }],
      ] as const
    ) {
      const body = { model: "m", messages, response_format };
      await assert.rejects(
        client.chat.completions.create(body as OpenAI.ChatCompletionCreateParamsNonStreaming),
        (error) => error instanceof OpenAI.BadRequestError && error.param === param,
        param,
      );
    }
    assert.equal(calls.length, asked);
  }));

interface Call {
  capability: string;
  input: unknown;
  options: InvokeOptions;
  isEnded?: boolean;
}

const model: ModelRecord = {
  id: "m",
  format: "gguf",
  origin: "folder",
  task: "chat",
  size: 1,
  files: [],
  architecture: "llama",
  parameterCount: 1,
  quantization: "Q8_0",
  contextLength: undefined,
  chatTemplate: false,
  shape: undefined,
  pinned: false,
  createdAtMs: 1000,
};

const models = modelsOf([model]);

/** Found by their ids alone, in lower case too. */
function modelsOf(records: readonly ModelRecord[]): Pick<ModelStore, "list" | "get"> {
  return {
    list: () => Promise.resolve([...records]),
    get(id) {
      const found = records.find((record) => record.id === id || record.id.toLowerCase() === id);
      if (found !== undefined) return Promise.resolve(found);
      return Promise.reject(new AppError("NOT_FOUND", `There is no model "${id}" on this host`));
    },
  };
}

async function withServer(
  run: (world: { client: OpenAI; url: string; calls: Call[] }) => Promise<void>,
  services: Partial<Services> = {},
): Promise<void> {
  const calls: Call[] = [];
  const host = {
    bus: storyBus(calls),
    list: () => [],
    subscribe: () => () => {},
  } as unknown as PluginHost;
  const app = createApp({
    host,
    ...createTestGuard(host),
    auth: createOperatorAuthenticator(token),
    models,
    config: { version: "0", host: "127.0.0.1", allowedHosts: [], allowedOrigins: [] },
    log: createLogger({ write: () => {} }),
    metrics: createMetrics(),
    ...services,
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
    const { seed, model, n = 1, topLogprobs } = input as {
      seed?: number;
      model: string;
      n?: number;
      topLogprobs?: number;
    };
    const indexes = Array.from({ length: n }, (_, index) => index);
    const told = (text: string, logprob: number) => ({
      text,
      logprob,
      bytes: [...new TextEncoder().encode(text)],
    });
    const say = (delta: string) =>
      indexes.map((index) => ({
        delta,
        ...(index === 0 ? {} : { index }),
        ...(topLogprobs === undefined
          ? {}
          : { logprobs: [{ ...told(delta, -0.5), top: [told("Zwo", -0.1)] }] }),
      }));
    if (seed === 503) throw new AppError("QUEUE_FULL", "Too many calls wait");
    if (seed === 3) { for (const position of [3, 1]) yield { delta: "", queue: { position } }; }
    if (seed === 500) {
      const call = calls.at(-1)!;
      try {
        yield { odd: true };
      } finally {
        call.isEnded = true;
      }
    }
    yield* say("One");
    if (seed === 502) throw new AppError("CELL_LOST", "The cell is gone");
    if (seed === 499) {
      await new Promise((_, reject) =>
        signal?.addEventListener("abort", () => reject(signal.reason))
      );
    }
    yield* say(" two");
    return {
      model,
      text: "One two",
      finishReason: "stop",
      ...(n === 1
        ? {}
        : { choices: indexes.map((index) => ({ index, text: "One two", finishReason: "stop" })) }),
      usage: { promptTokens: 3, cachedTokens: 1, completionTokens: 2 * n },
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
