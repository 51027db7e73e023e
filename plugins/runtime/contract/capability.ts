// A capability: one callable that a plugin declares. It becomes a REST call, a stream, a tool, a form.

import { z } from "zod";

/** A JSON Schema 2020-12 document; remote `$ref` is refused when it is compiled. */
export type JsonSchema = boolean | { [keyword: string]: unknown };

const jsonSchema: z.ZodType<JsonSchema> = z.union([
  z.boolean(),
  z.record(z.string(), z.unknown()),
]);

/** `llm.chat`: lower-case words joined by dots, at least two. */
export const capabilityId = z.string().max(100).regex(
  /^[a-z][a-z0-9]*(?:[.-][a-z0-9]+)*\.[a-zA-Z0-9]+$/,
  "must be lower-case words joined by dots, such as 'llm.chat'",
);

export const capabilitySchema = z.strictObject({
  id: capabilityId,
  title: z.string().min(1).max(100),
  description: z.string().max(2000).default(""),
  /** What one call takes. */
  inputSchema: jsonSchema,
  /** What one call returns; for a streaming capability, one item of the stream. */
  outputSchema: jsonSchema,
  /** Streaming only: what the generator returns at its end. Without it the result is the list of items. */
  resultSchema: jsonSchema.optional(),
  streaming: z.boolean().default(false),
  examples: z.array(z.strictObject({
    title: z.string().max(100).default("example"),
    input: z.unknown(),
  })).max(20).default([]),
});

export type Capability = z.infer<typeof capabilitySchema>;
