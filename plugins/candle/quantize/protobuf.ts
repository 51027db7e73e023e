// Protocol Buffers as far as an ONNX file needs them: a message as its list of fields, in order, unknown ones kept as they
// are. Contents are views of the file's bytes; nothing is copied until a message is written.

import { PluginError } from "@bkg/plugin";

export type Bytes = Uint8Array<ArrayBuffer>;

export type Field =
  | { number: number; kind: "varint"; value: bigint }
  | { number: number; kind: "bytes"; value: Bytes }
  /** Of 4 or 8 bytes. */
  | { number: number; kind: "fixed"; value: Bytes };

/** Throws INVALID_INPUT for bytes that are no message. */
export function readMessage(bytes: Bytes): Field[] {
  const fields: Field[] = [];
  let at = 0;
  const varint = (): bigint => {
    let value = 0n;
    for (let shift = 0n; shift < 70n; shift += 7n) {
      const byte = bytes[at++];
      if (byte === undefined) break;
      value |= BigInt(byte & 127) << shift;
      if (byte < 128) return BigInt.asUintN(64, value);
    }
    throw malformed();
  };
  const take = (length: number): Bytes => {
    if (at + length > bytes.length) throw malformed();
    at += length;
    return bytes.subarray(at - length, at);
  };
  while (at < bytes.length) {
    const tag = Number(varint());
    const number = Math.floor(tag / 8);
    if (number === 0 || number > maxFieldNumber || fields.length >= maxFields) throw malformed();
    switch (tag % 8) {
      case 0:
        fields.push({ number, kind: "varint", value: varint() });
        break;
      case 1:
        fields.push({ number, kind: "fixed", value: take(8) });
        break;
      case 2:
        fields.push({ number, kind: "bytes", value: take(Number(varint())) });
        break;
      case 5:
        fields.push({ number, kind: "fixed", value: take(4) });
        break;
      default:
        throw malformed();
    }
  }
  return fields;
}

export function writeMessage(fields: readonly Field[]): Bytes {
  const parts: Uint8Array[] = [];
  let length = 0;
  const push = (part: Uint8Array) => {
    parts.push(part);
    length += part.length;
  };
  for (const { number, kind, value } of fields) {
    if (kind === "varint") {
      push(writeVarint(BigInt(number * 8)));
      push(writeVarint(value));
    } else if (kind === "fixed") {
      push(writeVarint(BigInt(number * 8 + (value.length === 8 ? 1 : 5))));
      push(value);
    } else {
      push(writeVarint(BigInt(number * 8 + 2)));
      push(writeVarint(BigInt(value.length)));
      push(value);
    }
  }
  const whole = new Uint8Array(length);
  let at = 0;
  for (const part of parts) {
    whole.set(part, at);
    at += part.length;
  }
  return whole;
}

export function text(number: number, value: string): Field {
  return { number, kind: "bytes", value: new TextEncoder().encode(value) };
}

export function bytes(number: number, value: Bytes): Field {
  return { number, kind: "bytes", value };
}

export function integer(number: number, value: number): Field {
  return { number, kind: "varint", value: BigInt(value) };
}

/** All texts of one field. */
export function textsOf(fields: readonly Field[], number: number): string[] {
  return bytesOf(fields, number).map((value) => decoder.decode(value));
}

/** All messages or contents of one field. */
export function bytesOf(fields: readonly Field[], number: number): Bytes[] {
  return fields.flatMap((field) =>
    field.number === number && field.kind === "bytes" ? [field.value] : []
  );
}

/** All whole numbers of one field, packed or not. */
export function integersOf(fields: readonly Field[], number: number): number[] {
  return fields.flatMap((field) => {
    if (field.number !== number) return [];
    if (field.kind === "varint") return [Number(BigInt.asIntN(64, field.value))];
    return field.kind === "bytes" ? readPacked(field.value) : [];
  });
}

function readPacked(packed: Bytes): number[] {
  const values: number[] = [];
  let value = 0n;
  let shift = 0n;
  for (const byte of packed) {
    value |= BigInt(byte & 127) << shift;
    shift += 7n;
    if (byte >= 128) {
      if (shift >= 70n) throw malformed();
      continue;
    }
    values.push(Number(BigInt.asIntN(64, value)));
    value = shift = 0n;
    if (values.length > maxFields) throw malformed();
  }
  return values;
}

function writeVarint(value: bigint): Uint8Array {
  const found: number[] = [];
  let rest = BigInt.asUintN(64, value);
  do {
    found.push(Number(rest & 127n) | (rest > 127n ? 128 : 0));
    rest >>= 7n;
  } while (rest > 0n);
  return Uint8Array.from(found);
}

function malformed(): PluginError {
  return new PluginError("INVALID_INPUT", "The model's file is no whole ONNX file");
}

const decoder = new TextDecoder();
/** Of Protocol Buffers themselves. */
const maxFieldNumber = 2 ** 29 - 1;
/** More than any graph has; each costs memory. */
const maxFields = 1_000_000;
