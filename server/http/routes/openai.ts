// The OpenAI API on `llm.chat` and `llm.complete`, whichever plugin owns them.

import type { Hono } from "hono";
import { z } from "zod";
import { AppError, toAppError } from "../../../plugins/runtime/contract/error.ts";
import type { Identity } from "../../auth/authenticator.ts";
import { findNamedModel, listNamedModels, openAiModel, withPreset } from "../openai/named_model.ts";
import {
  type Answering,
  type ChatInput,
  chatRequest,
  type CompletionInput,
  completionRequest,
  parseChatRequest,
  parseCompletionRequest,
} from "../openai/request.ts";
import {
  chunksOf,
  completion,
  type CompletionFacts,
  type GenerationResult,
  readItem,
  readResult,
  type TokenLogprob,
} from "../openai/response.ts";
import type { Preset } from "../../services/preset_store.ts";
import { operation } from "../operation.ts";
import { json, openAiError } from "../reply.ts";
import type { HttpEnv, RequestScope, RouteDeps } from "../services.ts";
import { event, eventStream } from "../sse.ts";
import { callOptions } from "./capabilities.ts";

export function openAiRoutes(hono: Hono<HttpEnv>, deps: RouteDeps): void {
  const { body } = deps;
  hono.get(
    "/v1/models",
    operation({
      id: "listOpenAiModels",
      summary: "The models of this host, and the presets that the caller may use",
      tag: "openai",
      scope: "models:read",
      openAi: true,
      output: z.object({ object: z.literal("list"), data: z.array(openAiModelSchema) }),
    }),
    async (context) => {
      const { id: userId } = context.env.principal!;
      return json(context.env, { object: "list", data: await listNamedModels(deps, { userId }) });
    },
  );
  hono.get(
    "/v1/models/:model{.+}",
    operation({
      id: "getOpenAiModel",
      summary: "One model or preset",
      tag: "openai",
      scope: "models:read",
      openAi: true,
      output: openAiModelSchema,
    }),
    async (context) => {
      const { id: userId } = context.env.principal!;
      const name = context.req.param("model") ?? "";
      return json(context.env, openAiModel(await findNamedModel(deps, { name, userId })));
    },
  );
  hono.post(
    "/v1/chat/completions",
    operation({
      id: "createChatCompletion",
      summary: "Continues a chat",
      tag: "openai",
      scope: "invoke",
      openAi: true,
      streams: true,
      input: chatRequest,
      output: z.looseObject({ id: z.string(), object: z.literal("chat.completion") }),
    }),
    async (context) => {
      const asked = parseChatRequest(await body.json(context.req.raw));
      return generate(context.req.raw, context.env, { ...asked, kind: "chat", deps });
    },
  );
  hono.post(
    "/v1/completions",
    operation({
      id: "createCompletion",
      summary: "Continues a text",
      tag: "openai",
      scope: "invoke",
      openAi: true,
      streams: true,
      input: completionRequest,
      output: z.looseObject({ id: z.string(), object: z.literal("text_completion") }),
    }),
    async (context) => {
      const asked = parseCompletionRequest(await body.json(context.req.raw));
      return generate(context.req.raw, context.env, { ...asked, kind: "text", deps });
    },
  );
}

type Asked = { kind: "chat"; input: ChatInput } | { kind: "text"; input: CompletionInput };
type Generation = Asked & Answering & { deps: RouteDeps };

const openAiModelSchema = z.object({
  id: z.string(),
  object: z.literal("model"),
  created: z.int(),
  owned_by: z.string(),
}).meta({ id: "OpenAIModel" });

async function generate(
  request: Request,
  scope: RequestScope,
  { stream, includeUsage, deps, ...asked }: Generation,
): Promise<Response> {
  const { bus } = deps;
  const principal = scope.principal!;
  const { kind } = asked;
  const { model: name } = asked.input;
  const capability = kind === "chat" ? "llm.chat" : "llm.complete";
  requireCapability(deps, capability, principal);
  const { model, preset } = await findNamedModel(deps, { name, userId: principal.id });
  const own = preset === undefined ? asked.input : presetInput(asked, preset);
  // Grants hold a model's own id, which may be spelled otherwise here.
  const input = { ...own, model: model.id };
  const facts: CompletionFacts = {
    kind,
    id: `${kind === "chat" ? "chatcmpl" : "cmpl"}-${crypto.randomUUID().replaceAll("-", "")}`,
    created: Math.floor(Date.now() / 1000),
    model: name,
    fingerprint: `bkg-${deps.config.version}`,
    count: input.n ?? 1,
  };
  if (!stream) {
    const options = callOptions(scope, request.signal);
    if (input.topLogprobs === undefined) {
      return json(scope, completion(facts, readResult(await bus.call(capability, input, options))));
    }
    const { result, logprobs } = await gather(bus.stream(capability, input, options));
    return json(scope, completion(facts, result, logprobs));
  }
  const chunks = chunksOf(facts, includeUsage);
  // Sent with the first item, so that an early error can still have its status.
  let start = chunks.start.map((chunk) => event(chunk)).join("");
  const started = (text: string) => {
    const whole = start + text;
    start = "";
    return whole;
  };
  return eventStream(request, scope, {
    open: (signal) => bus.stream(capability, input, callOptions(scope, signal)),
    item(value) {
      const item = readItem(value);
      // A comment: clients pass it over, and the line stays alive.
      if (item.queue !== undefined) return `: queue ${item.queue.position}\n\n`;
      return started(event(chunks.delta(item)));
    },
    end: (value) => {
      const events = chunks.end(readResult(value)).map((chunk) => event(chunk)).join("");
      return started(`${events}data: [DONE]\n\n`);
    },
    fail: (error) => event(openAiError(toAppError(error))),
    auth: deps.auth,
    streams: deps.streams,
    pingIntervalMs: deps.config.pingIntervalMs,
    graceMs: deps.config.streamGraceMs,
  });
}

/** The result, and what was told of its tokens: of a long answer the stream alone tells that. */
async function gather(
  items: AsyncGenerator<unknown, unknown>,
): Promise<{ result: GenerationResult; logprobs: TokenLogprob[][] }> {
  const logprobs: TokenLogprob[][] = [];
  try {
    while (true) {
      const { done, value } = await items.next();
      if (done) return { result: readResult(value), logprobs };
      const { index = 0, logprobs: tokens = [] } = readItem(value);
      (logprobs[index] ??= []).push(...tokens);
    }
  } finally {
    await items.return(undefined);
  }
}

function presetInput(asked: Asked, preset: Preset): ChatInput {
  if (asked.kind === "chat") return withPreset(asked.input, preset);
  throw new AppError(
    "UNSUPPORTED_FEATURE",
    `"${preset.name}" is a preset, and those are for chats: name a model here`,
    { details: { param: "model" } },
  );
}

/** Throws UNAVAILABLE where no plugin offers it, and FORBIDDEN where the caller may not call it. */
export function requireCapability(
  { bus }: RouteDeps,
  capability: string,
  principal: Identity,
): void {
  try {
    bus.find(capability, principal);
  } catch (cause) {
    if (!(cause instanceof AppError) || cause.code !== "NOT_FOUND") throw cause;
    throw new AppError("UNAVAILABLE", `No plugin here offers "${capability}"`, { cause });
  }
}
