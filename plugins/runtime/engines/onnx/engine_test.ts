// The conformance suite in a Worker without permissions, as in a cell; in Chromium it is
// server/testing/browser/onnx_engine_test.ts.

import assert from "node:assert/strict";
import { buildBundles } from "../../../../server/build/bundles.ts";
import { preludeSource } from "../../boot/prelude.ts";
import type { ConformanceOrder, ConformanceReport } from "./conformance_worker.ts";
import { bundleConformance, readAssets } from "./testing_conformance.ts";

const { folder } = await buildBundles({ log: () => {} });
const script = await bundleConformance();

Deno.test("the onnx engine in a Worker without permissions", async (t) => {
  const url = URL.createObjectURL(
    new Blob([preludeSource, "\n", script], { type: "text/javascript" }),
  );
  const worker = new Worker(
    url,
    { type: "module", deno: { permissions: "none" } } as WorkerOptions,
  );
  const reports = new ReadableStream<ConformanceReport>({
    start(controller) {
      worker.onmessage = ({ data }) => controller.enqueue(data);
      worker.onerror = (event) => {
        event.preventDefault();
        controller.error(new Error(event.message));
      };
    },
  });
  const order: ConformanceOrder = { assets: await readAssets(folder), threads: 2 };
  worker.postMessage(order);
  try {
    for await (const report of reports) {
      if (report.kind === "end") {
        assert.equal(report.threadsLent, 0, "threads that were not given back");
        console.log(report.webgpu ? "with WebGPU" : "without WebGPU: there is no adapter");
        break;
      }
      await t.step(report.name, () => assert.equal(report.problem, undefined));
    }
  } finally {
    worker.terminate();
    URL.revokeObjectURL(url);
  }
});
