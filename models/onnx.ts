// Reads and validates the structure of an ONNX file before any engine opens it: hostile files attack native
// code. Weights are passed over, so it takes little of a large file. Called by the stores and the puller, in
// Deno and in a page. Format: onnx.proto, in protocol buffers' wire format.

import type { ByteReader } from "./format/cursor.ts";
import { cleanText, maxDescriptionChars, maxNameChars } from "./format/text.ts";
import { ProtoCursor } from "./onnx/cursor.ts";
import type { ExternalFiles } from "./onnx/external_data.ts";
import { type OnnxLimits, onnxLimits } from "./onnx/limits.ts";
import type { Message } from "./onnx/message.ts";
import { createOperators } from "./onnx/operators.ts";
import { type OnnxPort, readPort } from "./onnx/ports.ts";
import { refuse } from "./onnx/refuse.ts";
import { checkSparseTensor, checkTensor } from "./onnx/tensor.ts";
import { createWeights } from "./onnx/weights.ts";
import { walk } from "./onnx/walk.ts";

export type { ByteReader } from "./format/cursor.ts";
export type { ExternalFiles } from "./onnx/external_data.ts";
export { type OnnxLimits, onnxLimits } from "./onnx/limits.ts";
export type { OnnxPort } from "./onnx/ports.ts";

/** What a valid file says. Text is cleaned of control and bidi characters. */
export interface OnnxHeader {
  irVersion: number;
  /** Versions of the operator sets by domain; "" is ONNX's own. */
  opsets: ReadonlyMap<string, number>;
  producer: string | undefined;
  /** The main graph's. */
  name: string | undefined;
  description: string | undefined;
  license: string | undefined;
  /** Without those that the file brings a value for. */
  inputs: OnnxPort[];
  outputs: OnnxPort[];
  /** Elements of all tensors in the file, weights and constants; two 4-bit weights in a byte count once. */
  parameterCount: number;
  /** The type that holds most elements: "F32", "F16", "int8"; "int8" also of unsigned weights for integer arithmetic. */
  quantization: string | undefined;
  nodeCount: number;
  /** Different operators. */
  operatorCount: number;
  /** Files beside the model that hold tensors, sorted: "/" between folders, relative to the model's. */
  externalFiles: string[];
  /** As its author wrote it, such as author, stride, names; long values are left out. */
  metadata: ReadonlyMap<string, string>;
}

export interface ReadOnnxOptions {
  limits?: Partial<OnnxLimits>;
  signal?: AbortSignal;
  /** The regular files, no links, below the model's folder. Without it no data may be outside the model. */
  externalFiles?: ExternalFiles;
}

/** Reads the structure. Throws INVALID_MODEL, naming the field, its offset and the limit; a reader's own errors pass. */
export async function readOnnx(
  reader: ByteReader,
  options: ReadOnnxOptions = {},
): Promise<OnnxHeader> {
  const limits: OnnxLimits = { ...onnxLimits, ...options.limits };
  const files: ExternalFiles = options.externalFiles ?? new Map();
  const cursor = new ProtoCursor(reader, { limits, signal: options.signal });
  const operators = createOperators(limits);
  const weights = createWeights(limits);
  const initializers = new Set<string>();

  const model = await walk(cursor, {
    limits,
    fileBytes: reader.size,
    onMessage(message) {
      switch (message.type) {
        case "tensor":
          weights.add(message, checkTensor(message, { externalFiles: files }));
          if (isInMainGraph(message)) initializers.add(message.text("name") ?? "");
          break;
        case "sparse tensor":
          checkSparseTensor(message, limits);
          break;
        case "node":
          operators.add(message);
          break;
        case "attribute":
          checkAttribute(message);
          operators.addAttribute(message);
          break;
        default:
      }
    },
  });

  const graph = model.messages("graph")[0];
  if (graph === undefined) {
    return refuse("is missing", { field: "graph", offset: 0, limit: "1" });
  }
  if (operators.mainNodes === 0) {
    refuse("has no nodes", { field: "graph", offset: graph.start, limit: "1 at least" });
  }
  const outputs = graph.messages("output").map(readPort);
  if (outputs.length === 0) {
    refuse("has no outputs", { field: "graph", offset: graph.start, limit: "1 at least" });
  }
  const metadata = readMetadata(model);
  return {
    irVersion: readIrVersion(model, limits),
    opsets: readOpsets(model),
    producer: cleanText(
      `${model.text("producer_name") ?? ""} ${model.text("producer_version") ?? ""}`,
      maxNameChars,
    ),
    name: cleanText(graph.text("name"), maxNameChars),
    description: cleanText(model.text("doc_string"), maxDescriptionChars),
    license: cleanText(metadata.get("license") ?? metadata.get("licence"), maxNameChars),
    inputs: graph.messages("input")
      .filter((input) => !initializers.has(input.text("name") ?? ""))
      .map(readPort),
    outputs,
    parameterCount: weights.parameterCount,
    quantization: operators.quantize(weights.dominantType),
    nodeCount: operators.nodeCount,
    operatorCount: operators.operatorCount,
    externalFiles: weights.externalFiles,
    metadata,
  };
}

function isInMainGraph({ field, parent }: Message): boolean {
  return field === "initializer" && parent?.field === "graph";
}

/** AttributeProto.AttributeType */
function checkAttribute(attribute: Message): void {
  attribute.integer("type", { min: 0, max: 14 });
}

function readIrVersion(model: Message, limits: OnnxLimits): number {
  return model.integer("ir_version", { min: 1, max: limits.irVersion }) ??
    refuse("is missing", { field: "ir_version", offset: 0, limit: `1 to ${limits.irVersion}` });
}

function readOpsets(model: Message): ReadonlyMap<string, number> {
  const opsets = new Map<string, number>();
  for (const opset of model.messages("opset_import")) {
    const domain = cleanText(opset.text("domain"), maxNameChars) ?? "";
    opsets.set(domain, opset.integer("version", { min: 0, max: 0x7fff_ffff }) ?? 0);
  }
  if (opsets.size === 0) {
    refuse("is missing", { field: "opset_import", offset: 0, limit: "1 at least" });
  }
  return opsets;
}

function readMetadata(model: Message): ReadonlyMap<string, string> {
  const metadata = new Map<string, string>();
  for (const entry of model.messages("metadata_props")) {
    const key = cleanText(entry.text("key"), maxNameChars);
    const value = cleanText(entry.text("value"), maxDescriptionChars);
    if (key !== undefined && value !== undefined) metadata.set(key, value);
  }
  return metadata;
}
