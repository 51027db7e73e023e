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
        await files.makeRoom(model);
        await downloadFile(file, {
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

async function downloadFile(
  file: RemoteFile,
  { read, signal, report }: {
    read: (offset: number) => Promise<ReadableStream<Uint8Array<ArrayBuffer>>>;
    signal: AbortSignal;
    report: (step: string, done: number) => void;
  },
): Promise<void> {
  await using writer = openWriter();
  const { channel } = writer;
  report("Checking what is here already", 0);
  let { offset } = await channel.call("open", { digest: file.digest, size: file.size }) as {
    offset: number;
  };
  try {
    if (offset < file.size) {
      report("Fetching the model", offset);
      for await (const bytes of chunksOf(await read(offset), signal)) {
        if (offset + bytes.length > file.size) throw tooLong(file);
        offset += bytes.length;
        const own = bytes.length === bytes.buffer.byteLength ? bytes : bytes.slice();
        await channel.call("write", { bytes: own }, { transfer: [own.buffer] });
        report("Fetching the model", offset);
      }
      if (offset < file.size) {
        throw new AppError(
          "UNAVAILABLE",
          `"${file.name}" ended after ${offset} of ${file.size} bytes`,
        );
      }
    }
  } catch (thrown) {
    const error = toAppError(thrown, "UNAVAILABLE");
    await channel.call(hopeless.has(error.code) ? "discard" : "keep", {}).catch(() => {});
    if (error.code !== "OUT_OF_MEMORY") throw error;
    throw new AppError(
      "OUT_OF_MEMORY",
      `"${file.name}" needs ${file.size} bytes, and this browser had no more room after ${offset}: nothing of it was kept`,
      { details: { neededBytes: file.size, freeBytes: offset }, cause: error },
    );
  }
  report("Checking the model", file.size);
  const { found } = await channel.call("finish", {}) as { found: string };
  if (found !== file.digest) {
    throw new AppError(
      "INVALID_MODEL",
      `"${file.name}" arrived damaged and was removed: its digest is "${found}", expected "${file.digest}"`,
      { details: { expected: file.digest, found } },
    );
  }
}

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
