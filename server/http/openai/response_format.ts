// OpenAI's `response_format`, turned into the `responseFormat` of `llm.chat`.

import { z } from "zod";

/** As `llm.chat` takes it. */
export type ResponseFormat =
  | { type: "json_object" }
  | { type: "json_schema"; schema: Record<string, unknown> };

export const responseFormat = z.discriminatedUnion("type", [
  z.looseObject({ type: z.literal("text") }),
  z.looseObject({ type: z.literal("json_object") }),
  z.looseObject({
    type: z.literal("json_schema"),
    json_schema: z.looseObject({
      name: z.string().regex(/^[a-zA-Z0-9_-]{1,64}$/, "must be 1 to 64 letters, digits, _ or -"),
      description: z.string().nullish(),
      schema: z.record(z.string(), z.unknown()),
      // Either way the answer keeps to the schema: there is no weaker promise to ask for.
      strict: z.boolean().nullish(),
    }),
  }),
]);

/** The field as a part of the call's input; text is what is made without. */
export function givenFormat(
  format: z.infer<typeof responseFormat> | null | undefined,
): { responseFormat?: ResponseFormat } {
  if (format == null || format.type === "text") return {};
  if (format.type === "json_object") return { responseFormat: { type: "json_object" } };
  return { responseFormat: { type: "json_schema", schema: format.json_schema.schema } };
}
