// Tensors as a person fills and reads them: shapes as text, zeros, random numbers, bytes of a file; of an output what
// it holds. Little-endian throughout. Callers: the tensor runner and its parts.

import type { TensorInfo, TensorOutput } from "../stores/tensor_models.ts";
import { parseJsonText } from "./form_values.ts";
import { capText, formatBytes, formatCount } from "./format.ts";

export type Fill = "values" | "zeros" | "random" | "file";

/** How one input is filled; texts as they were typed. */
export interface TensorDraft {
  fill: Fill;
  /** "1, 3, 320, 320" */
  shapeText: string;
  valuesText: string;
  /** `bytes` are left out of one that is far too large. */
  file?: { name: string; size: number; bytes: Uint8Array };
}

/** What is sent for an input, or why it cannot be. */
export type BuiltTensor = { value: unknown } | { issue: string };

export interface OutputSummary {
  count: number;
  /** Of numbers that are finite; undefined where there is none. */
  min?: number;
  max?: number;
  mean?: number;
  /** Elements that are no finite number. */
  notFinite: number;
  /** The first values, as text. */
  first: string[];
}

/** A draft that runs as it is: zeros to look at while they are few, random numbers else. */
export function draftOf(info: TensorInfo): TensorDraft {
  const shape = exampleShape(info);
  const isSmall = countOf(shape) <= maxWrittenElements;
  return {
    fill: isSmall ? "values" : info.type === "string" ? "zeros" : "random",
    shapeText: shape.join(", "),
    valuesText: isSmall ? writeNested(zeros(info.type, countOf(shape)), shape) : "",
  };
}

/** Dynamic axes have the size 1. */
export function exampleShape({ shape }: TensorInfo): number[] {
  return shape.map((size) => typeof size === "number" ? size : 1);
}

export function isDynamic({ shape }: TensorInfo): boolean {
  return shape.some((size) => typeof size !== "number");
}

/** "float32 [batch, 3, 320, 320]" */
export function describeTensor({ type, shape }: TensorInfo): string {
  const axes = shape.slice(0, maxAxes).map((size) =>
    typeof size === "number" ? String(size) : capText(size, 40)
  );
  return `${capText(type, 20)} [${axes.join(", ")}]`;
}

/** Of "1, 3, 320" and "1x3x320" alike; an empty text is a scalar. */
export function parseShape(text: string, { shape }: TensorInfo): number[] | { issue: string } {
  const words = text.split(/[\s,x×[\]]+/).filter((word) => word !== "");
  const sizes = words.map(Number);
  if (sizes.some((size) => !Number.isSafeInteger(size) || size < 0)) {
    return { issue: "The shape is whole numbers with commas, such as 1, 3, 320" };
  }
  if (sizes.length !== shape.length) {
    return { issue: `The shape has ${sizes.length} sizes, and the model takes ${shape.length}` };
  }
  const at = shape.findIndex((size, axis) => typeof size === "number" && size !== sizes[axis]);
  if (at >= 0) return { issue: `Axis ${at + 1} of the shape must be ${shape[at]}` };
  return sizes;
}

/** `random` gives numbers from 0 to 1. */
export function buildTensor(
  info: TensorInfo,
  draft: TensorDraft,
  { random }: { random: () => number },
): BuiltTensor {
  if (draft.fill === "values") {
    const parsed = parseJsonText(draft.valuesText);
    return "issue" in parsed
      ? { issue: `The values are JSON, such as [[0, 1]]; this ${parsed.issue}` }
      : { value: parsed.value };
  }
  const shape = parseShape(draft.shapeText, info);
  if ("issue" in shape) return shape;
  const { type } = info;
  const count = countOf(shape);
  if (draft.fill === "file") return readFile(draft.file, { type, shape });
  if (count > maxElements) {
    return { issue: `This shape has ${formatCount(count)} elements, which is too large to send` };
  }
  if (type === "string") return { value: { type, shape, data: zeros(type, count) } };
  const width = widths[type];
  if (width === undefined) return { issue: `bkg cannot make values of ${capText(type, 20)}` };
  const bytes = new Uint8Array(count * width);
  if (draft.fill === "random") writeRandom(type, new DataView(bytes.buffer), random);
  return { value: { type, shape, data: toBase64(bytes) } };
}

export function summarizeOutput({ type, shape, data }: TensorOutput): OutputSummary {
  const count = countOf(shape);
  if (typeof data !== "string") {
    const first = data.slice(0, shownValues).map((item) => capText(JSON.stringify(item) ?? "", 60));
    return { count, notFinite: 0, first };
  }
  const read = readers[type];
  const width = widths[type];
  const bytes = fromBase64(data);
  if (read === undefined || width === undefined || bytes === undefined) {
    return { count, notFinite: 0, first: [] };
  }
  const view = new DataView(bytes.buffer);
  const first: string[] = [];
  let min = Infinity;
  let max = -Infinity;
  let sum = 0;
  let finite = 0;
  const total = Math.floor(bytes.length / width);
  for (let index = 0; index < total; index++) {
    const value = read(view, index * width);
    if (first.length < shownValues) first.push(writeValue(type, value));
    const number = Number(value);
    if (!Number.isFinite(number)) continue;
    finite++;
    sum += number;
    min = Math.min(min, number);
    max = Math.max(max, number);
  }
  return {
    ...{ count, notFinite: total - finite, first },
    ...(finite === 0 ? {} : { min, max, mean: sum / finite }),
  };
}

/** With what counts of it: 0.123457, 6.7412e-7, NaN. */
export function writeNumber(value: number | undefined): string {
  if (value === undefined) return "";
  return Number.isFinite(value) && !Number.isInteger(value)
    ? String(Number(value.toPrecision(5)))
    : String(value);
}

