// What onnxruntime says when something goes wrong, as errors of bkg. In WebAssembly and in machine code it speaks alike.

import { AppError } from "./error.ts";
import { toPlainText } from "./plain_text.ts";

/** Of a model that did not load: OUT_OF_MEMORY or INVALID_MODEL. */
export function onnxLoadError(message: string): AppError {
  if (isOutOfMemory(message)) {
    return new AppError("OUT_OF_MEMORY", `The model does not fit into memory: ${plain(message)}`);
  }
  return new AppError("INVALID_MODEL", `The model did not load: ${plain(message)}`);
}

/** Of a run: OUT_OF_MEMORY, after which the model ends, or INVALID_INPUT. */
export function onnxRunError(message: string): AppError {
  if (isOutOfMemory(message)) {
    return new AppError("OUT_OF_MEMORY", `The run took too much memory: ${plain(message)}`);
  }
  // Types and shapes were checked; what is left is the graph's own objection to these values.
  return new AppError("INVALID_INPUT", `The model cannot run on these inputs: ${plain(message)}`);
}

/** onnxruntime's words without the places in its own source; they quote the model, so they are nobody's own. */
export function plainOnnxWords(message: string): string {
  const said = message
    .replace(/^[^]*?ERROR_MESSAGE: /, "")
    .replaceAll(/\/\S*onnxruntime\/\S+(?:[^]*?\[ONNXRuntimeError\])?/g, "")
    .replaceAll(/(?:\[ONNXRuntimeError\])? : \d+ : \w+ : /g, "")
    .replaceAll(/\w+\.cc:\d+ \w+ /g, "")
    .replaceAll(`${noFolder}/`, "");
  return toPlainText(said.replaceAll(/\s+/g, " ").trim(), 500);
}

/** Where native onnxruntime looks for what a model's file leaves out and nobody handed over: no file can be there. */
export const noFolder = "/dev/null";

const plain = plainOnnxWords;

/** Or in a state in which C++ left everything as it was: WebAssembly's memory never shrinks, so the Worker ends. */
function isOutOfMemory(message: string): boolean {
  return /out of memory|bad_alloc|failed to allocate|allocation failed|overflow|ended with|out of bounds$|unreachable|Aborted\(/i
    .test(message);
}
