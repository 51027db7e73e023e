// The tensor part of a GGUF header: names, shapes, types and offsets are checked against each other
// and the file's size while they are read; nothing but names and sums is kept.

import { findDominant } from "../format/dominant.ts";
import { quote } from "../format/text.ts";
import type { Cursor } from "./cursor.ts";
import type { GgufLimits } from "./limits.ts";
import { refuse } from "./refuse.ts";
import { findTensorType, type TensorType } from "./tensor_type.ts";

export interface TensorSummary {
  /** Elements of all tensors. */
  parameterCount: number;
  /** The tensor type that holds most elements; undefined without tensors. */
  dominantType: string | undefined;
  /** Bytes from the start of the data to the end of the last tensor. */
  dataBytes: number;
}

export interface TensorsOptions {
  count: number;
  /** Every tensor's offset is a multiple of it, bytes. */
  alignment: number;
  fileBytes: number;
  limits: GgufLimits;
}

/** Reads `count` tensor descriptions. Throws INVALID_MODEL. */
export async function readTensors(
  cursor: Cursor,
  { count, alignment, fileBytes, limits }: TensorsOptions,
): Promise<TensorSummary> {
  const names = new Set<string>();
  const elementsByType = new Map<string, bigint>();
  const fileEnd = BigInt(fileBytes);
  const step = BigInt(alignment);
  let parameters = 0n;
  let previousEnd = 0n;
  for (let index = 0; index < count; index++) {
    const start = cursor.position;
    const name = await cursor.readString(`name of tensor ${index}`, limits.tensorNameBytes);
    const field = `tensor ${quote(name)}`;
    if (name === "") refuse("has no name", { field, offset: start, limit: "1 byte at least" });
    if (names.has(name)) refuse("comes twice", { field, offset: start, limit: "once" });
    names.add(name);

    const dims = await readDims(cursor, field);
    const type = await readType(cursor, field);
    const bytes = measure(dims, { type, field, offset: start });

    const offsetPlace = cursor.position;
    const offset = await cursor.readU64(`data offset of ${field}`);
    const place = { field: `data offset of ${field}`, offset: offsetPlace };
    if (offset % step !== 0n) {
      refuse(`is ${offset}`, { ...place, limit: `a multiple of ${alignment}` });
    }
    // llama.cpp takes tensors back to back in the order of the header, and nothing else.
    const expected = align(previousEnd, step);
    if (offset !== expected) {
      const problem = offset < previousEnd ? "overlaps the tensor before it" : "leaves a gap";
      refuse(`is ${offset} and ${problem}`, { ...place, limit: expected });
    }
    previousEnd = offset + bytes.bytes;
    if (previousEnd > fileEnd) {
      refuse(`puts the data's end at ${previousEnd}, past the end of the file`, {
        ...place,
        limit: fileEnd,
      });
    }
    parameters += bytes.elements;
    elementsByType.set(type.name, (elementsByType.get(type.name) ?? 0n) + bytes.elements);
  }
  return {
    parameterCount: Number(parameters),
    dominantType: findDominant(elementsByType),
    dataBytes: Number(previousEnd),
  };
}

async function readDims(cursor: Cursor, field: string): Promise<bigint[]> {
  const countOffset = cursor.position;
  const count = await cursor.readU32(`dimension count of ${field}`);
  if (count < 1 || count > maxDims) {
    refuse(`is ${count}`, {
      field: `dimension count of ${field}`,
      offset: countOffset,
      limit: `1 to ${maxDims}`,
    });
  }
  const dims: bigint[] = [];
  for (let index = 0; index < count; index++) {
    const offset = cursor.position;
    const dim = await cursor.readU64(`dimension ${index} of ${field}`);
    if (dim < 1n || dim > maxI64) {
      refuse(`is ${dim}`, {
        field: `dimension ${index} of ${field}`,
        offset,
        limit: `1 to ${maxI64}`,
      });
    }
    dims.push(dim);
  }
  return dims;
}

async function readType(cursor: Cursor, field: string): Promise<TensorType> {
  const offset = cursor.position;
  const id = await cursor.readU32(`type of ${field}`);
  return findTensorType(id) ?? refuse(`is the unknown ggml type ${id}`, {
    field: `type of ${field}`,
    offset,
    limit: "a type of ggml",
  });
}

/** Elements and bytes of a tensor, neither past a signed 64 bit integer. */
function measure(
  dims: readonly bigint[],
  { type, field, offset }: { type: TensorType; field: string; offset: number },
): { elements: bigint; bytes: bigint } {
  const rowElements = dims[0] ?? 1n;
  if (rowElements % BigInt(type.blockElements) !== 0n) {
    refuse(`has rows of ${rowElements} elements`, {
      field,
      offset,
      limit: `a multiple of ${type.blockElements}, the block of ${type.name}`,
    });
  }
  // Checked at each factor, so that no number here grows past 128 bits.
  let elements = 1n;
  for (const dim of dims) {
    elements *= dim;
    if (elements > maxI64) {
      refuse("has too many elements", { field, offset, limit: maxI64 });
    }
  }
  const bytes = elements / BigInt(type.blockElements) * BigInt(type.blockBytes);
  if (bytes > maxI64) refuse("has too many bytes", { field, offset, limit: maxI64 });
  return { elements, bytes };
}

function align(value: bigint, step: bigint): bigint {
  return (value + step - 1n) / step * step;
}

const maxDims = 4;
const maxI64 = 2n ** 63n - 1n;
