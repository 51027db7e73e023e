// Reads and validates a GGUF header before any engine opens the file: hostile files attack native code.
// Called by the stores and the puller, in Deno and in a page. Format: ggml/docs/gguf.md, llama.cpp's gguf.cpp.

import type { ByteReader } from "./format/cursor.ts";
import { cleanText, maxDescriptionChars, maxNameChars } from "./format/text.ts";
import { Cursor } from "./gguf/cursor.ts";
import { type GgufLimits, ggufLimits } from "./gguf/limits.ts";
import {
  findArrayLength,
  findInteger,
  findText,
  type Metadata,
  nameKey,
  readMetadata,
} from "./gguf/metadata.ts";
import { refuse } from "./gguf/refuse.ts";
import { findShape } from "./gguf/shape.ts";
import { findTask } from "./gguf/task.ts";
import { findFileTypeName } from "./gguf/tensor_type.ts";
import { readTensors } from "./gguf/tensors.ts";
import type { ModelShape, ModelTask } from "./model.ts";

export type { ByteReader } from "./format/cursor.ts";
export { type GgufLimits, ggufLimits } from "./gguf/limits.ts";

/** What a valid header says. Shown text is cleaned of control and bidi characters. */
export interface GgufHeader {
  version: 2 | 3;
  /** `llama`, `qwen3`; undefined only in a later part of a split model. */
  architecture: string | undefined;
  name: string | undefined;
  description: string | undefined;
  license: string | undefined;
  /** Tokens that the model was trained for. */
  contextLength: number | undefined;
  embeddingLength: number | undefined;
  blockCount: number | undefined;
  /** Length of the token list. */
  vocabSize: number | undefined;
  /** `llama` (SentencePiece), `gpt2` (BPE), `bert`, ... */
  tokenizerModel: string | undefined;
  /** Jinja source, untouched: a program by whoever made the file. */
  chatTemplate: string | undefined;
  /** `general.file_type` by name, else the type that holds most elements: "Q4_K_M", "F32". */
  quantization: string | undefined;
  /** Undefined where the header does not say enough, as in a later part of a split model. */
  shape: ModelShape | undefined;
  /** As its architecture and pooling say; undefined for what no engine here runs by itself. */
  task: ModelTask | undefined;
  parameterCount: number;
  tensorCount: number;
  /** Bytes before the tensor data, padding included. */
  headerBytes: number;
  /** Tensor data starts at multiples of it, bytes. */
  alignment: number;
  /** Set in a part of a model that was split over several files. */
  split: GgufSplit | undefined;
}

export interface GgufSplit {
  /** Counts from 0. */
  index: number;
  count: number;
  /** Tensors of all parts together. */
  tensorCount: number | undefined;
}

export interface ReadGgufOptions {
  limits?: Partial<GgufLimits>;
  signal?: AbortSignal;
}

/** Reads the header. Throws INVALID_MODEL, naming the field, its offset and the limit; a reader's own errors pass. */
export async function readGguf(
  reader: ByteReader,
  options: ReadGgufOptions = {},
): Promise<GgufHeader> {
  const limits: GgufLimits = { ...ggufLimits, ...options.limits };
  const cursor = new Cursor(reader, { headerBytes: limits.headerBytes, signal: options.signal });

  const version = await readVersion(cursor);
  const tensorCount = await readItemCount(cursor, "tensor count", {
    limit: limits.tensorCount,
    itemBytes: minTensorBytes,
  });
  const metadataCount = await readItemCount(cursor, "metadata count", {
    limit: limits.metadataCount,
    itemBytes: minMetadataBytes,
  });
  const metadata = await readMetadata(cursor, { count: metadataCount, limits });
  const alignment = findAlignment(metadata, limits);
  const split = findSplit(metadata, limits);
  const architecture = findArchitecture(metadata, split);

  const tensors = await readTensors(cursor, {
    count: tensorCount,
    alignment,
    fileBytes: reader.size,
    limits,
  });
  if (tensorCount === 0 && split === undefined) {
    refuse("is 0: this is a vocabulary, not a model", {
      field: "tensor count",
      offset: 8,
      limit: "1 at least",
    });
  }
  const headerBytes = Math.ceil(cursor.position / alignment) * alignment;
  if (tensorCount > 0 && headerBytes + tensors.dataBytes > reader.size) {
    refuse(`needs ${tensors.dataBytes} bytes, past the end of the file`, {
      field: "tensor data",
      offset: headerBytes,
      limit: `${reader.size} bytes`,
    });
  }

  const vocabSize = findArrayLength(metadata, "tokenizer.ggml.tokens");
  const fileType = findInteger(metadata, "general.file_type", { min: 0, max: maxU32 });
  const findSize = (name: string) =>
    architecture === undefined
      ? undefined
      : findInteger(metadata, `${architecture}.${name}`, { min: 1, max: maxU32 });
  return {
    version,
    architecture,
    name: cleanText(findText(metadata, "general.name"), maxNameChars),
    description: cleanText(findText(metadata, "general.description"), maxDescriptionChars),
    license: cleanText(findText(metadata, "general.license"), maxNameChars),
    contextLength: findSize("context_length"),
    embeddingLength: findSize("embedding_length"),
    blockCount: findSize("block_count"),
    vocabSize,
    tokenizerModel: cleanText(findText(metadata, "tokenizer.ggml.model"), maxNameChars),
    chatTemplate: findText(metadata, "tokenizer.chat_template"),
    quantization: (fileType === undefined ? undefined : findFileTypeName(fileType)) ??
      tensors.dominantType,
    shape: architecture === undefined
      ? undefined
      : findShape(metadata, { architecture, vocabSize }),
    task: architecture === undefined ? undefined : findTask(metadata, architecture),
    parameterCount: tensors.parameterCount,
    tensorCount,
    headerBytes,
    alignment,
    split,
  };
}

