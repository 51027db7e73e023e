// Brings one model into this browser: file by file, from where an earlier try ended, checked before it counts.
// One tab downloads, the others wait for it and find the file there.

import type { Channel } from "../../plugins/runtime/channel/channel.ts";
import { createChannel } from "../../plugins/runtime/channel/peer_channel.ts";
import { createWorkerPort } from "../../plugins/runtime/channel/worker_port.ts";
import { AppError, type ErrorCode, toAppError } from "../../plugins/runtime/contract/error.ts";
import type { LocalSource, Progress, RemoteFile } from "./local_host.ts";
import { fileLock, type ModelFiles } from "./model_files.ts";
import type { ModelFolder } from "./model_folder.ts";
import type { HeldModel } from "./model_index.ts";

export interface DownloadDeps {
  source: Pick<LocalSource, "file">;
  files: Pick<ModelFiles, "makeRoom" | "missingBytes">;
  folder: ModelFolder;
}

export interface DownloadOptions {
  signal: AbortSignal;
  progress(progress: Progress): void;
}

/** All files of `model`; what was brought stays when this fails, unless it is known to be wrong. */
export async function downloadModel(
  model: HeldModel,
  { source, files, folder }: DownloadDeps,
  { signal, progress }: DownloadOptions,
): Promise<void> {
  if (await files.missingBytes(model) === 0) return;
  // Asked for once something worth keeping comes; a browser that says no keeps it as well as it can.
  await navigator.storage.persist?.().catch(() => false);
  const total = model.files.reduce((sum, { size }) => sum + size, 0);
  let before = 0;
  for (const file of model.files) {
    const report = (step: string, done: number) => progress({ step, done: before + done, total });
    if (await folder.find(file.digest) === undefined) {
      report("Waiting for another tab that fetches it", 0);
      await navigator.locks.request(fileLock(file.digest), { signal }, async () => {
        if (await folder.find(file.digest) !== undefined) return;
        await files.makeRoom(model, { neededBytes: await files.missingBytes(model) });
        await downloadFile(file, {
          makeRoom: (neededBytes, freeBytes) => files.makeRoom(model, { neededBytes, freeBytes }),
          read: (offset) => source.file(model.id, file, { offset, signal }),
          signal,
          report,
        });
      });
    }
    before += file.size;
    report("Fetching the model", 0);
  }
}

interface FileOptions {
  read(offset: number): Promise<ReadableStream<Uint8Array<ArrayBuffer>>>;
  makeRoom(neededBytes: number, freeBytes: number): Promise<void>;
  signal: AbortSignal;
  report(step: string, done: number): void;
}

async function downloadFile(file: RemoteFile, options: FileOptions): Promise<void> {
  const { signal, report } = options;
  await using writer = openWriter();
  const { channel } = writer;
  report("Checking what is here already", 0);
  const { digest, size } = file;
  let { offset } = await channel.call("open", { digest, size }) as { offset: number };
  try {
    await findRoom(channel, { size, offset }, options.makeRoom);
    report("Fetching the model", offset);
    const chunks = offset < size ? chunksOf(await options.read(offset), signal) : [];
    const writes: Promise<unknown>[] = [];
    for await (const bytes of chunks) {
      if (offset + bytes.length > size) throw tooLong(file);
      offset += bytes.length;
      const own = bytes.length === bytes.buffer.byteLength ? bytes : bytes.slice();
      const write = channel.call("write", { bytes: own }, { transfer: [own.buffer] });
      // The first that fails is thrown below; those behind it fail as well.
      write.catch(() => {});
      writes.push(write);
      if (writes.length >= maxWrites) await writes.shift();
      report("Fetching the model", offset);
    }
    await Promise.all(writes);
    if (offset < size) {
      throw new AppError("UNAVAILABLE", `"${file.name}" ended after ${offset} of ${size} bytes`);
    }
  } catch (thrown) {
    const error = toAppError(thrown, "UNAVAILABLE");
    await channel.call(hopeless.has(error.code) ? "discard" : "keep", {}).catch(() => {});
    throw error;
  }
  report("Checking the model", size);
  const { found } = await channel.call("finish", {}) as { found: string };
  if (found !== digest) {
    throw new AppError(
      "INVALID_MODEL",
      `"${file.name}" arrived damaged and was removed: its digest is "${found}", expected "${digest}"`,
      { details: { expected: digest, found } },
    );
  }
}

/** Before the first byte is fetched: a disk that is full is better known at once. */
async function findRoom(
  channel: Channel,
  { size, offset }: { size: number; offset: number },
  makeRoom: FileOptions["makeRoom"],
): Promise<void> {
  while (true) {
    const { room } = await channel.call("room", { size }) as { room: number };
    if (offset + room >= size) return;
    // Removes something each time, or throws.
    await makeRoom(size - offset, room);
  }
}

/** Pieces that are on their way to the writer at once: network, hash and disk work side by side. */
const maxWrites = 16;

/** After these the bytes that came are worth nothing; CONFLICT is a file that changed on the server meanwhile. */
const hopeless: ReadonlySet<ErrorCode> = new Set<ErrorCode>([
  "OUT_OF_MEMORY",
  "INVALID_MODEL",
  "CONFLICT",
]);

async function* chunksOf(
  stream: ReadableStream<Uint8Array<ArrayBuffer>>,
  signal: AbortSignal,
): AsyncGenerator<Uint8Array<ArrayBuffer>> {
  const reader = stream.getReader();
  const cancel = () => void reader.cancel(signal.reason).catch(() => {});
  signal.addEventListener("abort", cancel, { once: true });
  try {
    while (true) {
      const { done, value } = await reader.read();
      signal.throwIfAborted();
      if (done) return;
      yield value;
    }
  } finally {
    signal.removeEventListener("abort", cancel);
    cancel();
  }
}

function openWriter(): AsyncDisposable & { channel: Channel } {
  const worker = new Worker(new URL("assets/model_writer.js", document.baseURI), {
    name: "bkg model writer",
  });
  const channel = createChannel(createWorkerPort(worker, "writer"));
  worker.onerror = (event) => {
    event.preventDefault();
    channel.close(
      new AppError("UNAVAILABLE", `The writer of models failed: ${event.message || "no script"}`),
    );
  };
  return {
    channel,
    [Symbol.asyncDispose]() {
      channel.close();
      worker.terminate();
      return Promise.resolve();
    },
  };
}

function tooLong({ name, size }: RemoteFile): AppError {
  return new AppError("INVALID_MODEL", `"${name}" is longer than its ${size} bytes`);
}
