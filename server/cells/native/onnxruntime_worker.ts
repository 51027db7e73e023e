// The trusted Worker of one native model: onnxruntime's Node-API binding, its session, one order after another. It may load
// the package's machine code and read that folder, and nothing else; the model's bytes are handed to it.

import { createRequire } from "node:module";
import process from "node:process";
import { noFolder } from "../../../plugins/runtime/contract/onnxruntime_error.ts";
import type {
  Tensor,
  TensorData,
  TensorInfo,
  TensorType,
} from "../../../plugins/runtime/contract/tensor.ts";
import type { LoadOrder, RunOrder, SessionOrder, SessionReport } from "./onnxruntime_message.ts";

/** What of the binding is used here; all of it is synchronous. */
interface Binding {
  /** `tensor` makes the outputs; the last says whether the thread that ends first is this one. */
  initOrtOnce(logLevel: number, tensor: typeof OutputTensor, isMainThread: boolean): void;
  InferenceSession: new () => Session;
}

interface Session {
  loadModel(model: ArrayBuffer, offset: number, length: number, options: object): void;
  readonly inputMetadata: readonly ValueMetadata[];
  readonly outputMetadata: readonly ValueMetadata[];
  run(
    inputs: Record<string, object>,
    outputs: Record<string, null>,
    options: object,
  ): Record<string, OutputTensor>;
  dispose(): void;
}

interface ValueMetadata {
  name: string;
  isTensor: boolean;
  /** As ONNX numbers them. */
  type: number;
  /** -1: dynamic. */
  shape: readonly number[];
  symbolicDimensions: readonly string[];
}

class OutputTensor {
  constructor(
    readonly type: TensorType,
    readonly data: TensorData,
    readonly dims: readonly number[],
  ) {}
}

declare const self: {
  postMessage(message: SessionReport, transfer?: Transferable[]): void;
  addEventListener(type: "message", listener: (event: MessageEvent<SessionOrder>) => void): void;
};

let session: Session | undefined;

self.addEventListener("message", ({ data }) => {
  switch (data.kind) {
    case "load":
      return load(data);
    case "run":
      return run(data);
    case "end":
      session?.dispose();
      session = undefined;
      return self.postMessage({ kind: "ended" });
  }
});

function load(order: LoadOrder): void {
  let binding: Binding;
  try {
    binding = loadBinding(order.folder);
  } catch (error) {
    return self.postMessage({ kind: "error", message: textOf(error), isEngine: true });
  }
  try {
    const opened = new binding.InferenceSession();
    opened.loadModel(order.model, 0, order.model.byteLength, {
      executionProviders: order.providers,
      graphOptimizationLevel: order.optimization,
      executionMode: "sequential",
      intraOpNumThreads: order.threads,
      interOpNumThreads: 1,
      // What goes wrong is thrown.
      logSeverityLevel: 4,
      externalData: order.external.map(({ path, data }) => ({ path, data: new Uint8Array(data) })),
      extra: { session: { model_external_initializers_file_folder_path: noFolder } },
    });
    session = opened;
    // onnxruntime has its own copy.
    for (const buffer of [order.model, ...order.external.map(({ data }) => data)]) {
      buffer.transfer(0);
    }
    self.postMessage({
      kind: "loaded",
      inputs: opened.inputMetadata.map(describeValue),
      outputs: opened.outputMetadata.map(describeValue),
    });
  } catch (error) {
    self.postMessage({ kind: "error", message: textOf(error) });
  }
}

function loadBinding(folder: string): Binding {
  const { platform, arch } = process;
  const path = `${folder}/bin/napi-v6/${platform}/${arch}/onnxruntime_binding.node`;
  const binding = createRequire("file:///")(path) as Binding;
  // All Workers of the cell share what it sets up: none of them may take it down.
  binding.initOrtOnce(fatal, OutputTensor, false);
  return binding;
}

function run({ inputs, outputs }: RunOrder): void {
  try {
    if (session === undefined) throw new Error("no model is loaded");
    const feeds = Object.fromEntries(
      Object.entries(inputs).map(([name, tensor]) => [name, toFeed(tensor)]),
    );
    const wanted = Object.fromEntries(outputs.map((name) => [name, null]));
    const started = performance.now();
    const results = session.run(feeds, wanted, { logSeverityLevel: 4 });
    const runMs = performance.now() - started;
    const answer: Record<string, Tensor> = {};
    const transfer: Transferable[] = [];
    for (const [name, { type, data, dims }] of Object.entries(results)) {
      const own = takeOut(data);
      if (!Array.isArray(own)) transfer.push(own.buffer as ArrayBuffer);
      answer[name] = { type, dims: dims.map(Number), data: own };
    }
    self.postMessage({ kind: "result", outputs: answer, runMs }, transfer);
  } catch (error) {
    self.postMessage({ kind: "error", message: textOf(error) });
  }
}

function toFeed({ type, dims, data }: Tensor): object {
  // C++ knows two truths, and reads no third.
  const plain = type === "bool" ? (data as Uint8Array).map((value) => value === 0 ? 0 : 1) : data;
  return { type, dims, data: plain, location: "cpu" };
}

/** A copy that can be moved to another thread; onnxruntime has its own memory back at once, and not when V8 finds time. */
function takeOut(data: TensorData): TensorData {
  if (Array.isArray(data)) return data;
  const own = data.slice() as typeof data;
  (data.buffer as ArrayBuffer).transfer(0);
  return own;
}

function describeValue(value: ValueMetadata): TensorInfo {
  const type = types[value.type];
  if (!value.isTensor || type === undefined) {
    throw new Error(`"${value.name}" is no tensor of a type that is known here`);
  }
  const shape = value.shape.map((size, axis) =>
    size >= 0 ? size : value.symbolicDimensions[axis] || "?"
  );
  return { name: value.name, type, shape };
}

function textOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}

const fatal = 4;
/** ONNX's numbers of them (onnx.proto, TensorProto.DataType). */
const types: readonly (TensorType | undefined)[] = [
  ...[undefined, "float32", "uint8", "int8", "uint16", "int16", "int32", "int64"] as const,
  ...["string", "bool", "float16", "float64", "uint32", "uint64"] as const,
];
