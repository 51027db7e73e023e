// Reads the values of a GGUF header off its bytes: little-endian numbers, length-prefixed strings.

import {
  ByteCursor,
  type ByteCursorOptions,
  type ByteReader,
  decodeUtf8,
} from "../format/cursor.ts";
import { refuse } from "./refuse.ts";

export class Cursor extends ByteCursor {
  constructor(reader: ByteReader, options: Omit<ByteCursorOptions, "refuse">) {
    super(reader, { ...options, refuse });
  }

  async readU32(field: string): Promise<number> {
    await this.fill(4, field);
    return this.chunk.getUint32(this.take(4), true);
  }

  async readU64(field: string): Promise<bigint> {
    await this.fill(8, field);
    return this.chunk.getBigUint64(this.take(8), true);
  }

  /** Reads a u64 that counts or measures something; refuses more than `limit`. */
  async readCount(field: string, limit: number): Promise<number> {
    const offset = this.position;
    const count = await this.readU64(field);
    if (count > BigInt(limit)) refuse(`is ${count}`, { field, offset, limit });
    return Number(count);
  }

  /** Reads a length-prefixed string of at most `limit` bytes; refuses what is not UTF-8. */
  async readString(field: string, limit: number): Promise<string> {
    const length = await this.readCount(`length of ${field}`, limit);
    const offset = this.position;
    return decodeUtf8(await this.readView(length, field)) ??
      refuse("is not UTF-8", { field, offset, limit: "UTF-8" });
  }

  /** Passes `count` length-prefixed strings of at most `limit` bytes each, in bounded memory. */
  async skipStrings(count: number, field: string, limit: number): Promise<void> {
    let left = count;
    while (left > 0) {
      await this.fill(8, field);
      // Without an await for each of a vocabulary's tokens: some have a quarter of a million.
      for (; left > 0 && this.buffered >= 8; left--) {
        const offset = this.position;
        const at = this.take(8);
        const length = this.chunk.getUint32(at, true);
        if (length > limit || this.chunk.getUint32(at + 4, true) !== 0) {
          const claimed = this.chunk.getBigUint64(at, true);
          refuse(`has an item of ${claimed} bytes`, { field, offset, limit });
        }
        this.skip(length, field);
      }
    }
  }
}
