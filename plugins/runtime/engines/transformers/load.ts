// Brings a text encoder to life: its configuration, its tokenizer, its graph; and checks that they fit together.

import { AppError } from "../../contract/error.ts";
import type { OpenModel } from "../engine.ts";
import type { OnnxEngine, OnnxInfo, OnnxModel } from "../onnx/interface.ts";
import { createTextTokenizer } from "./encode.ts";
import type { TextEncoderModel, TransformersLoadOptions } from "./interface.ts";
import { createTextEncoder, type Graph } from "./model.ts";
import { readTextFiles, type TextConfig } from "./text_config.ts";

export async function loadTextEncoder(
  onnx: OnnxEngine,
  opened: OpenModel,
  { batchTokens = 2048, ...options }: TransformersLoadOptions,
): Promise<TextEncoderModel> {
  const started = performance.now();
  const { config, ...files } = await readTextFiles(opened);
  const tokenizer = createTextTokenizer({ ...files, maxTokens: config.maxTokens });
  const model = await onnx.load(opened, options);
  try {
    const { inputs: _, outputs: __, ...engine } = model.info();
    const info = {
      ...engine,
      engine: "transformers",
      loadMs: performance.now() - started,
      maxTokens: config.maxTokens,
      pooling: config.pooling,
      normalizes: config.normalizes,
      promptNames: [...config.prompts.keys()],
      dimensions: config.dimensions,
    };
    const graph = readGraph(model, config, opened.id);
    return createTextEncoder({ model, info, config, tokenizer, graph, batchTokens });
  } catch (error) {
    await model.unload();
    throw error;
  }
}

/** Which of the graph's inputs and outputs are what; throws UNSUPPORTED_FEATURE where that cannot be told. */
function readGraph(model: OnnxModel, config: TextConfig, id: string): Graph {
  const { inputs, outputs } = model.info();
  const strange = inputs.find(({ name, type }) => !isTextInput(name) || !/^int(32|64)$/.test(type));
  if (strange !== undefined || !inputs.some(({ name }) => name === "input_ids")) {
    throw unsupported(id, `takes "${strange?.name ?? "no input_ids"}", which no text gives`);
  }
  const output = chooseOutput(outputs, config);
  if (output === undefined) throw unsupported(id, "answers no vectors and no scores of texts");
  if (output.info.type !== "float32") {
    throw unsupported(id, `answers ${output.info.type}, and this engine reads float32`);
  }
  if (output.kind === "states" && config.hasDense) {
    throw unsupported(id, "has a dense layer behind its pooling that its graph leaves out");
  }
  return {
    inputs: inputs.map(({ name, type }) => ({ name, isWide: type === "int64" })),
    output: output.info.name,
    kind: output.kind,
  };
}

type Outputs = OnnxInfo["outputs"];

function chooseOutput(outputs: Outputs, { dimensions }: TextConfig) {
  const find = (test: (info: Outputs[number]) => boolean, kind: Graph["kind"]) => {
    const info = outputs.find(test);
    return info === undefined ? [] : [{ info, kind }];
  };
  const isNamed = (...names: string[]) => ({ name }: Outputs[number]) => names.includes(name);
  return [
    ...find(({ name, shape }) => name === "logits" && shape.length <= 2, "logits"),
    ...find(isNamed("sentence_embedding", "sentence_embeddings"), "vectors"),
    ...find(isNamed("last_hidden_state", "token_embeddings"), "states"),
    ...find(({ shape }) => shape.length === 3 && shape[2] === dimensions, "states"),
    ...find(({ shape }) => shape.length === 3, "states"),
    ...find(({ shape }) => shape.length === 2, "vectors"),
  ].at(0);
}

function isTextInput(name: string): boolean {
  return /^(?:input_ids|attention_mask|token_type_ids|position_ids)$/.test(name);
}

function unsupported(id: string, problem: string): AppError {
  return new AppError("UNSUPPORTED_FEATURE", `The model "${id}" ${problem}`);
}
