// The fit estimate against the truth: models of many shapes, loaded by a real server, one answer each; the peak of
// the cell's resident memory beside what models/fit.ts predicted. Caller: the benchmark, and fit_test.ts.

import { basename, dirname, join } from "node:path";
import { estimateFit, type Fit, type MachineFacts } from "../models/fit.ts";
import { readGguf } from "../models/gguf.ts";
import { createReader } from "../models/store/headers.ts";
import { projectRoot } from "../server/build/bundles.ts";
import { startServer } from "../server/testing/server_process.ts";
import { sharedModelsFolder, sharedModelsProblem } from "../server/testing/shared_models.ts";
import { findCell, postJson } from "./cell_of.ts";
import { generateGguf, type GenerateOptions } from "./generate_gguf.ts";
import type { Row, Section } from "./report.ts";

/** llmserver's settings that memory depends on; its own defaults otherwise. */
export interface LoadSettings {
  contextLength?: number;
  parallel?: number;
  threads?: number;
}

interface Case {
  what: string;
  model: { path: string } | Omit<GenerateOptions, "path">;
  settings: LoadSettings;
}

/** By the shapes that people load: all of them with random weights, which weigh the same. */
const cases: readonly Case[] = [
  { what: "demo-stories, q8_0", model: { path: demoModelPath() }, settings: {} },
  {
    what: "60M, q8_0",
    model: { dim: 512, layers: 12, heads: 8, kvHeads: 8, ffn: 1408, vocab: 32_000 },
    settings: { contextLength: 2048, parallel: 2 },
  },
  {
    what: "100M, f16",
    model: { dim: 768, layers: 12, heads: 12, kvHeads: 12, ffn: 2048, vocab: 32_000, type: "f16" },
    settings: { contextLength: 512, parallel: 1 },
  },
  {
    what: "135M, q8_0, 4 contexts of 4,096",
    model: {
      ...{ dim: 576, layers: 30, heads: 9, kvHeads: 3, ffn: 1536, vocab: 49_152 },
      contextLength: 8192,
    },
    settings: {},
  },
  {
    what: "135M, q8_0, 2 threads",
    model: {
      ...{ dim: 576, layers: 30, heads: 9, kvHeads: 3, ffn: 1536, vocab: 49_152 },
      contextLength: 8192,
    },
    settings: { parallel: 1, threads: 2 },
  },
  {
    what: "350M, q8_0",
    model: { dim: 1024, layers: 24, heads: 16, kvHeads: 16, ffn: 2816, vocab: 32_000 },
    settings: { parallel: 1 },
  },
  {
    what: "0.5B, q8_0, 151,936 words, 4 contexts of 4,096",
    model: {
      ...{ dim: 896, layers: 24, heads: 14, kvHeads: 2, ffn: 4864, vocab: 151_936 },
      contextLength: 32_768,
    },
    settings: {},
  },
  {
    what: "1.1B, q4_0, 4 contexts of 4,096",
    model: {
      ...{ dim: 2048, layers: 22, heads: 32, kvHeads: 4, ffn: 5632, vocab: 32_000 },
      contextLength: 8192,
      type: "q4_0",
    },
    settings: {},
  },
];

export async function measureFit(): Promise<Section> {
  const rows: Row[] = [];
  const folder = await Deno.makeTempDir();
  try {
    for (const [index, { what, model, settings }] of cases.entries()) {
      const path = "path" in model ? model.path : join(folder, `case-${index}.gguf`);
      if (!("path" in model)) await generateGguf({ path, ...model });
      rows.push(await compare(path, { what, settings }));
      if (!("path" in model)) await Deno.remove(path);
    }
    const missing = sharedModelsProblem();
    if (missing !== undefined) console.error(`skipped rand-15M-q8_0: ${missing}`);
    else {
      const path = join(sharedModelsFolder, "rand-15M-q8_0.gguf");
      rows.push(await compare(path, { what: "rand-15M, q8_0", settings: {} }));
    }
  } finally {
    await Deno.remove(folder, { recursive: true });
  }
  return {
    title: "Fit",
    how:
      `Peak resident memory (VmHWM) of llmserver's cell, from its start to ${
        settleMs / 1000
      } s after one ` +
      `answer of ${answerTokens} tokens, against what models/fit.ts predicts for it. A fresh server each time.`,
    rows,
  };
}

async function compare(
  path: string,
  { what, settings }: { what: string; settings: LoadSettings },
): Promise<Row> {
  const { peakBytes } = await predictPeak(path, settings);
  const measured = await measurePeak(path, settings);
  const ratio = peakBytes / measured;
  return {
    what,
    measured: `predicted ${inMib(peakBytes)} (${ratio.toFixed(2)}x)`,
    reference: `took ${inMib(measured)}`,
    budget: "within 20 %",
    met: Math.abs(ratio - 1) <= 0.2,
  };
}

/** What the estimate says of a GGUF file with these settings. */
export async function predictPeak(path: string, settings: LoadSettings = {}): Promise<Fit> {
  using file = await Deno.open(path);
  const { size } = await file.stat();
  const header = await readGguf(createReader(file, size));
  const fit = estimateFit(
    {
      engine: "wllama",
      size,
      installed: true,
      shape: header.shape,
      contextLength: header.contextLength ?? null,
      parameterCount: header.parameterCount,
      quantization: header.quantization,
    },
    boundless,
    { backend: "wasm", ...settings },
  );
  if (!fit.exact) throw new Error(`the header of "${path}" does not say enough`);
  return fit;
}

/** Bytes: the peak of the cell that loads the model and gives one answer. Linux alone can tell. */
export async function measurePeak(path: string, settings: LoadSettings = {}): Promise<number> {
  await using server = await startServer({ env: { BKG_MODEL_PATHS: dirname(path) } });
  await postJson(server, "/api/plugins/llmserver/config", { settings });
  await postJson(server, "/api/plugins/llmserver/start", {});
  const pid = findCell(server);
  await postJson(server, "/v1/completions", {
    model: basename(path, ".gguf"),
    prompt: "Once upon a time there was a little girl",
    max_tokens: answerTokens,
    temperature: 0,
  });
  // V8 goes on compiling what became hot.
  await new Promise((resolve) => setTimeout(resolve, settleMs));
  const status = await Deno.readTextFile(`/proc/${pid}/status`);
  return Number(/^VmHWM:\s+(\d+) kB$/m.exec(status)?.[1]) * 1024;
}

const answerTokens = 16;
const settleMs = 3000;

/** So that nothing limits what is predicted. */
const boundless: MachineFacts = {
  cores: 1,
  memoryBytes: Infinity,
  availableBytes: Infinity,
  diskFreeBytes: Infinity,
  diskTotalBytes: Infinity,
  webgpu: undefined,
  os: "linux",
  arch: "x86_64",
};

export function demoModelPath(): string {
  return join(projectRoot, "models/demo/demo-stories-q8_0.gguf");
}

function inMib(bytes: number): string {
  return `${Math.round(bytes / 1_048_576)} MiB`;
}
