// Describes one static route for /openapi.json; the schemas are the routes' own zod schemas.

import type { MiddlewareHandler } from "hono";
import { describeRoute, resolver } from "hono-openapi";
import { z } from "zod";
import { errorStatus } from "../../plugins/runtime/contract/error.ts";
import type { Scope } from "../auth/scopes.ts";
import { type RouteRule, withRule } from "./route_rules.ts";
import type { HttpEnv } from "./services.ts";

export type OperationOptions =
  & OperationFacts
  & (
    /** What the credential must allow: see `RouteRule`. */
    | { scope: Scope | "any" | "invoke"; open?: never }
    /** Needs no credential; "optional": with one it tells more. */
    | { open: true | "optional"; scope?: never }
  );

interface OperationFacts {
  /** operationId: a verb and a noun. */
  id: string;
  summary: string;
  description?: string;
  tag: "auth" | "plugins" | "capabilities" | "models" | "openai" | "own" | "admin" | "system";
  input?: z.ZodType;
  output?: z.ZodType;
  /** Default "application/json". */
  outputType?: string;
  /** Whether the answer may be events too. */
  streams?: boolean;
  query?: { name: string; description: string; schema: z.ZodType }[];
  /** Answers OpenAI's error object and not a problem. */
  openAi?: boolean;
}

export function operation(options: OperationOptions): MiddlewareHandler<HttpEnv> {
  const { input, output = z.string(), outputType = "application/json" } = options;
  const rule: RouteRule = options.scope ?? (options.open === true ? "open" : "optional");
  const description = describeRoute({
    operationId: options.id,
    // The library's type knows no extensions, and its output keeps them.
    ...({ "x-bkg-scope": rule } as object),
    summary: options.summary,
    ...(options.description === undefined ? {} : { description: options.description }),
    tags: [options.tag],
    security: options.open === undefined ? [{ key: [] }] : [],
    ...(options.query === undefined ? {} : {
      parameters: options.query.map(({ name, description, schema }) => ({
        name,
        description,
        in: "query" as const,
        required: false,
        get schema() {
          return jsonSchemaOf(schema);
        },
      })),
    }),
    ...(input === undefined ? {} : {
      requestBody: {
        required: true,
        content: {
          "application/json": {
            get schema() {
              return jsonSchemaOf(input);
            },
          },
        },
      },
    }),
    responses: {
      200: {
        description: "Done",
        content: {
          [outputType]: { schema: resolver(output) },
          ...(options.streams ? { "text/event-stream": { schema: { type: "string" } } } : {}),
        },
      },
      default: {
        description: "An error",
        content: options.openAi
          ? { "application/json": { schema: resolver(openAiErrorSchema) } }
          : { "application/problem+json": { schema: resolver(problemSchema) } },
      },
    },
  });
  return withRule(rule, description);
}

/** What a client may send: defaults make a field optional. Made when somebody reads it, and not at the start. */
function jsonSchemaOf(schema: z.ZodType): Record<string, never> {
  const { $schema: _, ...plain } = z.toJSONSchema(schema, { io: "input" });
  return plain as unknown as Record<string, never>;
}

export const problemSchema = z.object({
  type: z.string(),
  title: z.string(),
  status: z.int(),
  detail: z.string(),
  instance: z.string(),
  code: z.enum(Object.keys(errorStatus)),
  retryable: z.boolean(),
  details: z.unknown().optional(),
}).meta({ id: "Problem", description: "RFC 9457 problem details" });

const openAiErrorSchema = z.object({
  error: z.object({
    message: z.string(),
    type: z.string(),
    param: z.string().nullable(),
    code: z.string().nullable(),
  }),
}).meta({ id: "OpenAIError", description: "OpenAI's error object" });
