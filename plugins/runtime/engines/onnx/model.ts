// A loaded ONNX model, as its plugin has it.

import { AppError } from "../../contract/error.ts";
import type {
  OnnxInfo,
  OnnxModel,
  OnnxResult,
  RunOptions,
  Tensor,
  TensorInfo,
} from "./interface.ts";
import { checkInputs } from "./tensor.ts";

/** Where the model runs: a Worker of its own, or the cell's main. */
export interface ModelLink {
  /** Why nothing runs any more; undefined while it does. */
  readonly broken: AppError | undefined;
  run(inputs: Readonly<Record<string, Tensor>>, options: RunOptions): Promise<OnnxResult>;
  /** Rejects what waits, and gives the memory back; idempotent. */
  end(reason: AppError): void;
}

/** A graph that is ready to run. */
export interface LoadedGraph {
  link: ModelLink;
  /** Given ones. */
  threads: number;
  inputs: TensorInfo[];
  outputs: TensorInfo[];
}

export function createModel(
  { info, link, release }: { info: OnnxInfo; link: ModelLink; release: () => void },
): OnnxModel {
  let unloaded = false;
  return {
    info: () => info,
    get isBroken() {
      return link.broken !== undefined;
    },
    async run(inputs, options = {}) {
      if (options.signal?.aborted) throw new AppError("CANCELLED", "The run was cancelled");
      checkInputs(inputs, info.inputs);
      checkOutputs(options.outputs, info);
      return await link.run(inputs, options);
    },
    unload() {
      if (!unloaded) release();
      unloaded = true;
      link.end(new AppError("UNAVAILABLE", "The model was unloaded"));
      return Promise.resolve();
    },
  };
}

function checkOutputs(outputs: readonly string[] | undefined, info: OnnxInfo): void {
  const known = info.outputs.map(({ name }) => name);
  const unknown = outputs?.find((name) => !known.includes(name));
  if (unknown === undefined) return;
  const names = known.slice(0, 20).map((name) => `"${name}"`).join(", ");
  throw new AppError("INVALID_INPUT", `"${unknown}" is none of the model's outputs: ${names}`, {
    details: { output: unknown, expected: known },
  });
}
