// The OpenAI API on `llm.chat` and `llm.complete`, whichever plugin owns them.

import type { Hono } from "hono";
import { z } from "zod";
import { AppError, toAppError } from "../../../plugins/runtime/contract/error.ts";
import type { ModelRecord } from "../../../models/model.ts";
import {
  type Answering,
  chatRequest,
  completionRequest,
  type GenerationInput,
  parseChatRequest,
  parseCompletionRequest,
} from "../openai/request.ts";
import {
  chunksOf,
  completion,
  type CompletionFacts,
  readDelta,
  readResult,
} from "../openai/response.ts";
import { operation } from "../operation.ts";
import { json, openAiError } from "../reply.ts";
import type { HttpEnv, RequestScope, RouteDeps } from "../services.ts";
import { event, eventStream } from "../sse.ts";

export function openAiRoutes(hono: Hono<HttpEnv>, deps: RouteDeps): void {
  const { models, body } = deps;
  hono.get(
    "/v1/models",
    operation({
      id: "listOpenAiModels",
      summary: "The models of this host",
      tag: "openai",
      openAi: true,
      output: z.object({ object: z.literal("list"), data: z.array(openAiModelSchema) }),
    }),
    async (context) => {
      return json(context.env, { object: "list", data: (await models.list()).map(openAiModel) });
    },
  );
  hono.get(
    "/v1/models/:model{.+}",
    operation({
      id: "getOpenAiModel",
      summary: "One model",
      tag: "openai",
      openAi: true,
      output: openAiModelSchema,
    }),
    async (context) =>
      json(context.env, openAiModel(await findModel(deps, context.req.param("model") ?? ""))),
  );
  hono.post(
    "/v1/chat/completions",
    operation({
      id: "createChatCompletion",
      summary: "Continues a chat",
      tag: "openai",
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

interface Generation extends Answering {
  kind: CompletionFacts["kind"];
  input: GenerationInput;
  deps: RouteDeps;
}

const openAiModelSchema = z.object({
  id: z.string(),
  object: z.literal("model"),
  created: z.int(),
  owned_by: z.string(),
}).meta({ id: "OpenAIModel" });

async function generate(
  request: Request,
  scope: RequestScope,
  { kind, input, stream, includeUsage, deps }: Generation,
): Promise<Response> {
  const { bus } = deps.host;
  const capability = kind === "chat" ? "llm.chat" : "llm.complete";
  requireCapability(deps, capability);
  await findModel(deps, input.model);
  const facts: CompletionFacts = {
    kind,
    id: `${kind === "chat" ? "chatcmpl" : "cmpl"}-${crypto.randomUUID().replaceAll("-", "")}`,
    created: Math.floor(Date.now() / 1000),
    model: input.model,
    fingerprint: `bkg-${deps.config.version}`,
  };
  const principal = scope.principal!;
  if (!stream) {
    const result = await bus.call(capability, input, { principal, signal: request.signal });
    return json(scope, completion(facts, readResult(result)));
  }
  const chunks = chunksOf(facts, includeUsage);
  // Sent with the first item, so that an early error can still have its status.
  let start = chunks.start === undefined ? "" : event(chunks.start);
  const started = (text: string) => {
    const whole = start + text;
    start = "";
    return whole;
  };
  return eventStream(request, scope, {
    open: (signal) => bus.stream(capability, input, { principal, signal }),
    item: (value) => started(event(chunks.delta(readDelta(value)))),
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

function requireCapability({ host }: RouteDeps, capability: string): void {
  try {
    host.bus.find(capability);
  } catch (cause) {
    throw new AppError("UNAVAILABLE", `No plugin here offers "${capability}"`, { cause });
  }
}

async function findModel({ models }: RouteDeps, id: string): Promise<ModelRecord> {
  try {
    return await models.get(id);
  } catch (error) {
    if (!(error instanceof AppError) || error.code !== "NOT_FOUND") throw error;
    throw new AppError("NOT_FOUND", `${error.message}; GET /v1/models lists what there is`, {
      details: { param: "model", openAiCode: "model_not_found" },
      cause: error,
    });
  }
}

function openAiModel({ id, createdAtMs }: ModelRecord): z.infer<typeof openAiModelSchema> {
  return { id, object: "model", created: Math.floor(createdAtMs / 1000), owned_by: "bkg" };
}
