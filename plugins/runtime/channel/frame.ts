// Frames of a byte stream: u32 length (little-endian) of what follows, u8 kind, payload.
// The reader is the first thing that plugin-authored bytes meet: every length is checked before it is used.

import { AppError } from "../contract/error.ts";
import type { Message } from "../contract/message.ts";
import { jsonProblem } from "./json_weight.ts";

export const frameKind = {
  /** A JSON array of messages. */
  messages: 1,
  /** One message with buffers: u32 length of the JSON, the JSON, then the buffers' bytes. */
  buffers: 2,
  /** JSON between the host and a cell's trusted main; never forwarded to the plugin. */
  control: 3,
} as const;

export const frameHeaderBytes = 5;

/** The most bytes that one frame's payload may have. */
export const maxFrameBytes = 32 * 1024 * 1024;

export interface Frame {
  kind: number;
  /** Valid until the reader is fed again. */
  payload: Uint8Array;
}

/** Cuts a byte stream into frames; throws PROTOCOL_VIOLATION on a length above `maxBytes`. */
export class FrameReader {
  readonly #maxBytes: number;
  #header = new Uint8Array(frameHeaderBytes);
  #headerFilled = 0;
  #body: Uint8Array | undefined;
  #bodyFilled = 0;

  constructor(maxBytes = maxFrameBytes) {
    this.#maxBytes = maxBytes;
  }

