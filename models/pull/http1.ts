// HTTP/1.1 over a connection that is open already, for GET alone: fetch cannot be told which address to connect to over
// TLS, and a pull must connect to the one that was checked. Caller: connections.ts. RFC 9112, read strictly.

import { AppError } from "../../plugins/runtime/contract/error.ts";

export interface RawResponse {
  status: number;
  headers: Headers;
  /** Fills `into` from its start, at least a byte of it; 0 is the end. Throws when the connection ends too soon. */
  read(into: Uint8Array): Promise<number>;
  /** Whether all was read, and the connection may carry another request. */
  readonly isReusable: boolean;
}

/** Sends a GET and reads the answer's head; skips answers that only announce one. */
export async function exchange(
  connection: ByteSource,
  { url, headers }: { url: URL; headers: Headers },
): Promise<RawResponse> {
  const fields = [...headers].map(([name, value]) => `${name}: ${value}\r\n`).join("");
  const head = `GET ${url.pathname}${url.search} HTTP/1.1\r\nhost: ${url.host}\r\n${fields}\r\n`;
  await connection.write(new TextEncoder().encode(head));
  let bytesLeft = maxHeadBytes;
  while (true) {
    const status = readStatus(await connection.readLine(bytesLeft));
    const answered = new Headers();
    while (true) {
      const line = await connection.readLine(bytesLeft);
      bytesLeft -= line.length + 2;
      if (line === "") break;
      const found = /^([!#$%&'*+.^_`|~0-9A-Za-z-]+):[ \t]*(.*)$/.exec(line);
      if (found === null || /[^\t\x20-\x7e\x80-\xff]/.test(line)) refuse("a header that is none");
      answered.append(found[1] ?? "", (found[2] ?? "").trimEnd());
    }
    if (status.code >= 200) return responseOf(connection, status, answered);
  }
}

/** The bytes of a connection, by line or as they come. */
export class ByteSource {
  readonly #conn: Pick<Deno.Conn, "read" | "write" | "close">;
  /** Read, and not asked for yet. */
  #held: Uint8Array = new Uint8Array(0);
  #isClosed = false;

  constructor(conn: Pick<Deno.Conn, "read" | "write" | "close">) {
    this.#conn = conn;
  }

  async write(bytes: Uint8Array): Promise<void> {
    for (let done = 0; done < bytes.length;) done += await this.#conn.write(bytes.subarray(done));
  }

  /** 0 at the end. */
  async read(into: Uint8Array): Promise<number> {
    if (this.#held.length === 0) return await this.#conn.read(into) ?? 0;
    const piece = this.#held.subarray(0, into.length);
    into.set(piece);
    this.#held = this.#held.subarray(piece.length);
    return piece.length;
  }

  /** Without its end; characters are bytes. */
  async readLine(maxBytes: number): Promise<string> {
    while (true) {
      const end = this.#held.indexOf(newline);
      if (end >= 0 && end <= maxBytes) {
        const line = latin1(this.#held.subarray(0, end));
        this.#held = this.#held.subarray(end + 1);
        if (!line.endsWith("\r")) refuse("a line without an end");
        return line.slice(0, -1);
      }
      if (this.#held.length > maxBytes || end >= 0) refuse("a head or a line that is too long");
      const more = new Uint8Array(this.#held.length + lineReadBytes);
      more.set(this.#held);
      const read = await this.#conn.read(more.subarray(this.#held.length));
      if (read === null) throw new Error("the connection ended");
      this.#held = more.subarray(0, this.#held.length + read);
    }
  }

  close(): void {
    if (this.#isClosed) return;
    this.#isClosed = true;
    this.#conn.close();
  }
}

const maxHeadBytes = 64 * 1024;
const maxChunkLineBytes = 1024;
const maxTrailers = 32;
const lineReadBytes = 8 * 1024;
const newline = 10;

function readStatus(line: string): { code: number; isPersistent: boolean } {
  const found = /^HTTP\/1\.([01]) (\d{3})(?: .*)?$/.exec(line);
  const code = Number(found?.[2]);
  if (found === null || code < 100 || code === 101) return refuse("no status");
  return { code, isPersistent: found[1] === "1" };
}

function responseOf(
  source: ByteSource,
  { code, isPersistent }: { code: number; isPersistent: boolean },
  headers: Headers,
): RawResponse {
  const coding = headers.get("transfer-encoding");
  const length = headers.get("content-length");
  const keeps = isPersistent && !/\bclose\b/i.test(headers.get("connection") ?? "");
  const head = { status: code, headers };
  if (code === 204 || code === 304) return sizedBody(source, { head, keeps, bytes: 0 });
  if (coding !== null) {
    if (coding.toLowerCase() !== "chunked") refuse("a transfer coding that nobody asked for");
    // A length beside chunks says nothing, and is how answers are mixed up.
    headers.delete("content-length");
    return chunkedBody(source, { head, keeps: keeps && length === null });
  }
  // Until the connection ends: nobody can tell whether that was all.
  if (length === null) return { ...head, read: (into) => source.read(into), isReusable: false };
  if (!/^\d{1,15}$/.test(length)) refuse("a length that is none");
  return sizedBody(source, { head, keeps, bytes: Number(length) });
}

type Head = Pick<RawResponse, "status" | "headers">;

function sizedBody(
  source: ByteSource,
  { head, keeps, bytes }: { head: Head; keeps: boolean; bytes: number },
): RawResponse {
  let left = bytes;
  return {
    ...head,
    async read(into) {
      if (left === 0) return 0;
      const read = await source.read(into.subarray(0, left));
      if (read === 0) throw new Error("the connection ended within the body");
      left -= read;
      return read;
    },
    get isReusable() {
      return keeps && left === 0;
    },
  };
}

function chunkedBody(
  source: ByteSource,
  { head, keeps }: { head: Head; keeps: boolean },
): RawResponse {
  let left = 0;
  let isFirst = true;
  let isEnd = false;

  async function readSize(): Promise<void> {
    if (!isFirst && await source.readLine(maxChunkLineBytes) !== "") {
      refuse("a chunk without an end");
    }
    isFirst = false;
    const found = /^([0-9a-f]{1,12})[ \t]*(?:;.*)?$/i.exec(
      await source.readLine(maxChunkLineBytes),
    );
    if (found === null) return refuse("a chunk without a size");
    left = parseInt(found[1] ?? "", 16);
    if (left > 0) return;
    for (let trailers = 0; await source.readLine(maxChunkLineBytes) !== ""; trailers++) {
      if (trailers === maxTrailers) refuse("too many trailers");
    }
    isEnd = true;
  }

  return {
    ...head,
    async read(into) {
      if (left === 0 && !isEnd) await readSize();
      if (isEnd) return 0;
      const read = await source.read(into.subarray(0, left));
      if (read === 0) throw new Error("the connection ended within the body");
      left -= read;
      return read;
    },
    get isReusable() {
      return keeps && isEnd;
    },
  };
}

function latin1(bytes: Uint8Array): string {
  return new TextDecoder("latin1").decode(bytes);
}

function refuse(what: string): never {
  throw new AppError("UNAVAILABLE", `The server answers with ${what}`);
}