/** A part of a split model by its file name; `number` counts from 1. */
export interface SplitName {
  /** The name that all parts share. */
  base: string;
  number: number;
  count: number;
}

/** Reads `<base>-00001-of-00003.gguf`, llama.cpp's name of a part; undefined for any other name. */
export function parseSplitName(fileName: string): SplitName | undefined {
  const found = /^(.+)-(\d{5})-of-(\d{5})\.gguf$/.exec(fileName);
  if (found === null) return undefined;
  return { base: found[1] ?? "", number: Number(found[2]), count: Number(found[3]) };
}

async function readVersion(cursor: Cursor): Promise<2 | 3> {
  const magic = await cursor.readU32("magic");
  if (magic !== ggufMagic) {
    refuse(`is 0x${magic.toString(16).padStart(8, "0")}`, {
      field: "magic",
      offset: 0,
      limit: '"GGUF"',
    });
  }
  const version = await cursor.readU32("version");
  if (version === 2 || version === 3) return version;
  const isSwapped = version !== 0 && (version & 0xffff) === 0;
  return refuse(isSwapped ? "is big-endian" : `is ${version}`, {
    field: "version",
    offset: 4,
    limit: "2 or 3, little-endian",
  });
}

/** A count whose items, each of at least `itemBytes`, fit what is left of the file. */
async function readItemCount(
  cursor: Cursor,
  field: string,
  { limit, itemBytes }: { limit: number; itemBytes: number },
): Promise<number> {
  const offset = cursor.position;
  const count = await cursor.readCount(field, limit);
  const fitting = Math.floor(cursor.remaining / itemBytes);
  if (count > fitting) {
    refuse(`is ${count}, more than the file can hold`, { field, offset, limit: fitting });
  }
  return count;
}

function findAlignment(metadata: Metadata, limits: GgufLimits): number {
  const key = "general.alignment";
  const range = { min: minAlignment, max: limits.alignment };
  const alignment = findInteger(metadata, key, range) ?? defaultAlignment;
  if ((alignment & (alignment - 1)) !== 0) {
    refuse(`is ${alignment}`, {
      field: nameKey(key),
      offset: metadata.get(key)?.offset ?? 0,
      limit: "a power of two",
    });
  }
  return alignment;
}

function findSplit(metadata: Metadata, limits: GgufLimits): GgufSplit | undefined {
  const count = findInteger(metadata, "split.count", { min: 0, max: limits.splitCount }) ?? 0;
  if (count <= 1) return undefined;
  const index = findInteger(metadata, "split.no", { min: 0, max: count - 1 });
  if (index === undefined) {
    refuse("is missing", { field: nameKey("split.no"), offset: 0, limit: `0 to ${count - 1}` });
  }
  const tensorCount = findInteger(metadata, "split.tensors.count", {
    min: 1,
    max: limits.tensorCount,
  });
  return { index, count, tensorCount };
}

function findArchitecture(metadata: Metadata, split: GgufSplit | undefined): string | undefined {
  const key = "general.architecture";
  const architecture = findText(metadata, key);
  if (architecture === undefined) {
    if (split !== undefined && split.index > 0) return undefined;
    return refuse("is missing", { field: nameKey(key), offset: 0, limit: "1 at least" });
  }
  // It becomes a part of other keys, and is shown.
  if (!/^[a-zA-Z0-9][a-zA-Z0-9._-]{0,63}$/.test(architecture)) {
    refuse("is no name of an architecture", {
      field: nameKey(key),
      offset: metadata.get(key)?.offset ?? 0,
      limit: "64 letters, digits, dots, dashes",
    });
  }
  return architecture;
}

/** "GGUF", read as a little-endian u32. */
const ggufMagic = 0x46554747;
const maxU32 = 0xffff_ffff;
const defaultAlignment = 32;
/** The format asks for a multiple of 8. */
const minAlignment = 8;
/** Key length 8, key 1, type 4, value 1. */
const minMetadataBytes = 14;
/** Name length 8, name 1, dimension count 4, one dimension 8, type 4, offset 8. */
const minTensorBytes = 33;
