// Reads what the plugin's Worker asks of native onnxruntime. Machine code takes it at its word, so nothing passes here that
// is not what it says: names, types, sizes against lengths, memory that nobody else can write to.

import { AppError } from "../../../plugins/runtime/contract/error.ts";
import {
  type NativeOnnxLoad,
  onnxOptimizations,
} from "../../../plugins/runtime/contract/native_onnx.ts";
import {
  countElements,
  type Tensor,
  tensorArrays,
  type TensorInfo,
  type TensorType,
} from "../../../plugins/runtime/contract/tensor.ts";
import type { RunOrder } from "./onnxruntime_message.ts";
import type { Described } from "./onnxruntime_session.ts";

type Fields = Record<string, unknown>;

export function readLoad(input: Fields): NativeOnnxLoad {
  const { graph, external, threads, optimization } = input;
  if (!Array.isArray(external) || external.length > maxFiles) throw refusal("external");
  return {
    graph: readHandle(graph),
    external: external.map((file: unknown) => {
      const { path, handle } = fieldsOf(file, "external");
      if (typeof path !== "string" || path === "" || path.length > maxNameChars) {
        throw refusal("external.path");
      }
      return { path, handle: readHandle(handle) };
    }),
    threads: isWhole(threads, 1, 1024)
      ? Math.min(threads, navigator.hardwareConcurrency)
      : raise(refusal("threads")),
    optimization: onnxOptimizations.find((name) => name === optimization) ??
      raise(refusal("optimization")),
  };
}

export function readSession({ session }: Fields): number {
  return isWhole(session, 1, Number.MAX_SAFE_INTEGER) ? session : raise(refusal("session"));
}

/** Of a model that was described so. */
export function readRun({ inputs, outputs }: Fields, described: Described): RunOrder {
  const given = fieldsOf(inputs, "inputs");
  const extra = Object.keys(given).find((name) =>
    !described.inputs.some((info) => info.name === name)
  );
  if (extra !== undefined) throw refusal("inputs");
  const known = described.outputs.map(({ name }) => name);
  const wanted = outputs ?? known;
  if (!Array.isArray(wanted) || wanted.length > known.length) throw refusal("outputs");
  if (!wanted.every((name) => known.includes(name))) throw refusal("outputs");
  return {
    kind: "run",
    inputs: Object.fromEntries(
      described.inputs.map((info) => [info.name, readTensor(given[info.name], info)]),
    ),
    outputs: wanted,
  };
}

/** Its sizes must fit its type and its data; whether they fit the model, onnxruntime checks. */
function readTensor(value: unknown, { name, type: wanted }: TensorInfo): Tensor {
  const { type, dims, data } = fieldsOf(value, name);
  if (type !== wanted) throw refusal(name);
  if (!Array.isArray(dims) || !dims.every((size) => isWhole(size, 0, maxAxis))) {
    throw refusal(name);
  }
  const sizes = [...dims] as number[];
  const count = countElements(sizes);
  if (count === undefined || !fits(data, wanted) || data.length !== count) throw refusal(name);
  return { type: wanted, dims: sizes, data };
}

function fits(data: unknown, type: TensorType): data is Tensor["data"] {
  const kind = tensorArrays[type];
  if (kind === undefined) {
    return Array.isArray(data) && data.every((item) => typeof item === "string");
  }
  // Shared memory could change after it was checked, and so could a length.
  return data instanceof kind && data.buffer instanceof ArrayBuffer && !data.buffer.resizable;
}

function readHandle(value: unknown): number {
  return isWhole(value, 0, Number.MAX_SAFE_INTEGER) ? value : raise(refusal("handle"));
}

function fieldsOf(value: unknown, field: string): Fields {
  if (typeof value !== "object" || value === null) throw refusal(field);
  return value as Fields;
}

function isWhole(value: unknown, low: number, high: number): value is number {
  return Number.isSafeInteger(value) && (value as number) >= low && (value as number) <= high;
}

function raise(error: AppError): never {
  throw error;
}

/** The engine in the plugin's Worker says better what is wrong; who gets here went around it. */
function refusal(field: string): AppError {
  const shown = field.slice(0, 200);
  return new AppError("INVALID_INPUT", `The native engine does not take "${shown}"`, {
    details: { field: shown },
  });
}

const maxFiles = 1000;
const maxNameChars = 4096;
/** What one axis of onnxruntime's tensors may have. */
const maxAxis = 2 ** 32 - 1;
