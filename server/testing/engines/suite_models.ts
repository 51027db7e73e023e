// The models of the engines' suite: a story writer, a face finder, and what is made here. Small, because they also run on
// a GPU that is the CPU.

import { join } from "node:path";
import type { SuiteModel } from "../../../plugins/runtime/engines/conformance/suite.ts";
import {
  floatWeight,
  noise,
  type TestModel,
  writeOnnx,
} from "../../../plugins/runtime/engines/onnx/testing_models.ts";
import { tokenizerJson } from "../../../plugins/runtime/engines/transformers/testing_ranker.ts";
import { projectRoot } from "../../build/bundles.ts";

export type ModelFiles = Record<string, Uint8Array<ArrayBuffer>>;

const shared = join(projectRoot, "../shared/models");
const storyFile = join(shared, "gguf/aidreams260K-f32.gguf");
const facesFile = join(shared, "yunet/yunet_n_320_320.onnx");

/** Why the suite cannot run; undefined when it can. */
export function suiteModelsProblem(): string | undefined {
  try {
    for (const file of [storyFile, facesFile]) Deno.statSync(file);
    return undefined;
  } catch {
    return "the shared test models are not beside the project";
  }
}

export function readSuiteModels(): Record<SuiteModel, ModelFiles> {
  const nothing = new TextEncoder().encode("This is no model. ".repeat(50));
  const texts = { "config.json": json(encoderConfig), "tokenizer.json": json(tokenizerJson()) };
  return {
    story: { "story.gguf": Deno.readFileSync(storyFile) },
    faces: { "faces.onnx": Deno.readFileSync(facesFile) },
    squares: { "squares.onnx": writeOnnx(squares) },
    encoder: { ...texts, "model.onnx": writeOnnx(encoder) },
    broken: { ...texts, "broken.gguf": nothing, "broken.onnx": nothing },
  };
}

/** Multiplies matrices that depend on its input, so that nothing is done in advance. */
const squares: TestModel = {
  nodes: [
    { op: "Mul", inputs: ["w", "x"], outputs: ["scaled"] },
    { op: "MatMul", inputs: ["scaled", "w"], outputs: ["first"] },
    { op: "MatMul", inputs: ["first", "w"], outputs: ["second"] },
    { op: "ReduceMean", inputs: ["second"], outputs: ["y"], attributes: { keepdims: 1 } },
  ],
  inputs: [{ name: "x", type: "float32", shape: [1, 1] }],
  outputs: [{ name: "y", type: "float32", shape: [1, 1] }],
  weights: [floatWeight("w", [128, 128], noise(128 * 128, { scale: 0.1, seed: 1 }))],
};

const encoderConfig = { model_type: "bert", max_position_embeddings: 16, hidden_size: 8 };

/** Eight words of eight numbers each, mixed. */
const encoder: TestModel = {
  nodes: [
    { op: "Gather", inputs: ["table", "input_ids"], outputs: ["words"] },
    { op: "MatMul", inputs: ["words", "mix"], outputs: ["mixed"] },
    { op: "Tanh", inputs: ["mixed"], outputs: ["last_hidden_state"] },
  ],
  inputs: [{ name: "input_ids", type: "int64", shape: ["batch", "tokens"] }],
  outputs: [{ name: "last_hidden_state", type: "float32", shape: ["batch", "tokens", 8] }],
  weights: [
    floatWeight("table", [8, 8], noise(64, { scale: 1, seed: 2 })),
    floatWeight("mix", [8, 8], noise(64, { scale: 0.5, seed: 3 })),
  ],
};

function json(value: object): Uint8Array<ArrayBuffer> {
  return new TextEncoder().encode(JSON.stringify(value));
}
