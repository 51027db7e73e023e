// The proof: a model of random weights, which means nothing by what it writes, writes documents that are all valid and
// come to their end, for schemas that are random too, on both kinds of vocabulary.

import assert from "node:assert/strict";
import { join } from "node:path";
import { generateGguf, shapes } from "../../../bench/generate_gguf.ts";
import type { JsonSchema } from "../../runtime/contract/capability.ts";
import { compileSchema } from "../../runtime/contract/schema.ts";
import { openModelFile, startEngine } from "../../runtime/engines/testing_harness.ts";
import type { WllamaModel } from "../../runtime/engines/wllama/interface.ts";
import { startNativeLlama } from "../../../server/testing/native_llama.ts";
import { readResponseFormat } from "./response_format.ts";

/** Brings a model file into an engine. */
type Load = (path: string) => Promise<WllamaModel>;

Deno.test("documents by schemas are valid and end with stop, in WebAssembly", async (t) => {
  await using harness = await startEngine();
  await proveDocuments(
    t,
    (path) => harness.engine.load(openModelFile(path), { contextLength: 2048, parallel: 2 }),
  );
});

Deno.test("documents by schemas are valid and end with stop, natively", async (t) => {
  using host = await startNativeLlama("documents by schemas");
  if (host === undefined) return;
  await proveDocuments(
    t,
    (path) => host.load({ ...openModelFile(path), path }, { contextLength: 2048, parallel: 2 }),
  );
});

async function proveDocuments(t: Deno.TestContext, load: Load): Promise<void> {
  const folder = await Deno.makeTempDir({ prefix: "bkg_documents_" });
  try {
    for (
      const [name, options] of [
        ["byte-level BPE", { tokenizer: "bpe", seed: 11 }],
        ["SentencePiece with a space before", { spacePrefix: true, seed: 12 }],
      ] as const
    ) {
      const { path } = await generateGguf({
        ...shapes["1m"],
        ...options,
        path: join(folder, `${options.seed}.gguf`),
      });
      const model = await load(path);
      await t.step(`100 documents on ${name}`, async () => {
        const seen = new Set<string>();
        const numbers = Array.from({ length: 100 }, (_, index) => options.seed * 1000 + index);
        // Two at once, as the model's slots.
        const work = async () => {
          for (let seed = numbers.pop(); seed !== undefined; seed = numbers.pop()) {
            seen.add(await writeDocument(model, seed));
          }
        };
        await Promise.all([work(), work()]);
        assert(seen.size > 85, `only ${seen.size} documents are different`);
      });
      await model.unload();
    }
  } finally {
    await Deno.remove(folder, { recursive: true });
  }
}

async function writeDocument(model: WllamaModel, seed: number): Promise<string> {
  const schema = randomSchema(seed);
  const { grammar } = readResponseFormat({ type: "json_schema", schema });
  const options = {
    principal: "a",
    grammar: grammar!,
    seed,
    temperature: 0.7 + seed % 3 * 0.4,
    maxTokens: 1800,
  };
  const stream = seed % 2 === 0
    ? model.complete("A document: ", options)
    : model.chat([{ role: "user", content: "A document, please" }], options);
  let text = "";
  while (true) {
    const { done, value } = await stream.next();
    if (!done) {
      text += value.text;
      continue;
    }
    const what = `${JSON.stringify(schema)}\n${text}`;
    assert.equal(value.finishReason, "stop", what);
    assert.deepEqual(compileSchema(schema, "document")(JSON.parse(text)), [], what);
    return text;
  }
}

/** Objects in objects, with enums, unions, patterns, formats, bounds, arrays, and $refs, one to itself. */
function randomSchema(seed: number): JsonSchema & object {
  let state = seed;
  const random = (below: number) => {
    state = (Math.imul(state, 1_664_525) + 1_013_904_223) >>> 0;
    return Math.floor(state / 2 ** 32 * below);
  };
  const pick = <Item>(items: readonly Item[]): Item => items[random(items.length)]!;
  const leaf = (): JsonSchema =>
    pick<() => JsonSchema>([
      () => ({ type: "boolean" }),
      () => ({ enum: ["red", "green", "greenish", 1, null].slice(0, 2 + random(4)) }),
      () => ({ const: pick(["on", 7, null]) }),
      () => ({ type: "integer", minimum: random(200) - 100, maximum: 101 + random(5000) }),
      () => ({
        type: "number",
        exclusiveMinimum: random(100) / 10 - 5,
        maximum: 5 + random(99) / 4,
      }),
      () => ({ type: "string", minLength: random(4), maxLength: 4 + random(10) }),
      () => ({
        type: "string",
        pattern: pick([
          "^[A-Z]{2}-\\d{2,5}$",
          "^(?:ab|cd)+e?$",
          '^[^\\s"]{1,8}$',
          "^v\\d{1,2}(?:\\.\\d{1,2}){0,2}$",
        ]),
        maxLength: 20,
      }),
      () => ({
        type: "string",
        format: pick(["date", "time", "date-time", "uuid", "ipv4", "email"]),
      }),
      () => ({ type: ["integer", "null"], minimum: 0, maximum: 9 }),
      () => ({ $ref: "#/$defs/point" }),
      () => ({ $ref: "#/$defs/node" }),
    ])();
  const value = (depth: number): JsonSchema => {
    const kind = depth === 0 ? 9 : random(10);
    if (kind < 3) return object(depth - 1);
    if (kind < 5) {
      return { type: "array", items: value(depth - 1), minItems: random(2), maxItems: 3 };
    }
    if (kind < 7) return { anyOf: [value(depth - 1), leaf(), { type: "null" }] };
    return leaf();
  };
  const object = (depth: number): JsonSchema & object => {
    const names = ["id", "name", 'say "hi"', "größe", "tags", "nested"].slice(0, 2 + random(3));
    return {
      type: "object",
      properties: Object.fromEntries(names.map((name) => [name, value(depth)])),
      required: names.filter(() => random(3) > 0),
      additionalProperties: false,
    };
  };
  return {
    $defs: {
      point: {
        type: "object",
        properties: { x: { type: "number" }, y: { type: "integer" } },
        required: ["x", "y"],
      },
      node: {
        type: "object",
        properties: {
          value: { type: "integer" },
          next: { anyOf: [{ $ref: "#/$defs/node" }, { type: "null" }] },
        },
        required: ["value", "next"],
      },
    },
    ...object(2),
  };
}
