// The key-value part of a GGUF header. Scalars and the strings that bkg reads are kept; arrays are
// passed over but the head counts of each block, only their type and length are kept. Keys that
// llama.cpp asserts on are type-checked.

import { quote } from "../format/text.ts";
import type { Cursor } from "./cursor.ts";
import type { GgufLimits } from "./limits.ts";
import { refuse } from "./refuse.ts";

/** The value types of GGUF (gguf.h, gguf_type). */
export const valueType = {
  u8: 0,
  i8: 1,
  u16: 2,
  i16: 3,
  u32: 4,
  i32: 5,
  f32: 6,
  bool: 7,
  string: 8,
  array: 9,
  u64: 10,
  i64: 11,
  f64: 12,
} as const;

export type MetadataValue =
  & {
    /** Where the value starts, bytes. */
    offset: number;
  }
  & (
    | { kind: "integer"; type: number; value: bigint }
    | { kind: "float" }
    | { kind: "bool"; value: boolean }
    /** `text` is undefined when nobody here reads the key. */
    | { kind: "string"; text: string | undefined }
    /** `integers` are kept of the arrays that have one item for each block. */
    | { kind: "array"; itemType: number; length: number; integers?: readonly bigint[] }
  );

export type Metadata = ReadonlyMap<string, MetadataValue>;

/** Reads `count` pairs. Bounded by `limits`; throws INVALID_MODEL. */
export async function readMetadata(
  cursor: Cursor,
  { count, limits }: { count: number; limits: GgufLimits },
): Promise<Metadata> {
  const metadata = new Map<string, MetadataValue>();
  for (let index = 0; index < count; index++) {
    const start = cursor.position;
    const key = await cursor.readString(`key ${index}`, limits.keyBytes);
    const field = nameKey(key);
    if (key === "") refuse("is empty", { field, offset: start, limit: "1 byte at least" });
    if (metadata.has(key)) refuse("comes twice", { field, offset: start, limit: "once" });
    metadata.set(key, await readValue(cursor, key, limits));
  }
  checkTypes(metadata);
  return metadata;
}

/** The text of a string key that bkg reads; undefined when the file does not have it. */
export function findText(metadata: Metadata, key: string): string | undefined {
  const found = metadata.get(key);
  if (found === undefined) return undefined;
  if (found.kind === "string" && found.text !== undefined) return found.text;
  return refuse(`is of kind "${found.kind}"`, {
    field: nameKey(key),
    offset: found.offset,
    limit: "string",
  });
}

/** An integer key within `range`; undefined when the file does not have it. */
export function findInteger(
  metadata: Metadata,
  key: string,
  { min, max }: { min: number; max: number },
): number | undefined {
  const found = metadata.get(key);
  if (found === undefined) return undefined;
  const place = { field: nameKey(key), offset: found.offset };
  if (found.kind !== "integer") {
    return refuse(`is of kind "${found.kind}"`, { ...place, limit: "integer" });
  }
  if (found.value < BigInt(min) || found.value > BigInt(max)) {
    return refuse(`is ${found.value}`, { ...place, limit: `${min} to ${max}` });
  }
  return Number(found.value);
}

/** An integer within `range` for the whole model, or one for each block; undefined when the file has none. */
export function findBlockIntegers(
  metadata: Metadata,
  key: string,
  { min, max }: { min: number; max: number },
): readonly number[] | undefined {
  const found = metadata.get(key);
  if (found?.kind !== "array") {
    const single = findInteger(metadata, key, { min, max });
    return single === undefined ? undefined : [single];
  }
  const place = { field: nameKey(key), offset: found.offset };
  if (found.integers === undefined) {
    return refuse("has the wrong type", { ...place, limit: "integer, or array of integers" });
  }
  const wrong = found.integers.find((value) => value < BigInt(min) || value > BigInt(max));
  if (wrong !== undefined) refuse(`holds ${wrong}`, { ...place, limit: `${min} to ${max}` });
  return found.integers.map(Number);
}

/** The length of an array key; undefined when the file does not have it. */
export function findArrayLength(metadata: Metadata, key: string): number | undefined {
  const found = metadata.get(key);
  return found?.kind === "array" ? found.length : undefined;
}

/** Names a metadata key in a message. */
export function nameKey(key: string): string {
  return `key ${quote(key)}`;
}

async function readValue(cursor: Cursor, key: string, limits: GgufLimits): Promise<MetadataValue> {
  const field = nameKey(key);
  const typeOffset = cursor.position;
  const type = await cursor.readU32(`value type of ${field}`);
  const offset = cursor.position;
  if (type === valueType.string) return await readText(cursor, key, limits);
  if (type === valueType.array) return await readArray(cursor, key, limits);
  const bytes = scalarBytes[type];
  if (bytes === undefined) return refuseType(type, field, typeOffset);
  const view = await cursor.readView(bytes, field);
  switch (type) {
    case valueType.f32:
    case valueType.f64:
      return { kind: "float", offset };
    case valueType.bool: {
      // Another byte in a C++ bool is undefined behaviour in the engine.
      const byte = view.getUint8(0);
      if (byte > 1) refuse(`is the bool ${byte}`, { field, offset, limit: "0 or 1" });
      return { kind: "bool", value: byte === 1, offset };
    }
    default:
      return { kind: "integer", type, value: readInteger(view, type), offset };
  }
}

