// llmserver as the guest runs it, on engines and models of the test's own. Callers: tests.

import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { parseManifest } from "../runtime/contract/manifest.ts";
import { assertMatches, compileSchema, fillDefaults } from "../runtime/contract/schema.ts";
import type { CallContext } from "../runtime/guest/context.ts";
import type { WllamaEngine } from "../runtime/engines/wllama/interface.ts";
import type { Answer, AnswerItem } from "./answer.ts";
import type { LlmServer } from "./llm_server.ts";
import plugin from "./plugin.ts";
import type { Context, Settings } from "./settings.ts";

export const manifest = parseManifest(
  JSON.parse(readFileSync(new URL("./plugin.json", import.meta.url), "utf8")),
);

/** Engines that no test here uses. */
const absent = {
  onnx: { load: () => Promise.reject(new Error("not here")) },
  transformers: { load: () => Promise.reject(new Error("not here")) },
};

export type Open = (id: string) => ReturnType<Context["models"]["open"]>;

/** The plugin as the guest runs it, on an engine and models of the test's own. */
export async function startPlugin(
  engine: WllamaEngine,
  open: Open,
  { memoryMb = 4096, log = {}, ...settings }: Partial<Settings> & {
    memoryMb?: number;
    log?: Partial<Context["log"]>;
  } = {},
) {
  const metrics: Record<string, number> = {};
  const quiet = () => {};
  const ctx: Context = {
    pluginId: "llmserver",
    limits: { memoryMb },
    settings: { ...fillDefaults(manifest.settings, {}) as Settings, ...settings },
    log: { debug: quiet, info: quiet, warn: quiet, error: quiet, ...log },
    models: { list: () => Promise.resolve([]), open },
    engines: { ...absent, wllama: engine },
    metric: (name, value) => {
      assert(manifest.metrics.some((metric) => metric.name === name), `"${name}" is not declared`);
      metrics[name] = value;
    },
  };
  const state = await plugin.setup!(ctx) as LlmServer;
  const call = (capability: string, input: unknown, options: Partial<CallContext> = {}) => {
    const declared = manifest.capabilities.find(({ id }) => id === capability)!;
    const what = `Input of "${capability}"`;
    assertMatches(compileSchema(declared.inputSchema, what), input, "INVALID_INPUT", what);
    const context = {
      state,
      ctx,
      signal: new AbortController().signal,
      principal: "a",
      alive: quiet,
    };
    const handler = plugin.capabilities[capability]!;
    return handler(input as never, { ...context, ...options } as never) as AsyncGenerator<
      AnswerItem,
      Answer
    >;
  };
  return { call, metrics, state, [Symbol.asyncDispose]: async () => await plugin.teardown!(state) };
}

export async function collect(capability: string, stream: AsyncGenerator<AnswerItem, Answer>) {
  const { outputSchema, resultSchema } = manifest.capabilities.find(({ id }) => id === capability)!;
  const checkItem = compileSchema(outputSchema, "item");
  const streamed: string[] = [];
  const items: AnswerItem[] = [];
  while (true) {
    const { done, value } = await stream.next();
    if (done) {
      const check = compileSchema(resultSchema!, "result");
      assertMatches(check, value, "INVALID_OUTPUT", "The result");
      assert.deepEqual(
        value.choices.map(({ text }) => text),
        value.choices.map((_, at) => streamed[at] ?? ""),
      );
      assert.equal(value.text, value.choices[0]!.text);
      return { ...value, items };
    }
    assertMatches(checkItem, value, "INVALID_OUTPUT", "An item");
    const { index = 0, delta } = value;
    streamed[index] = (streamed[index] ?? "") + delta;
    items.push(value);
  }
}
