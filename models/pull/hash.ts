// SHA-256 of a file while it arrives: a Worker reads behind what is written, so that neither waits for the other.
// Small files are hashed here. Caller: download.ts.

import { createHash } from "node:crypto";
import { AppError } from "../../plugins/runtime/contract/error.ts";
import type { HashAnswer, HashTask } from "./hash_message.ts";

export interface FileHash extends Disposable {
  /** The first `bytes` of the file are there; they may not change any more. */
  advance(bytes: number): void;
  /** `sha256:<hex>` of the first `size` bytes. */
  finish(size: number): Promise<string>;
}

/** Of the file at `path`, which lies in `folder`; `url` is the Worker's. */
export function startFileHash(
  path: string,
  { folder, url }: { folder: string; url: URL },
): FileHash {
  const worker = new Worker(url, {
    type: "module",
    deno: { permissions: { read: [folder] } },
  });
  const result = Promise.withResolvers<string>();
  // Nobody may be waiting yet.
  result.promise.catch(() => {});
  let isIdle = false;
  let available = 0;
  let sent = 0;
  let isLast = false;

  const post = (task: HashTask) => worker.postMessage(task);

  function feed(): void {
    if (!isIdle || (available === sent && !isLast)) return;
    isIdle = false;
    sent = available;
    post({ until: sent, last: isLast });
  }

  worker.onmessage = ({ data }: MessageEvent<HashAnswer>) => {
    if ("digest" in data) return result.resolve(`sha256:${data.digest}`);
    if ("failed" in data) return fail(data.failed);
    isIdle = true;
    feed();
  };
  worker.onerror = (event) => {
    event.preventDefault();
    fail(event.message);
  };
  const fail = (cause: string) =>
    result.reject(new AppError("INTERNAL", "The download could not be hashed", { cause }));
  post({ path });

  return {
    advance(bytes) {
      available = Math.max(available, bytes);
      // Many small tasks would cost more than they bring.
      if (available - sent >= stepBytes) feed();
    },
    finish(size) {
      available = size;
      isLast = true;
      feed();
      return result.promise;
    },
    [Symbol.dispose]() {
      worker.terminate();
      result.reject(new AppError("CANCELLED", "The call was cancelled"));
    },
  };
}

/** SHA-256, as `sha256:<hex>`, and the SHA-1 by which git names a blob of these bytes. */
export async function hashSmallFile(path: string): Promise<{ digest: string; gitOid: string }> {
  const bytes = await Deno.readFile(path);
  return {
    digest: `sha256:${createHash("sha256").update(bytes).digest("hex")}`,
    gitOid: createHash("sha1").update(`blob ${bytes.length}\0`).update(bytes).digest("hex"),
  };
}

const stepBytes = 1024 * 1024;
