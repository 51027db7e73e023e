// The element types of ONNX tensors (onnx.proto, TensorProto.DataType), and where their values may stand.

export interface DataType {
  name: string;
  /** Of one element in raw data and in external data; 0 for text, which has neither. */
  bits: number;
  /** The field that may hold the values instead of raw data. */
  field: "float_data" | "int32_data" | "string_data" | "int64_data" | "double_data" | "uint64_data";
  /** How many of that field's values one element is; half a value for two elements in a byte. */
  values: number;
}

/** The type of an id in an ONNX file; undefined when it is not known. */
export function findDataType(id: number): DataType | undefined {
  return dataTypes[id];
}

/** The largest id. */
export const lastDataType = 26;

const dataTypes: readonly (DataType | undefined)[] = ([
  undefined,
  ["F32", 32, "float_data", 1],
  ["uint8", 8, "int32_data", 1],
  ["int8", 8, "int32_data", 1],
  ["uint16", 16, "int32_data", 1],
  ["int16", 16, "int32_data", 1],
  ["int32", 32, "int32_data", 1],
  ["int64", 64, "int64_data", 1],
  ["string", 0, "string_data", 1],
  ["bool", 8, "int32_data", 1],
  ["F16", 16, "int32_data", 1],
  ["F64", 64, "double_data", 1],
  ["uint32", 32, "uint64_data", 1],
  ["uint64", 64, "uint64_data", 1],
  ["complex64", 64, "float_data", 2],
  ["complex128", 128, "double_data", 2],
  ["BF16", 16, "int32_data", 1],
  ["F8_E4M3", 8, "int32_data", 1],
  ["F8_E4M3FNUZ", 8, "int32_data", 1],
  ["F8_E5M2", 8, "int32_data", 1],
  ["F8_E5M2FNUZ", 8, "int32_data", 1],
  ["uint4", 4, "int32_data", 0.5],
  ["int4", 4, "int32_data", 0.5],
  ["F4_E2M1", 4, "int32_data", 0.5],
  ["F8_E8M0", 8, "int32_data", 1],
  ["uint2", 2, "int32_data", 0.25],
  ["int2", 2, "int32_data", 0.25],
] as const).map((entry) => {
  if (entry === undefined) return undefined;
  const [name, bits, field, values] = entry;
  return { name, bits, field, values };
});
