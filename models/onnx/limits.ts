// What an ONNX file's structure may at most claim. Far above every published model, far below what hurts.

export interface OnnxLimits {
  /** Everything that is read: all but the weights and the texts that are passed over; bytes. */
  structureBytes: number;
  /** Names and other texts that are read, of all messages together; bytes. */
  textBytes: number;
  /** Fields of all messages. */
  fieldCount: number;
  /** Messages in messages: a graph in a graph takes three. Protocol buffers' own limit is 100. */
  depth: number;
  /** Graphs, the main one and those in attributes and functions. */
  graphCount: number;
  nodeCount: number;
  /** Initializers and tensors in attributes. */
  tensorCount: number;
  attributeCount: number;
  /** Inputs, outputs and values with a stated type, of all graphs. */
  valueCount: number;
  /** Inputs and outputs of the main graph, each. */
  portCount: number;
  /** Different operators. */
  operatorCount: number;
  metadataCount: number;
  opsetCount: number;
  /** Dimensions of a tensor or of a stated shape. */
  rank: number;
  /** One name. */
  nameBytes: number;
  /** A description or metadata value that is longer is passed over; bytes. */
  shownBytes: number;
  /** Entries that say where one tensor's external data is. */
  externalEntryCount: number;
  /** External data in so many files. */
  externalFileCount: number;
  /** Elements of a tensor that is stored sparse: engines make it dense. */
  denseElements: number;
  irVersion: number;
}

export const onnxLimits: Readonly<OnnxLimits> = Object.freeze({
  structureBytes: 256 * 1024 * 1024,
  textBytes: 64 * 1024 * 1024,
  fieldCount: 8_000_000,
  depth: 64,
  graphCount: 10_000,
  nodeCount: 500_000,
  tensorCount: 262_144,
  attributeCount: 2_000_000,
  valueCount: 1_000_000,
  portCount: 4096,
  operatorCount: 10_000,
  metadataCount: 1000,
  opsetCount: 100,
  rank: 64,
  nameBytes: 4096,
  shownBytes: 16 * 1024,
  externalEntryCount: 16,
  externalFileCount: 10_000,
  denseElements: 2 ** 28,
  irVersion: 64,
});
