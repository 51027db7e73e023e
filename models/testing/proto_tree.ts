// An ONNX file as a tree of fields, read and written without the validator's code: to damage what lies deep
// while every length around it stays right, and to check again what the validator let pass.

import { encodeVarint } from "./proto.ts";
import { joinBytes } from "../gguf/encode.ts";
import { pickOdd, type Random } from "./mutate.ts";

export interface TreeField {
  number: number;
  wire: number;
  /** A number, bytes (of fixed numbers too), or the fields of a message. */
  value: bigint | Uint8Array | TreeField[];
  /** A length that is written in place of the right one. */
  lie?: bigint;
}

/** Which field numbers of a message hold messages, and of which kind. */
export const nested: { readonly [kind: string]: { readonly [number: number]: string } } = {
  model: { 7: "graph", 8: "flat", 14: "flat", 20: "training", 25: "function" },
  training: { 1: "graph", 2: "graph" },
  function: { 7: "node", 9: "flat", 11: "attribute", 12: "value" },
  graph: { 1: "node", 5: "tensor", 11: "value", 12: "value", 13: "value", 15: "sparse" },
  node: { 5: "attribute" },
  attribute: { 5: "tensor", 6: "graph", 10: "tensor", 11: "graph", 22: "sparse", 23: "sparse" },
  sparse: { 1: "tensor", 2: "tensor" },
  tensor: { 13: "flat" },
  value: { 2: "type" },
  type: { 1: "tensor type" },
  "tensor type": { 2: "shape" },
  shape: { 1: "flat" },
  flat: {},
};

/** Throws for what is no such file. */
export function parseTree(bytes: Uint8Array, kind = "model"): TreeField[] {
  const fields: TreeField[] = [];
  let at = 0;
  const varint = () => {
    let value = 0n;
    for (let shift = 0n;; shift += 7n) {
      const byte = bytes[at++];
      if (byte === undefined || shift > 63n) throw new Error(`no number at ${at}`);
      value |= BigInt(byte & 0x7f) << shift;
      if (byte < 0x80) return value;
    }
  };
  const take = (length: number) => {
    if (at + length > bytes.length) throw new Error(`${length} bytes past the end at ${at}`);
    at += length;
    return bytes.subarray(at - length, at);
  };
  while (at < bytes.length) {
    const tag = Number(varint());
    const [number, wire] = [Math.floor(tag / 8), tag % 8];
    if (wire === 0) fields.push({ number, wire, value: varint() });
    else if (wire === 1) fields.push({ number, wire, value: take(8) });
    else if (wire === 5) fields.push({ number, wire, value: take(4) });
    else if (wire === 2) {
      const content = take(Number(varint()));
      const inner = nested[kind]?.[number];
      fields.push({
        number,
        wire,
        value: inner === undefined ? content : parseTree(content, inner),
      });
    } else throw new Error(`wire type ${wire}`);
  }
  return fields;
}

export function encodeTree(fields: readonly TreeField[]): Uint8Array<ArrayBuffer> {
  return joinBytes(fields.flatMap(({ number, wire, value, lie }) => {
    const tag = encodeVarint(BigInt(number) * 8n + BigInt(wire));
    if (typeof value === "bigint") return [tag, encodeVarint(value)];
    const bytes = value instanceof Uint8Array ? value : encodeTree(value);
    return wire === 2 ? [tag, encodeVarint(lie ?? bytes.length), bytes] : [tag, bytes];
  }));
}

/** The file with one to three fields changed, anywhere in it. */
export function mutateTree(tree: readonly TreeField[], random: Random): Uint8Array {
  const copy = cloneTree(tree);
  for (let count = random(3) + 1; count > 0; count--) {
    const lists: TreeField[][] = [];
    const collect = (fields: TreeField[]) => {
      if (fields.length > 0) lists.push(fields);
      for (const { value } of fields) if (Array.isArray(value)) collect(value);
    };
    collect(copy);
    const list = lists[random(lists.length)];
    if (list !== undefined) {
      changeField(list, { random, other: lists[random(lists.length)] ?? list });
    }
  }
  return encodeTree(copy);
}

function cloneTree(fields: readonly TreeField[]): TreeField[] {
  return fields.map(cloneField);
}

/** Bytes are shared: a change puts others in their place. */
function cloneField(field: TreeField): TreeField {
  return { ...field, value: Array.isArray(field.value) ? cloneTree(field.value) : field.value };
}

function changeField(
  list: TreeField[],
  { random, other }: { random: Random; other: TreeField[] },
): void {
  const at = random(list.length);
  const field = list[at];
  if (field === undefined) return;
  switch (random(10)) {
    case 0:
      list.splice(at, 1);
      return;
    case 1:
      list.splice(random(list.length), 0, cloneField(field));
      return;
    case 2:
      field.number = random(4) === 0 ? random(100) : field.number + random(3) - 1;
      return;
    case 3:
      field.lie = pickOdd(random);
      return;
    case 4: {
      const taken = other[random(other.length)];
      if (taken !== undefined) list.splice(at, 0, cloneField(taken));
      return;
    }
    case 5: { // the same, so many graphs deeper
      const graph = list.find(({ number, value }) => number === 6 && Array.isArray(value)) ?? field;
      const operator = { number: 4, wire: 2, value: new TextEncoder().encode("If") };
      for (let depth = [1, 5, 40, 300][random(4)] ?? 1; depth > 0; depth--) {
        const branch = { number: 5, wire: 2, value: [{ number: 6, wire: 2, value: graph.value }] };
        graph.value = [{ number: 1, wire: 2, value: [operator, branch] }];
      }
      graph.wire = 2;
      return;
    }
    default:
      if (typeof field.value === "bigint") {
        field.value = random(2) === 0 ? pickOdd(random) : field.value + BigInt(random(5) - 2);
      } else if (field.value instanceof Uint8Array) field.value = changeBytes(field.value, random);
      else field.value = [];
  }
}

function changeBytes(bytes: Uint8Array, random: Random): Uint8Array {
  switch (random(4)) {
    case 0:
      return bytes.slice(0, random(bytes.length + 1));
    case 1:
      return joinBytes([bytes, new Uint8Array(1 + random(8))]);
    case 2:
      return new TextEncoder().encode(["../../etc/passwd", "-1", "99999999", ""][random(4)]);
    default: {
      const changed = bytes.slice();
      if (changed.length > 0) changed[random(changed.length)] = random(256);
      return changed;
    }
  }
}
