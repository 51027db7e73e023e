// Walks the structure of a model file through a random-access reader, one chunk in memory at a time.
// Each format's cursor builds on it. Invariant: no read and no skip passes the end of the file or the cap.

import type { Refuse } from "./refuse.ts";

/** Random access to one file. */
export interface ByteReader {
  /** Bytes in the file. */
  size: number;
  /** Resolves to exactly `length` bytes, or fewer where the file ends. */
  read(offset: number, length: number): Promise<Uint8Array>;
}

export interface ByteCursorOptions {
  refuse: Refuse;
  /** No position may pass it, bytes; without it the file's end. */
  headerBytes?: number;
  /** What is read first, and after a skip; it doubles up to 256 KiB while nothing is skipped. */
  firstChunkBytes?: number;
  signal?: AbortSignal | undefined;
}

export class ByteCursor {
  readonly refuse: Refuse;
  readonly #reader: ByteReader;
  readonly #end: number;
  readonly #firstChunkBytes: number;
  readonly #signal: AbortSignal | undefined;
  #chunk: DataView = new DataView(new ArrayBuffer(0));
  #chunkStart = 0;
  #chunkBytes = 0;
  #position = 0;

  constructor(reader: ByteReader, options: ByteCursorOptions) {
    const { refuse, headerBytes = Infinity, firstChunkBytes = maxChunkBytes, signal } = options;
    this.refuse = refuse;
    this.#reader = reader;
    this.#end = Math.min(reader.size, headerBytes);
    this.#firstChunkBytes = firstChunkBytes;
    this.#signal = signal;
  }

  /** Bytes from the start of the file. */
  get position(): number {
    return this.#position;
  }

  /** Bytes that may still be passed. */
  get remaining(): number {
    return this.#end - this.#position;
  }

  /** A view of the next `length` bytes, valid until the next read. */
  async readView(length: number, field: string): Promise<DataView> {
    await this.fill(length, field);
    return this.takeView(length);
  }

  /** Passes `length` bytes without reading them. */
  skip(length: number, field: string): void {
    this.#check(length, field);
    this.#position += length;
  }

  /** Bytes that are at hand without a read. */
  protected get buffered(): number {
    return Math.max(0, this.#chunkStart + this.#chunk.byteLength - this.#position);
  }

  protected get chunk(): DataView {
    return this.#chunk;
  }

  /** Passes bytes that are at hand; answers where they start in `chunk`. */
  protected take(length: number): number {
    const at = this.#position - this.#chunkStart;
    this.#position += length;
    return at;
  }

  protected takeView(length: number): DataView {
    const start = this.#chunk.byteOffset + this.take(length);
    return new DataView(this.#chunk.buffer, start, length);
  }

  /** Has the next `length` bytes at hand. */
  protected async fill(length: number, field: string): Promise<void> {
    this.#check(length, field);
    if (this.buffered >= length) return;
    this.#signal?.throwIfAborted();
    const isInOrder = this.#position <= this.#chunkStart + this.#chunk.byteLength;
    this.#chunkBytes = isInOrder && this.#chunkBytes > 0
      ? Math.min(2 * this.#chunkBytes, maxChunkBytes)
      : this.#firstChunkBytes;
    const wanted = Math.min(Math.max(length, this.#chunkBytes), this.remaining);
    const bytes = await this.#reader.read(this.#position, wanted);
    if (bytes.byteLength < length) this.#endsEarly(field, this.#position + bytes.byteLength);
    this.#chunk = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
    this.#chunkStart = this.#position;
  }

  #check(length: number, field: string): void {
    if (length <= this.remaining) return;
    if (this.#end >= this.#reader.size) this.#endsEarly(field, this.#reader.size);
    this.refuse("makes the header too large", {
      field,
      offset: this.#position,
      limit: this.#end,
    });
  }

  #endsEarly(field: string, end: number): never {
    return this.refuse("is cut off by the end of the file", {
      field,
      offset: this.#position,
      limit: `${end} bytes`,
    });
  }
}

/** Reads UTF-8; undefined when it is none. A BOM stays: a key that starts with one is another key. */
export function decodeUtf8(bytes: DataView | Uint8Array): string | undefined {
  try {
    return utf8.decode(bytes);
  } catch {
    return undefined;
  }
}

const maxChunkBytes = 256 * 1024;

const utf8 = new TextDecoder("utf-8", { fatal: true, ignoreBOM: true });
