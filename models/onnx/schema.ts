// The messages of an ONNX file by field number, as onnx.proto (ONNX 1.20, IR 13) has them, and what the
// walk does with each field. Numbers that are not here are passed over, as protocol buffers want it.

import type { OnnxLimits } from "./limits.ts";

export interface Field {
  name: string;
  /**
   * "int": a varint. "float", "double": 4 and 8 bytes. "text": UTF-8. "bytes": passed over. Others are messages.
   * Repeated numbers may be packed.
   */
  kind: "int" | "float" | "double" | "text" | "bytes" | MessageName;
  /** A field that is not comes once: parsers disagree on which of two counts. */
  repeated?: boolean;
  /** Whether the message keeps the value; of numbers that are weights, and of bytes: how many there are. */
  keep?: boolean;
  /** Of a kept text: the limit on its bytes; one without is passed over where it is too long. */
  limit?: "nameBytes";
  /** Of repeated messages that are kept, and of dimensions: the limit on how many there are. */
  most?: keyof OnnxLimits;
}

export interface MessageType {
  fields: { readonly [number: number]: Field };
  /** The limit on how many there are in a file. */
  limit?: keyof OnnxLimits;
}

export type MessageName =
  | "model"
  | "opset"
  | "entry"
  | "training"
  | "function"
  | "graph"
  | "node"
  | "attribute"
  | "tensor"
  | "segment"
  | "sparse tensor"
  | "value"
  | "type"
  | "tensor type"
  | "sequence type"
  | "map type"
  | "shape"
  | "dimension";

const keep = true;
const repeated = true;
const name: Field = { name: "name", kind: "text", keep, limit: "nameBytes" };

