// OpenAI's requests, turned into inputs of `llm.chat` and `llm.complete`. What cannot be honoured is refused
// by name; what changes nothing is ignored, as OpenAI does.

import { z } from "zod";
import { AppError } from "../../../plugins/runtime/contract/error.ts";
import { issueText, meantIssue } from "../issue_text.ts";
import { givenFormat, type ResponseFormat, responseFormat } from "./response_format.ts";

/** The sampling fields that `llm.chat` and `llm.complete` share. */
export interface GenerationInput {
  model: string;
  maxTokens?: number;
  temperature?: number;
  topP?: number;
  topK?: number;
  minP?: number;
  frequencyPenalty?: number;
  presencePenalty?: number;
  repeatPenalty?: number;
  seed?: number;
  stop?: string[];
  n?: number;
  topLogprobs?: number;
}

export interface ChatInput extends GenerationInput {
  messages: { role: z.infer<typeof role>; content: string }[];
  responseFormat?: ResponseFormat;
}

export interface CompletionInput extends GenerationInput {
  prompt: string;
}

export interface Answering {
  stream: boolean;
  includeUsage: boolean;
}

export function parseChatRequest(value: unknown): { input: ChatInput } & Answering {
  const request = parse(chatRequest, value);
  refuseUnsupported(request, unsupportedInChat);
  const messages = request.messages.map(({ role, content, ...rest }, index) => {
    if (isAsked(rest["tool_calls"])) throw unsupported(`messages[${index}].tool_calls`);
    return { role, content: textOf(content, `messages[${index}].content`) };
  });
  const { logprobs, top_logprobs } = request;
  if (top_logprobs != null && logprobs !== true) {
    throw new AppError("INVALID_INPUT", '"top_logprobs" is told only with "logprobs": true', {
      details: { param: "top_logprobs" },
    });
  }
  const asked = given("topLogprobs", logprobs === true ? top_logprobs ?? 0 : undefined);
  const input = { ...generation(request), ...asked, messages };
  if (request.max_completion_tokens != null) input.maxTokens = request.max_completion_tokens;
  const format = givenFormat(request.response_format);
  return { input: { ...input, ...format }, ...answering(request) };
}

export function parseCompletionRequest(value: unknown): { input: CompletionInput } & Answering {
  const request = parse(completionRequest, value);
  refuseUnsupported(request, unsupportedInCompletion);
  const prompts = typeof request.prompt === "string" ? [request.prompt] : request.prompt;
  const [prompt] = prompts;
  if (prompts.length !== 1 || typeof prompt !== "string") throw unsupported("prompt");
  const { logprobs } = request;
  const asked = given("topLogprobs", typeof logprobs === "number" ? logprobs : undefined);
  return { input: { ...generation(request), ...asked, prompt }, ...answering(request) };
}

const count = z.int().min(1).nullish();
const role = z.enum(["system", "user", "assistant", "developer", "tool"]);
const stopString = z.string().min(1).max(500);
const common = {
  model: z.string().min(1),
  temperature: z.number().min(0).max(2).nullish(),
  top_p: z.number().min(0).max(1).nullish(),
  top_k: z.int().min(0).nullish(),
  min_p: z.number().min(0).max(1).nullish(),
  frequency_penalty: z.number().min(-2).max(2).nullish(),
  presence_penalty: z.number().min(-2).max(2).nullish(),
  repeat_penalty: z.number().min(0).max(10).nullish(),
  seed: z.int().nullish(),
  n: z.int().min(1).max(8).nullish(),
  max_tokens: count,
  stop: z.union([stopString, z.array(stopString).max(16)]).nullish(),
  stream: z.boolean().nullish(),
  stream_options: z.looseObject({ include_usage: z.boolean().nullish() }).nullish(),
};
const topLogprobs = z.int().min(0).max(20);
const textPart = z.looseObject({ type: z.string(), text: z.string().optional() });

