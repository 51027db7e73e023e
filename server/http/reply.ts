// Every answer is made here: JSON, RFC 9457 problems, and on /v1 OpenAI's error object.
// Headers are few and set at once: each costs about a microsecond on the hot path.

import type { AppError } from "../../plugins/runtime/contract/error.ts";
import type { LimitState } from "../auth/limits.ts";
import { toJsonText } from "./json_text.ts";
import type { RequestScope } from "./services.ts";

/** A value as JSON; `undefined` is `null`. */
export function json(scope: RequestScope, value: unknown, status = 200): Response {
  const headers: Record<string, string> = {
    "content-type": "application/json",
    "x-content-type-options": "nosniff",
    "x-request-id": scope.requestId,
  };
  if (scope.limit !== undefined) addLimit(headers, scope.limit);
  return new Response(toJsonText(value), { status, headers });
}

/** A value that is shown this once: nobody on the way keeps it. */
export function secretJson(scope: RequestScope, value: unknown): Response {
  const response = json(scope, value);
  response.headers.set("cache-control", "no-store");
  return response;
}

/** Headers of answers that are not JSON. */
export function plainHeaders(scope: RequestScope, contentType: string): Record<string, string> {
  const headers: Record<string, string> = {
    "content-type": contentType,
    "x-content-type-options": "nosniff",
    "x-request-id": scope.requestId,
    "cache-control": "no-store",
    "referrer-policy": "no-referrer",
    "content-security-policy": "default-src 'none'; frame-ancestors 'none'",
  };
  if (scope.limit !== undefined) addLimit(headers, scope.limit);
  return headers;
}

/** The fields of draft-ietf-httpapi-ratelimit-headers. The policy's name is made of names of plugins alone. */
function addLimit(
  headers: Record<string, string>,
  { policy, limit, remaining, resetMs, windowMs }: LimitState,
): void {
  headers["ratelimit-policy"] = `"${policy}";q=${limit};w=${seconds(windowMs)}`;
  headers["ratelimit"] = `"${policy}";r=${remaining};t=${seconds(resetMs)}`;
}

function seconds(ms: number): number {
  return Math.ceil(ms / 1000);
}

/** The error in the shape that the path's clients expect. */
export function failure(scope: RequestScope, error: AppError): Response {
  scope.failure = error;
  const openAi = scope.path === "/v1" || scope.path.startsWith("/v1/");
  const headers = plainHeaders(scope, openAi ? "application/json" : "application/problem+json");
  if (error.status === 401) headers["www-authenticate"] = "Bearer";
  if (error.status === 429 || error.status === 503) {
    headers["retry-after"] = String(retryAfterSeconds(error));
  }
  const allow = detail(error, "allow");
  if (error.status === 405 && typeof allow === "string") headers["allow"] = allow;
  // The rest of a refused body would be read as the next request.
  if (error.status === 408 || error.status === 413) headers["connection"] = "close";
  const body = openAi ? openAiError(error) : problem(scope, error);
  return new Response(JSON.stringify(body), { status: error.status, headers });
}

/** RFC 9457, with bkg's stable `code`. */
export function problem(scope: RequestScope, error: AppError): Record<string, unknown> {
  const words = error.code.toLowerCase().replaceAll("_", " ");
  return {
    type: `urn:bkg:error:${words.replaceAll(" ", "-")}`,
    title: words.charAt(0).toUpperCase() + words.slice(1),
    status: error.status,
    detail: error.message,
    instance: `urn:bkg:request:${scope.requestId}`,
    code: error.code,
    retryable: error.retryable,
    ...(error.details === undefined ? {} : { details: error.details }),
  };
}

/** OpenAI's error object; its `code` is what OpenAI calls the same thing. */
export function openAiError(error: AppError): { error: Record<string, unknown> } {
  const param = detail(error, "param") ?? openAiParams[String(detail(error, "field"))];
  return {
    error: {
      message: error.message,
      type: openAiType(error.status),
      param: typeof param === "string" ? param : null,
      code: detail(error, "openAiCode") ?? openAiCodes[error.code] ?? error.code.toLowerCase(),
    },
  };
}

/** Fields of a capability's input that OpenAI calls otherwise. */
const openAiParams: Record<string, string> = {
  "responseFormat.schema": "response_format.json_schema.schema",
};

const openAiCodes: Partial<Record<AppError["code"], string>> = {
  UNAUTHENTICATED: "invalid_api_key",
  INVALID_INPUT: "invalid_value",
  CONTEXT_OVERFLOW: "context_length_exceeded",
  RATE_LIMITED: "rate_limit_exceeded",
  INTERNAL: "server_error",
};

function openAiType(status: number): string {
  if (status === 401) return "authentication_error";
  if (status === 403) return "permission_error";
  if (status === 429) return "rate_limit_error";
  return status >= 500 ? "server_error" : "invalid_request_error";
}

function retryAfterSeconds(error: AppError): number {
  const ms = detail(error, "retryAfterMs");
  return typeof ms === "number" && ms > 0 ? Math.min(seconds(ms), maxRetryAfterS) : 1;
}

/** A month's quota, and no more than that from who made up an error. */
const maxRetryAfterS = 31 * 86_400;

function detail(error: AppError, name: string): unknown {
  const { details } = error;
  return typeof details === "object" && details !== null && Object.hasOwn(details, name)
    ? (details as Record<string, unknown>)[name]
    : undefined;
}
