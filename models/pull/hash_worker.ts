// The Worker that hashes a file behind its download, from the page cache. It may read the pull's folder and nothing
// else. Caller: hash.ts.

import { createHash } from "node:crypto";
import type { HashAnswer, HashTask } from "./hash_message.ts";

declare const self: {
  onmessage: ((event: MessageEvent<HashTask>) => void) | null;
  postMessage(answer: HashAnswer): void;
};

const hash = createHash("sha256");
const buffer = new Uint8Array(512 * 1024);
let file: Deno.FsFile | undefined;
let position = 0;

self.onmessage = ({ data }) => {
  try {
    if ("path" in data) file = Deno.openSync(data.path);
    else hashUntil(data.until);
    const isLast = "last" in data && data.last;
    self.postMessage(isLast ? { digest: hash.digest("hex") } : { position });
  } catch (error) {
    self.postMessage({ failed: String(error) });
  }
};

function hashUntil(until: number): void {
  while (position < until) {
    const read = file?.readSync(buffer.subarray(0, Math.min(buffer.length, until - position)));
    if (!read) throw new Error(`the file ends at ${position}`);
    hash.update(buffer.subarray(0, read));
    position += read;
  }
}
