// The conformance suite as a plugin of a cell: "conformance.run" tells how each case went on a backend. Models come back
// from the host, which puts their bytes into files and opens them as trusted ones.

import { definePlugin, type OpenModel } from "@bkg/plugin";
import type { Backend } from "../engine.ts";
import { onnxCases, type OpenFiles } from "./conformance.ts";
import type { ConformanceReport } from "./conformance_worker.ts";

export interface ConformanceInput {
  backend: Backend;
  threads: number;
}

export default definePlugin({
  capabilities: {
    async *"conformance.run"(
      { backend, threads }: ConformanceInput,
      { ctx },
    ): AsyncGenerator<Extract<ConformanceReport, { kind: "case" }>> {
      const openFiles: OpenFiles = (files) =>
        ctx.models.open(writeFiles(files)) as Promise<OpenModel>;
      for (const { name, run } of onnxCases) {
        const started = performance.now();
        const problem = await run(ctx.engines.onnx, { backend, threads, webgpu: false, openFiles })
          .then(() => undefined, (error) => String(error));
        const ms = performance.now() - started;
        yield { kind: "case", name, ms, ...(problem === undefined ? {} : { problem }) };
      }
    },
  },
});

/** As the id of a model: all that a plugin may tell the host of one. */
function writeFiles(files: Parameters<OpenFiles>[0]): string {
  return JSON.stringify(
    Object.entries(files).map(([name, bytes]) => [name, bytes.toBase64()]),
  );
}