export const messages: { readonly [name in MessageName]: MessageType } = {
  model: {
    fields: {
      1: { name: "ir_version", kind: "int", keep },
      2: { name: "producer_name", kind: "text", keep, limit: "nameBytes" },
      3: { name: "producer_version", kind: "text", keep, limit: "nameBytes" },
      4: { name: "domain", kind: "text" },
      5: { name: "model_version", kind: "int" },
      6: { name: "doc_string", kind: "text", keep },
      7: { name: "graph", kind: "graph", keep },
      8: { name: "opset_import", kind: "opset", repeated, keep, most: "opsetCount" },
      14: { name: "metadata_props", kind: "entry", repeated, keep, most: "metadataCount" },
      20: { name: "training_info", kind: "training", repeated },
      25: { name: "functions", kind: "function", repeated },
      26: { name: "configuration", kind: "bytes", repeated },
    },
  },
  opset: {
    fields: {
      1: { name: "domain", kind: "text", keep, limit: "nameBytes" },
      2: { name: "version", kind: "int", keep },
    },
  },
  entry: {
    fields: {
      1: { name: "key", kind: "text", keep, limit: "nameBytes" },
      2: { name: "value", kind: "text", keep },
    },
  },
  training: {
    fields: {
      1: { name: "initialization", kind: "graph" },
      2: { name: "algorithm", kind: "graph" },
      3: { name: "initialization_binding", kind: "bytes", repeated },
      4: { name: "update_binding", kind: "bytes", repeated },
    },
  },
  function: {
    fields: {
      1: name,
      4: { name: "input", kind: "text", repeated },
      5: { name: "output", kind: "text", repeated },
      6: { name: "attribute", kind: "text", repeated },
      7: { name: "node", kind: "node", repeated },
      8: { name: "doc_string", kind: "text" },
      9: { name: "opset_import", kind: "opset", repeated },
      10: { name: "domain", kind: "text" },
      11: { name: "attribute_proto", kind: "attribute", repeated },
      12: { name: "value_info", kind: "value", repeated },
      13: { name: "overload", kind: "text" },
      14: { name: "metadata_props", kind: "bytes", repeated },
    },
  },
  graph: {
    limit: "graphCount",
    fields: {
      1: { name: "node", kind: "node", repeated },
      2: name,
      5: { name: "initializer", kind: "tensor", repeated },
      10: { name: "doc_string", kind: "text" },
      11: { name: "input", kind: "value", repeated, keep, most: "portCount" },
      12: { name: "output", kind: "value", repeated, keep, most: "portCount" },
      13: { name: "value_info", kind: "value", repeated },
      14: { name: "quantization_annotation", kind: "bytes", repeated },
      15: { name: "sparse_initializer", kind: "sparse tensor", repeated },
      16: { name: "metadata_props", kind: "bytes", repeated },
    },
  },
  node: {
    limit: "nodeCount",
    fields: {
      1: { name: "input", kind: "text", repeated },
      2: { name: "output", kind: "text", repeated },
      3: { name: "name", kind: "text" },
      4: { name: "op_type", kind: "text", keep, limit: "nameBytes" },
      5: { name: "attribute", kind: "attribute", repeated },
      6: { name: "doc_string", kind: "text" },
      7: { name: "domain", kind: "text", keep, limit: "nameBytes" },
      8: { name: "overload", kind: "text" },
      9: { name: "metadata_props", kind: "bytes", repeated },
      10: { name: "device_configurations", kind: "bytes", repeated },
    },
  },
  attribute: {
    limit: "attributeCount",
    fields: {
      1: name,
      2: { name: "f", kind: "float" },
      3: { name: "i", kind: "int", keep },
      4: { name: "s", kind: "bytes" },
      5: { name: "t", kind: "tensor" },
      6: { name: "g", kind: "graph" },
      7: { name: "floats", kind: "float", repeated },
      8: { name: "ints", kind: "int", repeated },
      9: { name: "strings", kind: "bytes", repeated },
      10: { name: "tensors", kind: "tensor", repeated },
      11: { name: "graphs", kind: "graph", repeated },
      13: { name: "doc_string", kind: "text" },
      14: { name: "tp", kind: "type" },
      15: { name: "type_protos", kind: "type", repeated },
      20: { name: "type", kind: "int", keep },
      21: { name: "ref_attr_name", kind: "text" },
      22: { name: "sparse_tensor", kind: "sparse tensor" },
      23: { name: "sparse_tensors", kind: "sparse tensor", repeated },
    },
  },
  tensor: {
    limit: "tensorCount",
    fields: {
      1: { name: "dims", kind: "int", repeated, keep, most: "rank" },
      2: { name: "data_type", kind: "int", keep },
      3: { name: "segment", kind: "segment", keep },
      4: { name: "float_data", kind: "float", repeated, keep },
      5: { name: "int32_data", kind: "int", repeated, keep },
      6: { name: "string_data", kind: "bytes", repeated, keep },
      7: { name: "int64_data", kind: "int", repeated, keep },
      8: name,
      9: { name: "raw_data", kind: "bytes", keep },
      10: { name: "double_data", kind: "double", repeated, keep },
      11: { name: "uint64_data", kind: "int", repeated, keep },
      12: { name: "doc_string", kind: "text" },
      13: { name: "external_data", kind: "entry", repeated, keep, most: "externalEntryCount" },
      14: { name: "data_location", kind: "int", keep },
      16: { name: "metadata_props", kind: "bytes", repeated },
    },
  },
  segment: { fields: { 1: { name: "begin", kind: "int" }, 2: { name: "end", kind: "int" } } },
  "sparse tensor": {
    fields: {
      1: { name: "values", kind: "tensor", keep },
      2: { name: "indices", kind: "tensor", keep },
      3: { name: "dims", kind: "int", repeated, keep, most: "rank" },
    },
  },
  value: {
    limit: "valueCount",
    fields: {
      1: name,
      2: { name: "type", kind: "type", keep },
      3: { name: "doc_string", kind: "text" },
      4: { name: "metadata_props", kind: "bytes", repeated },
    },
  },
  type: {
    fields: {
      1: { name: "tensor_type", kind: "tensor type", keep },
      4: { name: "sequence_type", kind: "sequence type", keep },
      5: { name: "map_type", kind: "map type", keep },
      6: { name: "denotation", kind: "text" },
      7: { name: "opaque_type", kind: "bytes", keep },
      8: { name: "sparse_tensor_type", kind: "tensor type", keep },
      9: { name: "optional_type", kind: "sequence type", keep },
    },
  },
  "tensor type": {
    fields: {
      1: { name: "elem_type", kind: "int", keep },
      2: { name: "shape", kind: "shape", keep },
    },
  },
  "sequence type": { fields: { 1: { name: "elem_type", kind: "type" } } },
  "map type": {
    fields: { 1: { name: "key_type", kind: "int" }, 2: { name: "value_type", kind: "type" } },
  },
  shape: { fields: { 1: { name: "dim", kind: "dimension", repeated, keep, most: "rank" } } },
  dimension: {
    fields: {
      1: { name: "dim_value", kind: "int", keep },
      2: { name: "dim_param", kind: "text", keep, limit: "nameBytes" },
      3: { name: "denotation", kind: "text" },
    },
  },
};
