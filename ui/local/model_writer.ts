// A Worker that writes one model file: in place, so that an interrupted download goes on where it was, and hashed
// on the way. The file gets its name only after its digest agreed. The page speaks to it over a channel.

import { sha256 } from "@noble/hashes/sha2.js";
import { createChannel } from "../../plugins/runtime/channel/peer_channel.ts";
import { createWorkerPort, type PostTarget } from "../../plugins/runtime/channel/worker_port.ts";
import { AppError, toAppError } from "../../plugins/runtime/contract/error.ts";
import { fileName, modelFolderName, partialName } from "./model_folder.ts";

/**
 * Methods: `open` {digest, size} -> {offset}; `room` {size} -> {room}: bytes that can be added, up to `size`;
 * `write` {bytes}; `finish` -> {found}; `keep`; `discard`.
 */
createChannel(createWorkerPort(globalThis as unknown as PostTarget, "writer"), {
  handler: { call: serve },
});

interface OpenFile {
  digest: string;
  handle: SyncAccessHandle;
  hash: ReturnType<typeof sha256.create>;
  offset: number;
  failed: AppError | undefined;
}

let open: OpenFile | undefined;

async function serve(method: string, input: unknown): Promise<unknown> {
  switch (method) {
    case "open":
      return { offset: (await openFile(input as { digest: string; size: number })).offset };
    case "room":
      return { room: findRoom(current(), (input as { size: number }).size) };
    case "write":
      return write(current(), (input as { bytes: Uint8Array<ArrayBuffer> }).bytes);
    case "finish":
      return { found: await finish(current()) };
    case "keep":
      return close();
    case "discard":
      return await discard();
    default:
      throw new AppError("NOT_FOUND", `The writer has no method "${method}"`);
  }
}

async function openFile({ digest, size }: { digest: string; size: number }): Promise<OpenFile> {
  const folder = await modelFolder();
  const file = await folder.getFileHandle(partialName(digest), { create: true });
  const handle = await (file as WorkerFileHandle).createSyncAccessHandle();
  open = { digest, handle, hash: sha256.create(), offset: 0, failed: undefined };
  // More than there can be is no beginning of it.
  if (handle.getSize() > size) handle.truncate(0);
  const chunk = new Uint8Array(4 * 1024 * 1024);
  while (open.offset < handle.getSize()) {
    const count = handle.read(chunk, { at: open.offset });
    if (count === 0) break;
    open.hash.update(chunk.subarray(0, count));
    open.offset += count;
  }
  return open;
}

/** Asks for the room and gives it back: browsers do not tell how much there really is. */
function findRoom({ handle, offset }: OpenFile, size: number): number {
  // The last byte alone: what lies before it is a hole, and costs no time.
  const fits = (end: number) => {
    try {
      return end === 0 || handle.write(new Uint8Array(1), { at: end - 1 }) === 1;
    } catch {
      return false;
    } finally {
      handle.truncate(offset);
    }
  };
  if (offset >= size || fits(size)) return size - offset;
  let [most, tooMuch] = [offset, size];
  while (tooMuch - most > roomPrecision) {
    const middle = Math.floor((most + tooMuch) / 2);
    if (fits(middle)) most = middle;
    else tooMuch = middle;
  }
  return most - offset;
}

const roomPrecision = 64 * 1024;

function write(file: OpenFile, bytes: Uint8Array<ArrayBuffer>): null {
  // After a piece that is missing no other may follow.
  if (file.failed !== undefined) throw file.failed;
  try {
    const count = file.handle.write(bytes, { at: file.offset });
    if (count !== bytes.length) throw new DOMException("Short write", "QuotaExceededError");
  } catch (cause) {
    if (!(cause instanceof DOMException) || cause.name !== "QuotaExceededError") {
      throw file.failed = toAppError(cause);
    }
    throw file.failed = new AppError(
      "OUT_OF_MEMORY",
      `The browser had no more room after ${file.offset} bytes: nothing of the model's file was kept`,
      { details: { writtenBytes: file.offset }, cause },
    );
  }
  file.hash.update(bytes);
  file.offset += bytes.length;
  return null;
}

/** Names the file when its digest is the one asked for, else removes it; answers the digest that it has. */
async function finish(file: OpenFile): Promise<string> {
  const found = `sha256:${file.hash.digest().toHex()}`;
  if (found !== file.digest) {
    await discard();
    return found;
  }
  close();
  const folder = await modelFolder();
  const handle = await folder.getFileHandle(partialName(file.digest));
  await (handle as WorkerFileHandle).move(fileName(file.digest));
  return found;
}

function close(): null {
  open?.handle.flush();
  open?.handle.close();
  open = undefined;
  return null;
}

async function discard(): Promise<null> {
  const file = open;
  if (file === undefined) return null;
  open = undefined;
  file.handle.close();
  await (await modelFolder()).removeEntry(partialName(file.digest));
  return null;
}

function current(): OpenFile {
  if (open === undefined) throw new AppError("CONFLICT", "No file is open");
  return open;
}

async function modelFolder(): Promise<FileSystemDirectoryHandle> {
  const root = await navigator.storage.getDirectory();
  return await root.getDirectoryHandle(modelFolderName, { create: true });
}

/** Of the File System Standard, for Workers; the DOM's types know only a page's part of it. */
interface WorkerFileHandle extends FileSystemFileHandle {
  createSyncAccessHandle(): Promise<SyncAccessHandle>;
  move(name: string): Promise<void>;
}

interface SyncAccessHandle {
  read(buffer: Uint8Array<ArrayBuffer>, options: { at: number }): number;
  write(buffer: Uint8Array<ArrayBuffer>, options: { at: number }): number;
  getSize(): number;
  truncate(size: number): void;
  flush(): void;
  close(): void;
}
