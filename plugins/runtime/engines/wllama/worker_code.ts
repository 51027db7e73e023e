// Adapts the code of wllama's own Worker while a model loads: its text is made, not imported, so it is
// changed where it becomes a Blob. Every change is checked: a new version of wllama fails here, loudly.

import { AppError } from "../../contract/error.ts";
import type { GpuNames } from "../gpu.ts";

/** What wllama's Worker says, and then the reason, when llama.cpp refused a request instead of answering it. */
export const refusal = "llama.cpp refused the request";

/** Hears of the GPU that llama.cpp took, and of its loss; neither comes where it took none. */
export interface GpuListener {
  taken(names: GpuNames): void;
  lost(reason: string): void;
}

/**
 * Runs `load` with wllama's Worker code adapted. Only one may run at a time: it swaps globals.
 * Blob URLs that `load` makes are revoked at its end. The Worker gets `wasm` as bytes: a page that may
 * fetch nothing, not even a blob, can run it.
 */
export async function withWorkerCode<Result>(
  { wasm, gpu }: { wasm: ArrayBuffer; gpu: GpuListener },
  load: () => Promise<Result>,
): Promise<Result> {
  const { Blob: PlainBlob, URL, Worker: PlainWorker } = globalThis;
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
  globalThis.Worker = class extends PlainWorker {
    constructor(url: string | URL, options?: WorkerOptions) {
      // Of an opaque origin, where strangers' plugins run in a page, Chromium starts no module from a blob; the
      // code is the same as a classic script. Deno has modules alone: there the boot's prelude makes it one again.
      const { origin } = globalThis as { origin?: string };
      super(url, origin === "null" ? { ...options, type: "classic" } : options);
      this.postMessage({ bkgWasm: wasm }, [wasm]);
      // Before wllama's own listener, which knows nothing of it.
      this.addEventListener("message", (event: MessageEvent<GpuReport | undefined>) => {
        const { bkgGpu, bkgGpuLost } = event.data ?? {};
        if (bkgGpu === undefined && bkgGpuLost === undefined) return;
        event.stopImmediatePropagation();
        if (bkgGpu !== undefined) gpu.taken(bkgGpu);
        if (bkgGpuLost !== undefined) gpu.lost(bkgGpuLost);
      });
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
    globalThis.Worker = PlainWorker;
    URL.createObjectURL = createObjectURL;
    for (const url of urls) URL.revokeObjectURL(url);
  }
}

/** Tells wllama's Worker how many more bytes its heap may take. */
export function limitHeapGrowth(worker: Worker, bytes: number): void {
  worker.postMessage({ bkgHeapGrowth: bytes });
}

const optionsAnchor = "noInitialRun: true,";
const callAnchor = "const outputPtr = await wllamaAction(argAction, inputPtr);";

function adapt(code: string): string {
  for (const anchor of [optionsAnchor, callAnchor]) {
    if (code.split(anchor).length !== 2) throw unknownVersion();
  }
  for (const needed of ["wasmMemory.grow(", 'Module["wasmBinary"]']) {
    if (!code.includes(needed)) throw unknownVersion();
  }
  // A refused request answers a null pointer: wllama would read 1.1 GB of garbage from address 0, and then fail
  // all that is under way. Now the one request fails.
  const checked = `bkgReason = ""; ${callAnchor} if (!outputPtr) {
    msg({ callbackId, err: ${JSON.stringify(refusal)} + (bkgReason && ": " + bkgReason) });
    return;
  }`;
  return wasmBytes + lastReason + heapGuard + gpuWatch +
    code.replace(optionsAnchor, `${optionsAnchor} wasmBinary: bkgWasm,`)
      .replace(callAnchor, () => checked);
}

const wasmBytes = `let bkgWasm;
  addEventListener("message", (event) => {
    if (!(event.data?.bkgWasm instanceof ArrayBuffer)) return;
    event.stopImmediatePropagation();
    bkgWasm = event.data.bkgWasm;
  });
`;

// llama.cpp gives the reason in its log alone.
const lastReason = `let bkgReason = "";
  const bkgPost = postMessage.bind(globalThis);
  globalThis.postMessage = (data, transfer) => {
    const text = data?.verb === "console.error" ? data.args[0] : undefined;
    if (typeof text === "string" && text.trim() !== "") bkgReason = text.trim().slice(0, 500);
    bkgPost(data, transfer);
  };
`;

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

interface GpuReport {
  bkgGpu?: GpuNames;
  bkgGpuLost?: string;
}

// llama.cpp takes no notice when the GPU goes: what it then reads from there is none of the model's words.
const gpuWatch = `if (typeof GPUAdapter !== "undefined") {
  const { requestDevice } = GPUAdapter.prototype;
  GPUAdapter.prototype.requestDevice = async function (...wanted) {
    const device = await requestDevice.apply(this, wanted);
    const { description, vendor, architecture } = device.adapterInfo ?? this.info ?? {};
    postMessage({ bkgGpu: { description, vendor, architecture } });
    device.lost.then(({ reason, message }) => postMessage({ bkgGpuLost: reason + ": " + message }));
    return device;
  };
}
`;

function unknownVersion(): AppError {
  return new AppError("INTERNAL", "This version of wllama has a Worker that bkg does not know");
}
