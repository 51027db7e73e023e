// Adapts the code of wllama's own Worker while a model loads: its text is made, not imported, so it is
// changed where it becomes a Blob. Every change is checked: a new version of wllama fails here, loudly.

import { AppError } from "../../contract/error.ts";

/** What wllama's Worker says when llama.cpp refused a request instead of answering it. */
export const refusal = "llama.cpp refused the request";

/**
 * Runs `load` with wllama's Worker code adapted. Only one may run at a time: it swaps globals.
 * Blob URLs that `load` makes are revoked at its end.
 */
export async function withWorkerCode<Result>(load: () => Promise<Result>): Promise<Result> {
  const { Blob: PlainBlob, URL } = globalThis;
  const createObjectURL = URL.createObjectURL;
  const urls: string[] = [];
  let adapted = false;
  globalThis.Blob = class extends PlainBlob {
    constructor(parts: BlobPart[] = [], options?: BlobPropertyBag) {
      super(
        parts.map((part) => {
          if (typeof part !== "string" || !part.startsWith("const RUN_OPTIONS")) return part;
          adapted = true;
          return adapt(part);
        }),
        options,
      );
    }
  };
  URL.createObjectURL = (object) => {
    const url = createObjectURL.call(URL, object);
    urls.push(url);
    return url;
  };
  try {
    const result = await load();
    if (!adapted) throw unknownVersion();
    return result;
  } finally {
    globalThis.Blob = PlainBlob;
    URL.createObjectURL = createObjectURL;
    for (const url of urls) URL.revokeObjectURL(url);
  }
}

/** Tells wllama's Worker how many more bytes its heap may take. */
export function limitHeapGrowth(worker: Worker, bytes: number): void {
  worker.postMessage({ bkgHeapGrowth: bytes });
}

const callAnchor = "const outputPtr = await wllamaAction(argAction, inputPtr);";

function adapt(code: string): string {
  if (code.split(callAnchor).length !== 2 || !code.includes("wasmMemory.grow(")) {
    throw unknownVersion();
  }
  // A refused request answers a null pointer: wllama would read 1.1 GB of garbage from address 0, and then fail
  // all that is under way. Now the one request fails.
  const checked = `${callAnchor} if (!outputPtr) {
    msg({ callbackId, err: ${JSON.stringify(refusal)} });
    return;
  }`;
  return heapGuard + code.replace(callAnchor, () => checked);
}

// llama.cpp's server keeps old prompts in memory up to 8 GiB, and wllama cannot turn that off. A failed
// allocation makes it shrink that cache, so the heap is given an end.
const heapGuard = `{
  let left = Infinity;
  const grow = WebAssembly.Memory.prototype.grow;
  WebAssembly.Memory.prototype.grow = function (pages) {
    const bytes = Number(pages) * 65536;
    if (bytes > left) throw new RangeError("The heap has reached its limit");
    const before = grow.call(this, pages);
    left -= bytes;
    return before;
  };
  addEventListener("message", (event) => {
    if (typeof event.data?.bkgHeapGrowth !== "number") return;
    event.stopImmediatePropagation();
    left = event.data.bkgHeapGrowth;
  });
}
`;

function unknownVersion(): AppError {
  return new AppError("INTERNAL", "This version of wllama has a Worker that bkg does not know");
}
