// A loaded ONNX model, as its plugin has it.

import { AppError } from "../../contract/error.ts";
import type { OnnxInfo, OnnxModel } from "./interface.ts";
import { checkInputs } from "./tensor.ts";
import type { WorkerLink } from "./worker_link.ts";

export function createModel(
  { info, link, release }: { info: OnnxInfo; link: WorkerLink; release: () => void },
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
