// Walks the messages of an ONNX file, depth first, with a stack of its own: nesting cannot exhaust ours.
// Called by readOnnx. Invariant: every length stays within the message that holds it.

import { createCounter, type Kept, Message } from "./message.ts";
import type { OnnxLimits } from "./limits.ts";
import type { ProtoCursor } from "./cursor.ts";
import { refuse } from "./refuse.ts";
import { type Field, type MessageName, messages } from "./schema.ts";

export interface WalkOptions {
  limits: OnnxLimits;
  /** The file's end, bytes. */
  fileBytes: number;
  /** Called when a message ended, those within it first. */
  onMessage(message: Message): void;
}

/** Walks the whole file. Throws INVALID_MODEL; what `onMessage` throws passes. */
export async function walk(
  cursor: ProtoCursor,
  { limits, fileBytes, onMessage }: WalkOptions,
): Promise<Message> {
  const root = new Message({
    type: "model",
    field: "model",
    parent: undefined,
    start: 0,
    end: fileBytes,
  });
  const countMessage = createCounter(limits);
  let message = root;
  let depth = 1;
  let fields = 0;
  for (;;) {
    while (cursor.position >= message.end) {
      onMessage(message);
      if (message.parent === undefined) return root;
      message = message.parent;
      depth--;
    }
    if (++fields > limits.fieldCount) {
      refuse("is one field too many", {
        field: message.path,
        offset: cursor.position,
        limit: limits.fieldCount,
      });
    }
    // Most fields are at hand, and are passed over: only those that are not cost a turn of the event loop.
    if (!cursor.isPrepared) await cursor.prepare(message.end, message.label);
    const start = readStart(cursor, message);
    const { field, value } = start;
    if (field === undefined || (field.keep !== true && !isMessage(field))) {
      cursor.skip(value.bytes, message.label);
      continue;
    }
    if (!isMessage(field)) {
      await keepValue(cursor, message.keep(field, start.offset), { ...start, field, limits });
      continue;
    }
    message = enter(message, { ...start, field, limits, position: cursor.position });
    const key = messages[message.type].limit;
    if (key !== undefined) countMessage(key, message);
    if (++depth > limits.depth) {
      refuse("is nested too deep", {
        field: message.path,
        offset: message.start,
        limit: limits.depth,
      });
    }
  }
}

/** A field whose tag, and length or number, was read. */
interface FieldStart {
  /** Undefined where the schema does not have it. */
  field: Field | undefined;
  value: Value;
  isPacked: boolean;
  /** How often the message had it before. */
  before: number;
  offset: number;
  /** Names it in a message of refusal. */
  place(): string;
}

function readStart(cursor: ProtoCursor, message: Message): FieldStart {
  const offset = cursor.position;
  const tag = cursor.readVarint(message.end, () => `tag in ${message.path}`);
  const number = typeof tag === "number" ? Math.floor(tag / 8) : 0;
  const wireType = typeof tag === "number" ? tag % 8 : 0;
  if (number < 1 || number > maxFieldNumber) {
    refuse(`is the tag ${tag}`, {
      field: `tag in ${message.path}`,
      offset,
      limit: `fields 1 to ${maxFieldNumber}`,
    });
  }
  const field = messages[message.type].fields[number];
  const place = () => `${field?.name ?? `field ${number}`} of ${message.path}`;
  const value = readValue(cursor, { wireType, message, place, offset });
  if (field === undefined) {
    return { field, value, isPacked: false, before: 0, offset, place };
  }
  const before = message.note(number, field);
  if (before > 0 && field.repeated !== true) {
    refuse("comes twice", { field: place(), offset, limit: "once" });
  }
  const isPacked = wireType === wire.bytes && isNumber(field) && field.repeated === true;
  if (wireType !== wireOf(field) && !isPacked) {
    refuse(`has the wire type ${wireType}`, { field: place(), offset, limit: wireOf(field) });
  }
  return { field, value, isPacked, before, offset, place };
}

/** The message that a field holds. */
function enter(
  parent: Message,
  { field, value, before, offset, place, limits, position }: FieldStart & {
    field: MessageField;
    limits: OnnxLimits;
    position: number;
  },
): Message {
  const entered = new Message({
    type: field.kind,
    field: field.name,
    index: field.repeated === true ? before : undefined,
    parent,
    start: position,
    end: position + value.bytes,
  });
  if (field.keep === true) {
    const kept = parent.keep(field, offset);
    kept.messages.push(entered);
    checkMost(field, { count: kept.messages.length, offset, place, limits });
  }
  return entered;
}

