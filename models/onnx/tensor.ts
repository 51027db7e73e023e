// Checks one tensor of an ONNX file: that its data is there, and is what its type and dimensions say.

import { countElements } from "../format/elements.ts";
import { checkExternalData, type ExternalFiles } from "./external_data.ts";
import { type DataType, findDataType, lastDataType } from "./data_type.ts";
import type { OnnxLimits } from "./limits.ts";
import type { Message } from "./message.ts";
import { refuse } from "./refuse.ts";

export interface TensorSummary {
  type: DataType;
  elements: bigint;
  /** The file beside the model that holds its data. */
  externalFile: string | undefined;
}

/** Throws INVALID_MODEL. */
export function checkTensor(
  tensor: Message,
  { externalFiles }: { externalFiles: ExternalFiles },
): TensorSummary {
  const type = readType(tensor);
  const elements = readElements(tensor);
  const segment = tensor.find("segment");
  if (segment !== undefined) {
    refuse("is there", {
      field: `segment of ${tensor.path}`,
      offset: segment.offset,
      limit: "tensors in one piece",
    });
  }
  const bytes = (elements * BigInt(type.bits) + 7n) / 8n;
  const isExternal = tensor.integer("data_location", { min: 0, max: 1 }) === 1;
  const stored = dataFields.filter((field) => tensor.find(field) !== undefined);
  checkHolders(tensor, { stored, isExternal, type });
  if (isExternal) {
    const externalFile = checkExternalData(tensor, { bytes, files: externalFiles });
    return { type, elements, externalFile };
  }

  const holder = stored[0];
  const found = BigInt(holder === undefined ? 0 : tensor.count(holder));
  const isRaw = holder === "raw_data";
  const expected = isRaw ? bytes : countValues(elements, type);
  if (found !== expected) {
    refuse(`has ${found} ${isRaw ? "bytes" : "values"}`, {
      field: `data of ${tensor.path}`,
      offset: holder === undefined ? tensor.start : tensor.find(holder)?.offset ?? tensor.start,
      limit: `${expected}, as its type ${type.name} and dimensions say`,
    });
  }
  return { type, elements, externalFile: undefined };
}

/** Checks a tensor that is stored sparse: engines allocate what its dimensions say. */
export function checkSparseTensor(tensor: Message, limits: OnnxLimits): void {
  const elements = readElements(tensor);
  if (elements > BigInt(limits.denseElements)) {
    refuse(`has ${elements} elements`, {
      field: tensor.path,
      offset: tensor.start,
      limit: limits.denseElements,
    });
  }
  for (const field of ["values", "indices"]) {
    if (tensor.find(field) !== undefined) continue;
    refuse("are missing", {
      field: `${field} of ${tensor.path}`,
      offset: tensor.start,
      limit: "a tensor",
    });
  }
}

/** No more than one field may hold the data, and only one of the type's. */
function checkHolders(
  tensor: Message,
  { stored, isExternal, type }: { stored: readonly string[]; isExternal: boolean; type: DataType },
): void {
  const place = { field: `data of ${tensor.path}`, offset: tensor.start };
  const holders = [...stored, ...(isExternal ? ["data_location"] : [])];
  if (holders.length > 1) {
    refuse(`is in ${holders.join(" and ")}`, { ...place, limit: "one place" });
  }
  if (!isExternal && tensor.find("external_data") !== undefined) {
    refuse("has a place outside, and does not say that it is there", {
      ...place,
      limit: "the location EXTERNAL",
    });
  }
  const [holder] = holders;
  if (holder === undefined || holder === type.field) return;
  if (type.bits === 0 || (holder !== "raw_data" && holder !== "data_location")) {
    refuse(`is in ${holder}`, { ...place, limit: `where the type ${type.name} goes` });
  }
}

function readType(tensor: Message): DataType {
  const id = tensor.integer("data_type", { min: 1, max: lastDataType });
  return findDataType(id ?? 0) ?? refuse("is missing", {
    field: `data_type of ${tensor.path}`,
    offset: tensor.start,
    limit: `1 to ${lastDataType}`,
  });
}

function readElements(tensor: Message): bigint {
  const { integers: dims = [], offset = tensor.start } = tensor.find("dims") ?? {};
  const field = `dims of ${tensor.path}`;
  const negative = dims.find((dim) => dim < 0n);
  if (negative !== undefined) refuse(`hold ${negative}`, { field, offset, limit: "0 at least" });
  return countElements(dims) ??
    refuse("make too many elements", { field, offset, limit: "2^63 - 1" });
}

/** In the field of the type: two or four elements to a value where they are smaller than a byte. */
function countValues(elements: bigint, { values }: DataType): bigint {
  if (values >= 1) return elements * BigInt(values);
  const packed = BigInt(1 / values);
  return (elements + packed - 1n) / packed;
}

const dataFields = [
  "raw_data",
  "float_data",
  "int32_data",
  "string_data",
  "int64_data",
  "double_data",
  "uint64_data",
];
