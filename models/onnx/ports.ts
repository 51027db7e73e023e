// What goes into an ONNX model and comes out of it: names, types and shapes, as people and plugins see them.

import { cleanText, maxNameChars } from "../format/text.ts";
import { findDataType, lastDataType } from "./data_type.ts";
import type { Message } from "./message.ts";

/** An input or output of the model. Text is cleaned. */
export interface OnnxPort {
  name: string;
  /** "F32", "int64"; "sequence", "map", "optional", "opaque" of what is no tensor; "unknown" where it is not said. */
  type: string;
  /** Sizes, or names of sizes that the caller decides; "?" where it is not said. Undefined without a rank. */
  shape: (number | string)[] | undefined;
}

/** Reads an input or output. Throws INVALID_MODEL. */
export function readPort(value: Message): OnnxPort {
  const name = cleanText(value.text("name"), maxNameChars) ?? "";
  const type = value.messages("type")[0];
  const tensor = type?.messages("tensor_type")[0] ?? type?.messages("sparse_tensor_type")[0];
  if (tensor === undefined) {
    const kind = otherTypes.find(([field]) => type?.find(field) !== undefined);
    return { name, type: kind?.[1] ?? "unknown", shape: undefined };
  }
  const id = tensor.integer("elem_type", { min: 0, max: lastDataType }) ?? 0;
  const dims = tensor.messages("shape")[0]?.messages("dim");
  return {
    name,
    type: findDataType(id)?.name ?? "unknown",
    shape: tensor.find("shape") === undefined ? undefined : (dims ?? []).map(readDimension),
  };
}

/** Exporters write -1, or nothing, for a size that they do not know. */
function readDimension(dimension: Message): number | string {
  const size = dimension.integer("dim_value", { min: -1, max: Number.MAX_SAFE_INTEGER });
  if (size !== undefined && size >= 0) return size;
  return cleanText(dimension.text("dim_param"), maxNameChars) ?? "?";
}

const otherTypes = [
  ["sequence_type", "sequence"],
  ["map_type", "map"],
  ["optional_type", "optional"],
  ["opaque_type", "opaque"],
] as const;