export function fromBase64(text: string): Uint8Array<ArrayBuffer> | undefined {
  try {
    const binary = atob(text);
    return Uint8Array.from(binary, (letter) => letter.charCodeAt(0));
  } catch {
    return undefined;
  }
}

export function countOf(shape: readonly number[]): number {
  return shape.reduce((product, size) => product * size, 1);
}

/** So many values of an output are shown. */
export const shownValues = 16;
/** Up to so many elements are written out to be changed by hand. */
const maxWrittenElements = 256;
/** Its bytes and their base64 fit the 16 MiB that a request may have. */
const maxElements = 3_000_000;
const maxFileBytes = 12 * 1024 * 1024;
const maxAxes = 16;

function readFile(
  file: TensorDraft["file"],
  { type, shape }: { type: string; shape: number[] },
): BuiltTensor {
  const width = widths[type];
  if (width === undefined) return { issue: `A file cannot hold ${capText(type, 20)}` };
  const needed = countOf(shape) * width;
  const form = `${type} [${shape.join(", ")}]`;
  if (file === undefined) {
    return { issue: `Choose a file of ${formatCount(needed)} bytes: ${form}, little-endian` };
  }
  if (file.size !== needed) {
    return {
      issue: `"${capText(file.name, 60)}" has ${formatCount(file.size)} bytes, and ` +
        `${form} takes ${formatCount(needed)}`,
    };
  }
  if (needed > maxFileBytes) {
    return { issue: `At most ${formatBytes(maxFileBytes)} can be sent, and this is more` };
  }
  return { value: { type, shape, data: toBase64(file.bytes) } };
}

function zeros(type: string, count: number): unknown[] {
  const zero = type === "string" ? "" : type === "bool" ? false : 0;
  return Array.from({ length: count }, () => zero);
}

/** Nested lists, the innermost of each on a line of its own. */
function writeNested(items: readonly unknown[], shape: readonly number[]): string {
  const write = (axis: number, from: number, length: number): string => {
    if (axis === shape.length) return JSON.stringify(items[from]);
    const size = shape[axis]!;
    const step = size === 0 ? 0 : length / size;
    const parts = Array.from({ length: size }, (_, at) => write(axis + 1, from + at * step, step));
    const isInnermost = axis === shape.length - 1;
    return isInnermost || size <= 1
      ? `[${parts.join(", ")}]`
      : `[\n${parts.map((part) => part.replace(/^/gm, "  ")).join(",\n")}\n]`;
  };
  return write(0, 0, items.length);
}

/** Floats from 0 to 1, whole numbers from 0 to 9. */
function writeRandom(type: string, view: DataView, random: () => number): void {
  const width = widths[type]!;
  for (let at = 0; at < view.byteLength; at += width) {
    const digit = Math.floor(random() * 10);
    switch (type) {
      case "float32":
        view.setFloat32(at, random(), true);
        break;
      case "float64":
        view.setFloat64(at, random(), true);
        break;
      case "float16":
        view.setUint16(at, halfOf(random()), true);
        break;
      case "bool":
        view.setUint8(at, digit % 2);
        break;
      default:
        // Whole numbers from 0 to 9 are one byte, and zeros behind it.
        view.setUint8(at, digit);
    }
  }
}

/** The bits of a float16, of a number from 0 to 1. */
function halfOf(value: number): number {
  if (value < 2 ** -14) return Math.round(value / 2 ** -24);
  const exponent = Math.floor(Math.log2(value));
  const fraction = Math.round((value / 2 ** exponent - 1) * 1024);
  return ((exponent + 15) << 10) + fraction;
}

function readHalf(bits: number): number {
  const sign = bits & 0x8000 ? -1 : 1;
  const exponent = bits >> 10 & 0x1f;
  const fraction = bits & 0x3ff;
  if (exponent === 0) return sign * fraction * 2 ** -24;
  if (exponent === 31) return fraction === 0 ? sign * Infinity : NaN;
  return sign * (1 + fraction / 1024) * 2 ** (exponent - 15);
}

function writeValue(type: string, value: number | bigint): string {
  if (type === "bool") return value === 0 ? "false" : "true";
  return typeof value === "bigint" ? String(value) : writeNumber(value);
}

/** In pieces: a call takes only so many arguments. */
function toBase64(bytes: Uint8Array): string {
  const pieces: string[] = [];
  for (let from = 0; from < bytes.length; from += 0x6000) {
    pieces.push(btoa(String.fromCharCode(...bytes.subarray(from, from + 0x6000))));
  }
  return pieces.join("");
}

/** Bytes of an element. */
const widths: Readonly<Record<string, number>> = {
  float64: 8,
  int64: 8,
  uint64: 8,
  float32: 4,
  int32: 4,
  uint32: 4,
  float16: 2,
  int16: 2,
  uint16: 2,
  int8: 1,
  uint8: 1,
  bool: 1,
};

const readers: Readonly<Record<string, (view: DataView, at: number) => number | bigint>> = {
  float64: (view, at) => view.getFloat64(at, true),
  int64: (view, at) => view.getBigInt64(at, true),
  uint64: (view, at) => view.getBigUint64(at, true),
  float32: (view, at) => view.getFloat32(at, true),
  int32: (view, at) => view.getInt32(at, true),
  uint32: (view, at) => view.getUint32(at, true),
  float16: (view, at) => readHalf(view.getUint16(at, true)),
  int16: (view, at) => view.getInt16(at, true),
  uint16: (view, at) => view.getUint16(at, true),
  int8: (view, at) => view.getInt8(at),
  uint8: (view, at) => view.getUint8(at),
  bool: (view, at) => view.getUint8(at),
};
