// What every engine promises on every backend, in every home: the cases run beside the engine, in a cell's plugin or a
// page's Worker, and need nothing but what a plugin has. support.ts says where they must hold.

import type { AppError } from "../../contract/error.ts";
import type { EngineName } from "../../contract/manifest.ts";
import type { Backend, OpenModel } from "../engine.ts";
import type { OnnxEngine } from "../onnx/interface.ts";
import type { TransformersEngine } from "../transformers/interface.ts";
import type { WllamaEngine } from "../wllama/interface.ts";

export type SuiteEngine = Exclude<EngineName, "webllm">;

/** The models of testing_models.ts, by name. */
export type SuiteModel = "story" | "faces" | "squares" | "encoder" | "broken";

export interface Suite {
  readonly engines: {
    wllama: WllamaEngine;
    onnx: OnnxEngine;
    transformers: TransformersEngine;
  };
  readonly backend: Backend;
  /** Threads that a model gets which asks for two. */
  readonly threads: number;
  open(model: SuiteModel): Promise<OpenModel>;
}

export interface EngineCase {
  name: string;
  /** Where it is only about some; default all. */
  backends?: readonly Backend[];
  run(suite: Suite): Promise<void>;
}

/** Takes the GPU from all that use it in this home; testing_gpu.ts puts it there. */
export function loseGpu(): void {
  const lose = (globalThis as { [key: symbol]: unknown })[Symbol.for("bkg.test.loseGpu")];
  if (typeof lose !== "function") throw new Error("This home was not made to lose its GPU");
  lose();
}

export async function fails(
  run: () => Promise<unknown>,
  code: string,
  message = "",
): Promise<void> {
  const error = await run().then(() => undefined, (thrown: AppError) => thrown);
  check(error !== undefined, `it did not fail with ${code}: ${message}`);
  check(
    error.code === code && error.message.includes(message),
    `${error.code}: ${error.message}, and not ${code}: ${message}`,
  );
  if (code === "UNAVAILABLE") check(error.retryable, "it says that it is of no use to try again");
}

export function equal(actual: unknown, expected: unknown): void {
  const [one, other] = [JSON.stringify(actual), JSON.stringify(expected)];
  check(one === other, `${one} is not ${other}`);
}

/** No number of the one is further from the other's than `tolerance`. */
export function near(
  actual: ArrayLike<number>,
  expected: ArrayLike<number>,
  tolerance: number,
): void {
  equal(actual.length, expected.length);
  const far = Array.from(actual, (value, at) => Math.abs(value - expected[at]!));
  const most = far.reduce((a, b) => b > a || Number.isNaN(b) ? b : a, 0);
  check(most <= tolerance, `it is ${most} away, and ${tolerance} is allowed`);
}

export function check(holds: boolean, problem: string): asserts holds {
  if (!holds) throw new Error(problem);
}
