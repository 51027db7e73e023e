// Reads protocol buffers off an ONNX file's bytes: varints, and runs of them. Knows what was read and
// what was passed over, so that a file of weights costs little and a file of nothing but structure is refused.

import {
  ByteCursor,
  type ByteCursorOptions,
  type ByteReader,
  decodeUtf8,
} from "../format/cursor.ts";
import type { OnnxLimits } from "./limits.ts";
import { refuse } from "./refuse.ts";

type ProtoLimits = Pick<OnnxLimits, "structureBytes" | "textBytes">;

export class ProtoCursor extends ByteCursor {
  readonly #limits: ProtoLimits;
  #skipped = 0;
  #textBytes = 0;

  constructor(
    reader: ByteReader,
    { limits, signal }: { limits: ProtoLimits } & Pick<ByteCursorOptions, "signal">,
  ) {
    super(reader, { refuse, firstChunkBytes, signal });
    this.#limits = limits;
  }

  override skip(length: number, field: string): void {
    super.skip(length, field);
    this.#skipped += length;
  }

  /** Whether what one field starts with is at hand: its tag, and its length or its number. */
  get isPrepared(): boolean {
    return this.buffered >= maxFieldStartBytes;
  }

  /** Has what one field starts with at hand, where it ends before `end`. */
  async prepare(end: number, field: string): Promise<void> {
    if (this.isPrepared) return;
    await this.#fill(Math.min(maxFieldStartBytes, end - this.position), field);
  }

  /** A number that is at hand and ends before `end`; a bigint past 2^53. Unsigned, at most 64 bits. */
  readVarint(end: number, field: () => string): number | bigint {
    const offset = this.position;
    let low = 0;
    let high = 0;
    let factor = 1;
    for (let index = 0; index < maxVarintBytes; index++) {
      if (this.position >= end || this.buffered === 0) {
        refuse("is cut off by the end of its message", { field: field(), offset, limit: end });
      }
      const byte = this.chunk.getUint8(this.take(1));
      if (index === maxVarintBytes - 1 && byte > 1) break;
      if (index === lowVarintBytes) factor = 1;
      if (index < lowVarintBytes) low += (byte & 0x7f) * factor;
      else high += (byte & 0x7f) * factor;
      factor *= 128;
      if (byte >= 0x80) continue;
      return high < 16 ? high * highFactor + low : BigInt(high) * BigInt(highFactor) + BigInt(low);
    }
    return refuse("is no number of 64 bits", { field: field(), offset, limit: "10 bytes" });
  }

  async readText(length: number, field: string): Promise<string> {
    const offset = this.position;
    this.#textBytes += length;
    if (this.#textBytes > this.#limits.textBytes) {
      refuse("makes the file's texts too long", { field, offset, limit: this.#limits.textBytes });
    }
    await this.#fill(length, field);
    return decodeUtf8(this.takeView(length)) ??
      refuse("is not UTF-8", { field, offset, limit: "UTF-8" });
  }

  /** How many varints the next `length` bytes are. */
  async countVarints(length: number, field: string): Promise<number> {
    const offset = this.position;
    let count = 0;
    let run = 0;
    for (let left = length; left > 0;) {
      await this.#fill(1, field);
      for (; left > 0 && this.buffered > 0; left--) {
        if (this.chunk.getUint8(this.take(1)) < 0x80) {
          count++;
          run = 0;
        } else if (++run === maxVarintBytes) {
          refuse("holds no number of 64 bits", { field, offset, limit: "10 bytes each" });
        }
      }
    }
    if (run > 0) refuse("ends within a number", { field, offset, limit: `${length} bytes` });
    return count;
  }

  async #fill(length: number, field: string): Promise<void> {
    const read = this.position - this.#skipped;
    if (read + length > this.#limits.structureBytes) {
      refuse("makes the file's structure too large", {
        field,
        offset: this.position,
        limit: this.#limits.structureBytes,
      });
    }
    await this.fill(length, field);
  }
}

const firstChunkBytes = 4096;
const maxVarintBytes = 10;
/** 49 bits: what a double adds up exactly, and the rest is added to it. */
const lowVarintBytes = 7;
const highFactor = 2 ** 49;
/** A tag of 5 bytes, then a varint. */
const maxFieldStartBytes = 15;