export const chatRequest = z.looseObject({
  ...common,
  response_format: responseFormat.nullish(),
  messages: z.array(z.looseObject({
    role,
    content: z.union([z.string(), z.array(textPart)]).nullish(),
  })).min(1),
  max_completion_tokens: count,
  logprobs: z.boolean().nullish(),
  top_logprobs: topLogprobs.nullish(),
});

export const completionRequest = z.looseObject({
  ...common,
  prompt: z.union([z.string(), z.array(z.unknown()).min(1)]),
  // Some clients say false for none.
  logprobs: z.union([topLogprobs, z.literal(false)]).nullish(),
});

type Common = z.infer<z.ZodObject<typeof common>>;

/** Each names a field and tells whether its value asks for what is not done here. */
type Refusals = Record<string, (value: unknown) => boolean>;

const unsupportedInBoth: Refusals = {
  logit_bias: isAsked,
};
const unsupportedInChat: Refusals = {
  ...unsupportedInBoth,
  tools: isAsked,
  functions: isAsked,
  audio: isAsked,
  modalities: (value) => !Array.isArray(value) || value.some((item) => item !== "text"),
  prediction: isAsked,
  web_search_options: isAsked,
};
const unsupportedInCompletion: Refusals = {
  ...unsupportedInBoth,
  best_of: (value) => value !== 1,
  response_format: (value) => (value as { type?: unknown }).type !== "text",
  echo: isAsked,
  suffix: isAsked,
};

function refuseUnsupported(request: Record<string, unknown>, refusals: Refusals): void {
  for (const [name, refuses] of Object.entries(refusals)) {
    const value = request[name];
    if (value != null && refuses(value)) throw unsupported(name);
  }
}

/** A value that switches something on: not false, 0, "" or empty. */
function isAsked(value: unknown): boolean {
  if (Array.isArray(value)) return value.length > 0;
  if (typeof value === "object" && value !== null) return Object.keys(value).length > 0;
  return Boolean(value);
}

/** `reason`: what is not done, where the field's name does not say. */
export function unsupported(param: string, reason?: string): AppError {
  const message = `"${param}" asks for what this server does not do${reason ? `: ${reason}` : ""}`;
  return new AppError("UNSUPPORTED_FEATURE", message, { details: { param } });
}

function textOf(
  content: string | z.infer<typeof textPart>[] | null | undefined,
  param: string,
): string {
  if (content == null) return "";
  if (typeof content === "string") return content;
  return content.map((part, index) => {
    if (part.type !== "text" || part.text === undefined) throw unsupported(`${param}[${index}]`);
    return part.text;
  }).join("");
}

function generation(request: Common): GenerationInput {
  const { stop } = request;
  return {
    model: request.model,
    ...given("maxTokens", request.max_tokens),
    ...given("temperature", request.temperature),
    ...given("topP", request.top_p),
    ...given("topK", request.top_k),
    ...given("minP", request.min_p),
    ...given("frequencyPenalty", request.frequency_penalty),
    ...given("presencePenalty", request.presence_penalty),
    ...given("repeatPenalty", request.repeat_penalty),
    ...given("seed", request.seed),
    ...given("n", request.n),
    ...(stop == null ? {} : { stop: typeof stop === "string" ? [stop] : stop }),
  };
}

function given<N extends string>(name: N, value: number | null | undefined): { [K in N]?: number } {
  return (value == null ? {} : { [name]: value }) as { [K in N]?: number };
}

function answering(request: Common): Answering {
  const stream = request.stream === true;
  return { stream, includeUsage: stream && request.stream_options?.include_usage === true };
}

/** Throws INVALID_INPUT with the path of the first field that is wrong. */
export function parse<T extends z.ZodType>(schema: T, value: unknown): z.infer<T> {
  const result = schema.safeParse(value);
  if (result.success) return result.data;
  const issue = meantIssue(result.error.issues[0]!);
  const param = issue.path.map((part, index) =>
    typeof part === "number" ? `[${part}]` : index === 0 ? String(part) : `.${String(part)}`
  ).join("");
  throw new AppError("INVALID_INPUT", `"${param || "body"}" ${issueText(issue)}`, {
    details: { param: param || null },
  });
}
