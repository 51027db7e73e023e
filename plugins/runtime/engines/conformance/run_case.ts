// One case of the suite by its name, and the refusal of a backend that is not to be had: what a home's plugin or Worker runs.

import type { Backend } from "../engine.ts";
import { onnxCases } from "./onnx_cases.ts";
import type { EngineCase, Suite, SuiteEngine } from "./suite.ts";
import { transformersCases } from "./transformers_cases.ts";
import { wllamaCases } from "./wllama_cases.ts";

export interface CaseOrder {
  engine: SuiteEngine;
  backend: Backend;
  /** Of the case; undefined only loads a model, which answers what the engine throws. */
  name: string | undefined;
  threads: number;
}

const cases: Readonly<Record<SuiteEngine, readonly EngineCase[]>> = {
  wllama: wllamaCases,
  onnx: onnxCases,
  transformers: transformersCases,
};

export function caseNames(engine: SuiteEngine, backend: Backend): string[] {
  return cases[engine]
    .filter(({ backends }) => backends?.includes(backend) ?? true)
    .map(({ name }) => name);
}

/** Throws what the case found wrong, or what the engine threw. */
export async function runCase(
  { engine, name, backend, threads }: CaseOrder,
  home: Pick<Suite, "engines" | "open">,
): Promise<void> {
  const suite: Suite = { ...home, backend, threads };
  if (name !== undefined) return await cases[engine].find((one) => one.name === name)?.run(suite);
  const opened = await suite.open(smallest[engine]);
  const model = await suite.engines[engine].load(opened, { backend });
  await model.unload();
  opened.close();
}

const smallest = { wllama: "story", onnx: "squares", transformers: "encoder" } as const;
