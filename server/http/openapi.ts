// /openapi.json: the static routes as they describe themselves, and one operation for each capability.

import type { Hono } from "hono";
import { generateSpecs } from "hono-openapi";
import type { Capability, JsonSchema } from "../../plugins/runtime/contract/capability.ts";
import type { HttpConfig, HttpEnv } from "./services.ts";

/** An OpenAPI 3.1 document, as far as this server reads it back. */
export interface OpenApiDocument {
  openapi: string;
  paths: Record<string, Record<string, OpenApiOperation>>;
  components: { schemas: Record<string, unknown>; [kind: string]: unknown };
  [field: string]: unknown;
}

export interface OpenApiOperation {
  operationId?: string;
  summary?: string;
  description?: string;
  tags?: string[];
  [field: string]: unknown;
}

export async function describeRoutes(
  hono: Hono<HttpEnv>,
  config: HttpConfig,
): Promise<OpenApiDocument> {
  const specs = await generateSpecs(hono, {
    // A path with a dot is a document here, and as much an operation as any.
    excludeStaticFile: false,
    documentation: {
      openapi: "3.1.0",
      info: {
        title: "bkg",
        version: config.version,
        description: "Sandboxed AI plugins over HTTP",
        license: { name: "Apache-2.0", identifier: "Apache-2.0" },
      },
      servers: [{ url: config.publicUrl ?? "/" }],
      security: [{ key: [] }],
      tags: [
        { name: "capabilities", description: "What the installed plugins can do" },
        { name: "auth", description: "Signing in, and who one is" },
        { name: "plugins" },
        { name: "models" },
        { name: "openai", description: "The OpenAI API" },
        { name: "own", description: "What is yours: keys, usage, chats, presets" },
        { name: "admin", description: "Users, roles, everyone's keys, audit, usage and settings" },
        { name: "system" },
      ],
      components: { securitySchemes: { key: { type: "http", scheme: "bearer" } } },
    },
  });
  return specs as unknown as OpenApiDocument;
}

/** Adds an operation for each capability to a copy of the static document. */
export function withCapabilities(
  base: OpenApiDocument,
  capabilities: readonly Capability[],
): OpenApiDocument {
  const document: OpenApiDocument = {
    ...base,
    paths: { ...base.paths },
    components: { ...base.components, schemas: { ...base.components.schemas } },
  };
  const { schemas } = document.components;
  for (const capability of capabilities) {
    const { id } = capability;
    const place = (part: string, schema: JsonSchema) => {
      const name = `${id}.${part}`;
      schemas[name] = rehome(schema, name);
      return { $ref: `#/components/schemas/${name}` };
    };
    const input = place("input", capability.inputSchema);
    const item = place("output", capability.outputSchema);
    const result = capability.resultSchema === undefined
      ? undefined
      : place("result", capability.resultSchema);
    const json = capability.streaming ? result ?? { type: "array", items: item } : item;
    const examples = Object.fromEntries(
      capability.examples.map(({ title, input }, index) => [
        `example${index + 1}`,
        { summary: title, value: input },
      ]),
    );
    document.paths[`/api/capabilities/${id}`] = {
      post: {
        "x-bkg-scope": `invoke:${id}`,
        operationId: `call_${id.replace(/[^A-Za-z0-9]/g, "_")}`,
        summary: capability.title,
        description: capability.description,
        tags: ["capabilities"],
        requestBody: {
          required: true,
          content: {
            "application/json": {
              schema: input,
              ...(capability.examples.length > 0 ? { examples } : {}),
            },
          },
        },
        responses: {
          "200": {
            description: "The result",
            content: {
              "application/json": { schema: json },
              "text/event-stream": {
                schema: { type: "string" },
                // OpenAPI 3.1 cannot say what the events of a stream are.
                "x-bkg-item": item,
                ...(result === undefined ? {} : { "x-bkg-result": result }),
              },
            },
          },
          default: {
            description: "An error",
            content: {
              "application/problem+json": { schema: { $ref: "#/components/schemas/Problem" } },
            },
          },
        },
      },
    };
  }
  return document;
}

/** Keywords whose values are data: a "$ref" in there is no reference. */
const dataKeywords = new Set(["const", "enum", "default", "examples", "example"]);

/** A schema's own references ("#/$defs/x") point into the document once the schema stands in it. */
function rehome(schema: JsonSchema, name: string): unknown {
  if (typeof schema === "boolean") return schema;
  const { $schema: _schema, $id: _id, ...rest } = schema;
  return walk(rest, `#/components/schemas/${name}`, true);
}

function walk(value: unknown, home: string, isSchema: boolean): unknown {
  if (Array.isArray(value)) return value.map((item) => walk(item, home, isSchema));
  if (typeof value !== "object" || value === null) return value;
  const moved: Record<string, unknown> = {};
  for (const [key, item] of Object.entries(value)) {
    if (isSchema && dataKeywords.has(key)) moved[key] = item;
    else if (isSchema && key === "$ref" && typeof item === "string" && /^#(?:\/|$)/.test(item)) {
      moved[key] = home + item.slice(1);
    } // Below "properties" and "$defs" the keys are names, and one may be "default".
    else moved[key] = walk(item, home, !(isSchema && namedSchemas.has(key)));
  }
  return moved;
}

const namedSchemas = new Set(["properties", "patternProperties", "$defs", "dependentSchemas"]);
