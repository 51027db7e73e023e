// What `responseFormat` asks for, as the grammar that the engine keeps to: made and checked once for each call.

import { checkGrammar, PluginError } from "@bkg/plugin";
import { anyObjectGrammar, schemaToGrammar } from "./schema_grammar.ts";

/** As plugin.json declares it; `schema` and `grammar` go with the type of their name. */
export interface ResponseFormat {
  type: "text" | "json_object" | "json_schema" | "grammar";
  schema?: unknown;
  grammar?: string;
}

/** The input of a call with its `responseFormat` as a grammar. */
export function withGrammar<Input extends { responseFormat?: ResponseFormat }>(input: Input) {
  const { responseFormat, ...rest } = input;
  return { ...rest, ...readResponseFormat(responseFormat) };
}

/** Throws INVALID_INPUT or UNSUPPORTED_FEATURE; `details.field` is "responseFormat.schema" or "responseFormat.grammar". */
export function readResponseFormat(format: ResponseFormat | undefined): { grammar?: string } {
  if (format === undefined) return {};
  const { type } = format;
  const wanted = type === "json_schema" ? "schema" : type === "grammar" ? "grammar" : undefined;
  for (const field of ["schema", "grammar"] as const) {
    if ((field === wanted) === (format[field] !== undefined)) continue;
    const problem = field === wanted ? "is missing" : "is there";
    throw refused(`responseFormat.${field}`, `${problem} with the type "${type}"`);
  }
  if (type === "text") return {};
  // Ours, bounded, and always the same.
  if (type === "json_object") return { grammar: anyObjectGrammar() };
  const grammar = type === "grammar" ? format.grammar! : schemaToGrammar(format.schema);
  try {
    checkGrammar(grammar);
  } catch (cause) {
    const message = cause instanceof PluginError ? cause.message : "The grammar is not valid";
    const made = type === "grammar" ? message : `${message}: the schema must be simpler`;
    throw new PluginError("INVALID_INPUT", made, {
      details: { field: `responseFormat.${wanted}` },
      cause,
    });
  }
  return { grammar };
}

function refused(field: string, problem: string): PluginError {
  return new PluginError("INVALID_INPUT", `The field "${field}" ${problem}`, {
    details: { field },
  });
}
