// The tensors of a safetensors header: each within the data, of the size that its shape says, and all of
// them together the whole of it: no byte belongs to two, and none to nobody.

import { findDominant } from "../format/dominant.ts";
import { countElements } from "../format/elements.ts";
import { quote } from "../format/text.ts";
import { findBits } from "./data_type.ts";
import type { JsonReader, Label } from "./json.ts";
import type { SafetensorsLimits } from "./limits.ts";
import { refuse } from "./refuse.ts";

export interface Tensors {
  /** Reads the description of one tensor. */
  read(json: JsonReader, name: string): void;
  /** Checks that the tensors are all of the data. */
  finish(): void;
  readonly count: number;
  readonly parameterCount: number;
  readonly dominantType: string | undefined;
}

/** `dataBytes` are in the file after the header. Throws INVALID_MODEL. */
export function createTensors(
  { dataBytes, limits }: { dataBytes: number; limits: SafetensorsLimits },
): Tensors {
  const places: Place[] = [];
  const elementsByType = new Map<string, bigint>();
  let parameters = 0n;
  return {
    read(json, name) {
      const offset = json.position;
      const label = () => `tensor ${quote(name)}`;
      if (places.length >= limits.tensorCount) {
        refuse("is one tensor too many", { field: label(), offset, limit: limits.tensorCount });
      }
      const { dtype, shape, start, end } = readDescription(json, { label, offset, limits });
      const bits = findBits(dtype) ?? refuse(`has the unknown type ${quote(dtype)}`, {
        field: label(),
        offset,
        limit: "a type of safetensors",
      });
      const elements = countElements(shape) ??
        refuse("has too many elements", { field: label(), offset, limit: "2^63 - 1" });
      const sizeBits = elements * BigInt(bits);
      if (start > end || end > dataBytes) {
        refuse(`is at ${start} to ${end}`, { field: label(), offset, limit: `0 to ${dataBytes}` });
      }
      if (sizeBits !== BigInt(end - start) * 8n) {
        refuse(`has ${end - start} bytes`, {
          field: label(),
          offset,
          limit: `${sizeBits} bits, as its type ${dtype} and shape say`,
        });
      }
      places.push({ label, offset, start, end });
      parameters += elements;
      elementsByType.set(dtype, (elementsByType.get(dtype) ?? 0n) + elements);
    },
    finish() {
      places.sort((a, b) => a.start - b.start || a.end - b.end);
      let previousEnd = 0;
      for (const { label, offset, start, end } of places) {
        if (start !== previousEnd) {
          const problem = start < previousEnd ? "overlaps the tensor before it" : "leaves a gap";
          refuse(`starts at ${start} and ${problem}`, {
            field: label(),
            offset,
            limit: previousEnd,
          });
        }
        previousEnd = end;
      }
      if (previousEnd !== dataBytes) {
        refuse(`has ${dataBytes} bytes`, {
          field: "tensor data",
          offset: 0,
          limit: `${previousEnd}, where the last tensor ends`,
        });
      }
    },
    get count() {
      return places.length;
    },
    get parameterCount() {
      return Number(parameters);
    },
    get dominantType() {
      return findDominant(elementsByType);
    },
  };
}

interface Place {
  label: Label;
  /** Of the description, in the file. */
  offset: number;
  /** In the data. */
  start: number;
  end: number;
}

interface Description {
  dtype: string;
  shape: number[];
  start: number;
  end: number;
}

function readDescription(
  json: JsonReader,
  { label, offset, limits }: { label: Label; offset: number; limits: SafetensorsLimits },
): Description {
  let dtype: string | undefined;
  let shape: number[] | undefined;
  let offsets: number[] | undefined;
  json.expect("{", label);
  do {
    const at = json.position;
    const key = json.readString(() => `key in ${label()}`, limits.nameBytes);
    json.expect(":", label);
    const place = () => `${quote(key)} of ${label()}`;
    if (key === "dtype" && dtype === undefined) {
      dtype = json.readString(place, limits.nameBytes);
    } else if (key === "shape" && shape === undefined) {
      shape = readIntegers(json, place, limits.rank);
    } else if (key === "data_offsets" && offsets === undefined) {
      offsets = readIntegers(json, place, 2);
    } else {
      refuse("is unknown or comes twice", {
        field: place(),
        offset: at,
        limit: "dtype, shape, data_offsets",
      });
    }
  } while (json.accept(","));
  json.expect("}", label);
  const [start, end] = offsets ?? [];
  if (dtype === undefined || shape === undefined || start === undefined || end === undefined) {
    return refuse("is incomplete", {
      field: label(),
      offset,
      limit: "dtype, shape and data_offsets",
    });
  }
  return { dtype, shape, start, end };
}

function readIntegers(json: JsonReader, label: Label, limit: number): number[] {
  const integers: number[] = [];
  const offset = json.position;
  json.expect("[", label);
  if (json.accept("]")) return integers;
  do {
    if (integers.length === limit) refuse("has too many items", { field: label(), offset, limit });
    integers.push(json.readInteger(label));
  } while (json.accept(","));
  json.expect("]", label);
  return integers;
}
