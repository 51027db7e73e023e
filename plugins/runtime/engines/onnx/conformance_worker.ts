// The conformance suite in a Worker: takes the engine's assets, tells how each case went.

import { onnxCases } from "./conformance.ts";
import { createOnnxEngine } from "./mod.ts";

declare const self: {
  addEventListener(
    type: "message",
    listener: (event: MessageEvent<ConformanceOrder>) => void,
  ): void;
  postMessage(message: ConformanceReport): void;
};

export interface ConformanceOrder {
  assets: Record<string, Uint8Array<ArrayBuffer>>;
  threads: number;
}

export type ConformanceReport =
  | { kind: "case"; name: string; ms: number; problem?: string }
  | { kind: "end"; threadsLent: number; webgpu: boolean };

self.addEventListener("message", async ({ data: { assets, threads } }) => {
  let threadsLent = 0;
  const engine = createOnnxEngine({
    asset: (name) => Promise.resolve(assets[name]!.slice().buffer),
    takeThreads(wanted) {
      const given = Math.min(wanted, threads);
      threadsLent += given;
      return Promise.resolve({ threads: given, release: () => void (threadsLent -= given) });
    },
  });
  const webgpu = await findAdapter();
  for (const { name, run } of onnxCases) {
    const started = performance.now();
    const problem = await run(engine, { threads, webgpu }).then(
      () => undefined,
      (error) => String(error),
    );
    const ms = performance.now() - started;
    self.postMessage({ kind: "case", name, ms, ...(problem === undefined ? {} : { problem }) });
  }
  self.postMessage({ kind: "end", threadsLent, webgpu });
});

async function findAdapter(): Promise<boolean> {
  const { gpu } = navigator as { gpu?: { requestAdapter(): Promise<unknown> } };
  return await gpu?.requestAdapter().catch(() => null) != null;
}