/** Only what bkg reads is kept: templates of other names are as large, and there may be thousands. */
async function readText(cursor: Cursor, key: string, limits: GgufLimits): Promise<MetadataValue> {
  const field = nameKey(key);
  const offset = cursor.position;
  if (key === chatTemplateKey || shownKeys.has(key)) {
    const limit = key === chatTemplateKey ? limits.chatTemplateBytes : limits.shownBytes;
    return { kind: "string", text: await cursor.readString(field, limit), offset };
  }
  const isTemplate = key.startsWith(`${chatTemplateKey}.`);
  const limit = isTemplate ? limits.chatTemplateBytes : limits.stringBytes;
  cursor.skip(await cursor.readCount(`length of ${field}`, limit), field);
  return { kind: "string", text: undefined, offset };
}

/** Passes over an array; what is kept of it is its type and length, and of a short one its integers. */
async function readArray(cursor: Cursor, key: string, limits: GgufLimits): Promise<MetadataValue> {
  const field = nameKey(key);
  const offset = cursor.position;
  const itemType = await cursor.readU32(`item type of ${field}`);
  const length = await cursor.readCount(`array length of ${field}`, limits.arrayLength);
  const bytes = scalarBytes[itemType];
  if (bytes !== undefined && isInteger(itemType) && blockKey.test(key)) {
    if (length > limits.blockCount) {
      refuse(`has ${length} items`, { field, offset, limit: limits.blockCount });
    }
    const integers: bigint[] = [];
    for (let index = 0; index < length; index++) {
      integers.push(readInteger(await cursor.readView(bytes, field), itemType));
    }
    return { kind: "array", itemType, length, integers, offset };
  }
  if (bytes !== undefined) {
    cursor.skip(length * bytes, field);
  } else if (itemType === valueType.string) {
    // Every string has a length of 8 bytes: refuse a lie before walking up to it.
    if (length * 8 > cursor.remaining) cursor.skip(length * 8, field);
    await cursor.skipStrings(length, field, limits.stringBytes);
  } else if (itemType === valueType.array) {
    // The format knows arrays in arrays; llama.cpp does not read them, and no model has them.
    refuse("has arrays in an array", { field, offset, limit: "one level" });
  } else {
    refuseType(itemType, field, offset);
  }
  return { kind: "array", itemType, length, offset };
}

function isInteger(type: number): boolean {
  return type !== valueType.f32 && type !== valueType.f64 && type !== valueType.bool;
}

function readInteger(view: DataView, type: number): bigint {
  switch (type) {
    case valueType.u8:
      return BigInt(view.getUint8(0));
    case valueType.i8:
      return BigInt(view.getInt8(0));
    case valueType.u16:
      return BigInt(view.getUint16(0, true));
    case valueType.i16:
      return BigInt(view.getInt16(0, true));
    case valueType.u32:
      return BigInt(view.getUint32(0, true));
    case valueType.i32:
      return BigInt(view.getInt32(0, true));
    case valueType.u64:
      return view.getBigUint64(0, true);
    default:
      return view.getBigInt64(0, true);
  }
}

/** llama.cpp reads these without asking for their type: it aborts, or reads past an array's end. */
function checkTypes(metadata: Metadata): void {
  const alignment = metadata.get(alignmentKey);
  if (alignment && (alignment.kind !== "integer" || alignment.type !== valueType.u32)) {
    refuse("has the wrong type", {
      field: nameKey(alignmentKey),
      offset: alignment.offset,
      limit: "u32",
    });
  }
  for (const [key, wanted] of arrayKeys) {
    const found = metadata.get(key);
    if (found === undefined) continue;
    if (found.kind !== "array" || !wanted.types.includes(found.itemType)) {
      refuse("has the wrong type", {
        field: nameKey(key),
        offset: found.offset,
        limit: wanted.text,
      });
    }
  }
  const tokens = findArrayLength(metadata, "tokenizer.ggml.tokens") ?? 0;
  for (const key of ["tokenizer.ggml.scores", "tokenizer.ggml.token_type"]) {
    const found = metadata.get(key);
    if (found?.kind === "array" && found.length !== tokens) {
      refuse(`has ${found.length} items`, {
        field: nameKey(key),
        offset: found.offset,
        limit: `one for each of ${tokens} tokens`,
      });
    }
  }
}

function refuseType(type: number, field: string, offset: number): never {
  return refuse(`has the unknown value type ${type}`, { field, offset, limit: "0 to 12" });
}

const alignmentKey = "general.alignment";
const chatTemplateKey = "tokenizer.chat_template";
/** One number for each block where they differ. */
const blockKey = /\.attention\.head_count(?:_kv)?$/;

const shownKeys: ReadonlySet<string> = new Set([
  "general.architecture",
  "general.name",
  "general.description",
  "general.license",
  "general.type",
  "tokenizer.ggml.model",
]);

const arrayKeys: ReadonlyMap<string, { types: readonly number[]; text: string }> = new Map([
  ["tokenizer.ggml.tokens", { types: [valueType.string], text: "array of strings" }],
  ["tokenizer.ggml.merges", { types: [valueType.string], text: "array of strings" }],
  ["tokenizer.ggml.scores", { types: [valueType.f32], text: "array of f32" }],
  ["tokenizer.ggml.token_type", {
    types: [valueType.i32, valueType.u32],
    text: "array of i32",
  }],
  ["tokenizer.ggml.precompiled_charsmap", {
    types: [valueType.u8, valueType.i8],
    text: "array of u8",
  }],
]);

const scalarBytes: { readonly [type: number]: number } = {
  [valueType.u8]: 1,
  [valueType.i8]: 1,
  [valueType.u16]: 2,
  [valueType.i16]: 2,
  [valueType.u32]: 4,
  [valueType.i32]: 4,
  [valueType.f32]: 4,
  [valueType.bool]: 1,
  [valueType.u64]: 8,
  [valueType.i64]: 8,
  [valueType.f64]: 8,
};