interface Value {
  /** Of a varint. */
  integer: number | bigint;
  /** That the cursor has still to pass. */
  bytes: number;
}

function readValue(
  cursor: ProtoCursor,
  { wireType, message, place, offset }: {
    wireType: number;
    message: Message;
    place(): string;
    offset: number;
  },
): Value {
  const read = () => cursor.readVarint(message.end, place);
  if (wireType === wire.varint) return { integer: read(), bytes: 0 };
  const bytes = wireType === wire.double
    ? 8
    : wireType === wire.float
    ? 4
    : wireType === wire.bytes
    ? read()
    : refuse(`has the wire type ${wireType}`, { field: place(), offset, limit: "0, 1, 2 or 5" });
  const left = message.end - cursor.position;
  if (bytes > left) {
    refuse(`is ${bytes} bytes long, past the end of its message`, {
      field: place(),
      offset,
      limit: left,
    });
  }
  return { integer: 0, bytes: Number(bytes) };
}

type KeptStart = FieldStart & { field: Field; limits: OnnxLimits };

async function keepValue(
  cursor: ProtoCursor,
  kept: Kept,
  start: KeptStart,
): Promise<void> {
  const { field, value: { bytes }, place, limits } = start;
  switch (field.kind) {
    case "text": {
      const limit = limits[field.limit ?? "shownBytes"];
      // A metadata value may be anything; names, which others refer to, may not.
      if (bytes > limit && field.limit === undefined) return cursor.skip(bytes, field.name);
      if (bytes > limit) {
        refuse(`is ${bytes} bytes long`, { field: place(), offset: kept.offset, limit });
      }
      kept.count++;
      kept.texts.push(await cursor.readText(bytes, field.name));
      return;
    }
    case "bytes":
      kept.count += field.repeated === true ? 1 : bytes;
      return cursor.skip(bytes, field.name);
    case "float":
    case "double": {
      const size = field.kind === "float" ? 4 : 8;
      if (bytes % size !== 0) {
        refuse(`is ${bytes} bytes long`, {
          field: place(),
          offset: kept.offset,
          limit: `a multiple of ${size}`,
        });
      }
      kept.count += bytes / size;
      return cursor.skip(bytes, field.name);
    }
    default:
      await keepIntegers(cursor, kept, start);
  }
}

async function keepIntegers(
  cursor: ProtoCursor,
  kept: Kept,
  start: KeptStart,
): Promise<void> {
  const { field, value, isPacked, place, limits } = start;
  const isDimension = field.most !== undefined;
  if (isPacked && !isDimension) {
    kept.count += await cursor.countVarints(value.bytes, field.name);
    return;
  }
  const add = (integer: number | bigint) => {
    kept.count++;
    checkMost(field, { count: kept.count, offset: kept.offset, place, limits });
    if (isDimension || field.repeated !== true) {
      kept.integers.push(BigInt.asIntN(64, BigInt(integer)));
    }
  };
  if (!isPacked) return add(value.integer);
  const end = cursor.position + value.bytes;
  while (cursor.position < end) {
    await cursor.prepare(end, field.name);
    add(cursor.readVarint(end, place));
  }
}

function checkMost(
  { most }: Field,
  { count, offset, place, limits }: {
    count: number;
    offset: number;
    place(): string;
    limits: OnnxLimits;
  },
): void {
  if (most === undefined || count <= limits[most]) return;
  refuse(`has ${count} items`, { field: place(), offset, limit: limits[most] });
}

function isNumber({ kind }: Field): boolean {
  return kind === "int" || kind === "float" || kind === "double";
}

type MessageField = Field & { kind: MessageName };

function isMessage(field: Field): field is MessageField {
  return field.kind in messages;
}

function wireOf({ kind }: Field): number {
  return kind === "int"
    ? wire.varint
    : kind === "float"
    ? wire.float
    : kind === "double"
    ? wire.double
    : wire.bytes;
}

const wire = { varint: 0, double: 1, bytes: 2, float: 5 } as const;
const maxFieldNumber = 2 ** 29 - 1;