  *push(chunk: Uint8Array): Generator<Frame, void> {
    let at = 0;
    while (at < chunk.length) {
      if (this.#body === undefined) {
        if (this.#headerFilled === 0 && chunk.length - at >= frameHeaderBytes) {
          const length = readU32(chunk, at);
          this.#check(length);
          const end = at + 4 + length;
          if (end <= chunk.length) {
            yield { kind: chunk[at + 4] ?? 0, payload: chunk.subarray(at + frameHeaderBytes, end) };
            at = end;
            continue;
          }
        }
        const take = Math.min(frameHeaderBytes - this.#headerFilled, chunk.length - at);
        this.#header.set(chunk.subarray(at, at + take), this.#headerFilled);
        this.#headerFilled += take;
        at += take;
        if (this.#headerFilled < frameHeaderBytes) return;
        const length = readU32(this.#header, 0);
        this.#check(length);
        this.#body = new Uint8Array(length - 1);
        this.#bodyFilled = 0;
      }
      const take = Math.min(this.#body.length - this.#bodyFilled, chunk.length - at);
      this.#body.set(chunk.subarray(at, at + take), this.#bodyFilled);
      this.#bodyFilled += take;
      at += take;
      if (this.#bodyFilled < this.#body.length) return;
      const payload = this.#body;
      this.#body = undefined;
      this.#headerFilled = 0;
      yield { kind: this.#header[4] ?? 0, payload };
    }
  }

  #check(length: number): void {
    if (length < 1 || length - 1 > this.#maxBytes) {
      throw new AppError(
        "PROTOCOL_VIOLATION",
        `A frame claims ${length} bytes, allowed are 1 to ${this.#maxBytes}`,
      );
    }
  }
}

/** Builds one frame out of a kind and the parts of its payload. */
export function encodeFrame(kind: number, ...parts: Uint8Array[]): Uint8Array<ArrayBuffer> {
  const length = parts.reduce((sum, part) => sum + part.length, 0);
  const frame = new Uint8Array(frameHeaderBytes + length);
  writeU32(frame, 0, length + 1);
  frame[4] = kind;
  let at = frameHeaderBytes;
  for (const part of parts) {
    frame.set(part, at);
    at += part.length;
  }
  return frame;
}

export function encodeControl(value: unknown): Uint8Array<ArrayBuffer> {
  return encodeFrame(frameKind.control, encoder.encode(JSON.stringify(value)));
}

export function decodeControl(payload: Uint8Array): unknown {
  return parseJson(payload);
}

/** One frame for many messages that are JSON already. */
export function encodeMessages(jsons: readonly string[]): Uint8Array<ArrayBuffer> {
  const text = jsons.length === 1 ? `[${jsons[0]}]` : `[${jsons.join(",")}]`;
  if (text.length * 3 <= scratch.length) {
    const { written } = encoder.encodeInto(text, scratch);
    return encodeFrame(frameKind.messages, scratch.subarray(0, written));
  }
  return encodeFrame(frameKind.messages, encoder.encode(text));
}

/** One frame for a message that holds typed arrays; undefined when it holds none. */
export function encodeBuffers(
  message: Message,
  checkJson?: (json: Uint8Array) => void,
): Uint8Array<ArrayBuffer> | undefined {
  if (!holdsBuffer(message)) return undefined;
  const found: { path: string[]; type: string; bytes: Uint8Array }[] = [];
  const bare = takeBuffers(message, [], found);
  const json = encoder.encode(JSON.stringify({
    message: bare,
    buffers: found.map(({ path, type, bytes }) => ({ path, type, length: bytes.length })),
  }));
  checkJson?.(json);
  const length = new Uint8Array(4);
  writeU32(length, 0, json.length);
  return encodeFrame(frameKind.buffers, length, json, ...found.map(({ bytes }) => bytes));
}

/** The messages of a frame, still unparsed values; throws PROTOCOL_VIOLATION. A trusted peer's may be large. */
export function decodeMessages({ kind, payload }: Frame, trusted = false): unknown[] {
  if (kind === frameKind.messages) {
    const values = parseJson(payload, trusted);
    if (Array.isArray(values)) return values;
  } else if (kind === frameKind.buffers && payload.length >= 4) {
    const jsonEnd = 4 + readU32(payload, 0);
    if (jsonEnd <= payload.length) {
      const value = parseJson(payload.subarray(4, jsonEnd), trusted);
      return [putBuffers(value, payload.subarray(jsonEnd))];
    }
  }
  throw new AppError("PROTOCOL_VIOLATION", `A frame of kind ${kind} is malformed`);
}

const encoder = new TextEncoder();
const decoder = new TextDecoder("utf-8", { fatal: true });
const scratch = new Uint8Array(64 * 1024);
const maxDepth = 64;

const arrayTypes = {
  Uint8Array,
  Int8Array,
  Uint16Array,
  Int16Array,
  Uint32Array,
  Int32Array,
  Float32Array,
  Float64Array,
  BigInt64Array,
  BigUint64Array,
} as const;

function parseJson(bytes: Uint8Array, trusted = false): unknown {
  const problem = trusted ? undefined : jsonProblem(bytes);
  if (problem !== undefined) throw new AppError("PROTOCOL_VIOLATION", `A frame ${problem}`);
  try {
    return JSON.parse(decoder.decode(bytes));
  } catch (cause) {
    throw new AppError("PROTOCOL_VIOLATION", "A frame holds no valid JSON", { cause });
  }
}

/** Whether a typed array stands anywhere in the value. */
export function holdsBuffer(value: unknown, depth = 0): boolean {
  if (typeof value !== "object" || value === null || depth > maxDepth) return false;
  if (ArrayBuffer.isView(value)) return true;
  if (Array.isArray(value)) {
    for (const item of value) {
      if (typeof item === "object" && holdsBuffer(item, depth + 1)) return true;
    }
    return false;
  }
  for (const key in value) {
    const item = (value as Record<string, unknown>)[key];
    if (typeof item === "object" && holdsBuffer(item, depth + 1)) return true;
  }
  return false;
}

function takeBuffers(
  value: unknown,
  path: string[],
  found: { path: string[]; type: string; bytes: Uint8Array }[],
): unknown {
  if (typeof value !== "object" || value === null || path.length > maxDepth) return value;
  if (ArrayBuffer.isView(value)) {
    const type = Object.prototype.toString.call(value).slice(8, -1);
    const bytes = new Uint8Array(value.buffer, value.byteOffset, value.byteLength);
    found.push({ path, type: Object.hasOwn(arrayTypes, type) ? type : "Uint8Array", bytes });
    return null;
  }
  if (Array.isArray(value)) {
    return value.map((item, index) => takeBuffers(item, [...path, String(index)], found));
  }
  return Object.fromEntries(
    Object.entries(value).map(([key, item]) => [key, takeBuffers(item, [...path, key], found)]),
  );
}

function putBuffers(value: unknown, bytes: Uint8Array): unknown {
  const malformed = () => new AppError("PROTOCOL_VIOLATION", "A frame's buffers are malformed");
  const { message, buffers } = (value ?? {}) as { message?: unknown; buffers?: unknown };
  if (!Array.isArray(buffers)) throw malformed();
  let at = 0;
  for (const entry of buffers) {
    const { path, type, length } = (entry ?? {}) as Record<string, unknown>;
    if (!Array.isArray(path) || typeof type !== "string" || !Object.hasOwn(arrayTypes, type)) {
      throw malformed();
    }
    if (typeof length !== "number" || !(length >= 0) || at + length > bytes.length) {
      throw malformed();
    }
    const ArrayType = arrayTypes[type as keyof typeof arrayTypes];
    if (length % ArrayType.BYTES_PER_ELEMENT !== 0) throw malformed();
    const copy = bytes.slice(at, at + length);
    at += length;
    let holder: unknown = message;
    for (const key of path.slice(0, -1)) holder = ownValue(holder, key);
    const last: unknown = path.at(-1);
    if (ownValue(holder, last) !== null) throw malformed();
    (holder as Record<string, unknown>)[last as string] = new ArrayType(copy.buffer);
  }
  return message;
}

function ownValue(holder: unknown, key: unknown): unknown {
  return typeof holder === "object" && holder !== null && typeof key === "string" &&
      Object.hasOwn(holder, key)
    ? (holder as Record<string, unknown>)[key]
    : undefined;
}

function readU32(bytes: Uint8Array, at: number): number {
  return ((bytes[at] ?? 0) | ((bytes[at + 1] ?? 0) << 8) | ((bytes[at + 2] ?? 0) << 16) |
    ((bytes[at + 3] ?? 0) << 24)) >>> 0;
}

function writeU32(bytes: Uint8Array, at: number, value: number): void {
  bytes[at] = value;
  bytes[at + 1] = value >>> 8;
  bytes[at + 2] = value >>> 16;
  bytes[at + 3] = value >>> 24;
}
