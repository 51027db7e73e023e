// Walks a GGUF header through a random-access reader, one chunk in memory at a time.
// Invariant: no read and no skip passes the end of the file or the header cap.

import { refuse } from "./refuse.ts";

/** Random access to one file. */
export interface ByteReader {
  /** Bytes in the file. */
  size: number;
  /** Resolves to exactly `length` bytes, or fewer where the file ends. */
  read(offset: number, length: number): Promise<Uint8Array>;
}

export interface CursorOptions {
  /** The header may not pass this many bytes. */
  headerBytes: number;
  signal?: AbortSignal | undefined;
}

export class Cursor {
  readonly #reader: ByteReader;
  readonly #end: number;
  readonly #signal: AbortSignal | undefined;
  #chunk: DataView = new DataView(new ArrayBuffer(0));
  #chunkStart = 0;
  #position = 0;

  constructor(reader: ByteReader, { headerBytes, signal }: CursorOptions) {
    this.#reader = reader;
    this.#end = Math.min(reader.size, headerBytes);
    this.#signal = signal;
  }

  /** Bytes from the start of the file. */
  get position(): number {
    return this.#position;
  }

  /** Bytes that the header may still take. */
  get remaining(): number {
    return this.#end - this.#position;
  }

  async readU8(field: string): Promise<number> {
    await this.#fill(1, field);
    return this.#chunk.getUint8(this.#take(1));
  }

  async readU32(field: string): Promise<number> {
    await this.#fill(4, field);
    return this.#chunk.getUint32(this.#take(4), true);
  }

  async readU64(field: string): Promise<bigint> {
    await this.#fill(8, field);
    return this.#chunk.getBigUint64(this.#take(8), true);
  }

  /** Reads a u64 that counts or measures something; refuses more than `limit`. */
  async readCount(field: string, limit: number): Promise<number> {
    const offset = this.#position;
    const count = await this.readU64(field);
    if (count > BigInt(limit)) refuse(`is ${count}`, { field, offset, limit });
    return Number(count);
  }

  /** A view of the next `length` bytes, valid until the next read. */
  async readView(length: number, field: string): Promise<DataView> {
    await this.#fill(length, field);
    const start = this.#chunk.byteOffset + this.#take(length);
    return new DataView(this.#chunk.buffer, start, length);
  }

  /** Reads a length-prefixed string of at most `limit` bytes; refuses what is not UTF-8. */
  async readString(field: string, limit: number): Promise<string> {
    const length = await this.readCount(`length of ${field}`, limit);
    const offset = this.#position;
    const view = await this.readView(length, field);
    try {
      return utf8.decode(view);
    } catch {
      return refuse("is not UTF-8", { field, offset, limit: "UTF-8" });
    }
  }

  /** Passes `length` bytes without reading them. */
  skip(length: number, field: string): void {
    this.#check(length, field);
    this.#position += length;
  }

  /** Passes `count` length-prefixed strings of at most `limit` bytes each, in bounded memory. */
  async skipStrings(count: number, field: string, limit: number): Promise<void> {
    let left = count;
    while (left > 0) {
      await this.#fill(8, field);
      // Without an await for each of a vocabulary's tokens: some have a quarter of a million.
      for (; left > 0 && this.#buffered() >= 8; left--) {
        const offset = this.#position;
        const at = this.#take(8);
        const length = this.#chunk.getUint32(at, true);
        if (length > limit || this.#chunk.getUint32(at + 4, true) !== 0) {
          const claimed = this.#chunk.getBigUint64(at, true);
          refuse(`has an item of ${claimed} bytes`, { field, offset, limit });
        }
        this.skip(length, field);
      }
    }
  }

  #buffered(): number {
    return Math.max(0, this.#chunkStart + this.#chunk.byteLength - this.#position);
  }

  #take(length: number): number {
    const at = this.#position - this.#chunkStart;
    this.#position += length;
    return at;
  }

  async #fill(length: number, field: string): Promise<void> {
    this.#check(length, field);
    if (this.#buffered() >= length) return;
    this.#signal?.throwIfAborted();
    const wanted = Math.min(Math.max(length, chunkBytes), this.remaining);
    const bytes = await this.#reader.read(this.#position, wanted);
    if (bytes.byteLength < length) this.#endsEarly(field, this.#position + bytes.byteLength);
    this.#chunk = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
    this.#chunkStart = this.#position;
  }

  #check(length: number, field: string): void {
    if (length <= this.remaining) return;
    if (this.#end >= this.#reader.size) this.#endsEarly(field, this.#reader.size);
    refuse("makes the header too large", { field, offset: this.#position, limit: this.#end });
  }

  #endsEarly(field: string, end: number): never {
    return refuse("is cut off by the end of the file", {
      field,
      offset: this.#position,
      limit: `${end} bytes`,
    });
  }
}

const chunkBytes = 256 * 1024;

// ignoreBOM keeps the bytes as they are: a key that starts with a BOM is another key.
const utf8 = new TextDecoder("utf-8", { fatal: true, ignoreBOM: true });
