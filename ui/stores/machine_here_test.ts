import assert from "node:assert/strict";
import { type GpuAdapter, readMachineHere } from "./machine_here.ts";

function featuresWith(requestAdapter: () => Promise<GpuAdapter | null>) {
  return { crossOriginIsolated: true, hardwareConcurrency: 8, gpu: { requestAdapter } };
}

Deno.test("readMachineHere: no WebGPU, none that answers, and one that throws are no GPU", async () => {
  const none = { crossOriginIsolated: false, hardwareConcurrency: 8 };
  assert.deepEqual(await readMachineHere(none), {
    threads: 1,
    isolated: false,
    webgpu: undefined,
  });
  const adapters = [
    () => Promise.resolve(null),
    () => Promise.reject(new Error("lost")),
    () => new Promise<null>(() => {}),
  ];
  for (const requestAdapter of adapters) {
    const here = await readMachineHere(featuresWith(requestAdapter), { timeoutMs: 5 });
    assert.deepEqual(here, { threads: 8, isolated: true, webgpu: undefined });
  }
});

Deno.test("readMachineHere: an adapter that the processor draws is said to be software", async () => {
  const software: GpuAdapter[] = [
    { info: { vendor: "google", architecture: "swiftshader" } },
    { info: { description: "llvmpipe (LLVM 19.1.7, 256 bits)" } },
    { isFallbackAdapter: true, info: { vendor: "x" } },
    { info: { vendor: "microsoft", isFallbackAdapter: true } },
  ];
  for (const adapter of software) {
    const { webgpu } = await readMachineHere(featuresWith(() => Promise.resolve(adapter)));
    assert.equal(webgpu?.software, true, JSON.stringify(adapter));
  }
});

Deno.test("readMachineHere: a GPU is named as the browser names it", async () => {
  const named = { info: { vendor: "nvidia", architecture: "ampere" } };
  const { webgpu } = await readMachineHere(featuresWith(() => Promise.resolve(named)));
  assert.deepEqual(webgpu, { adapter: "nvidia ampere", software: false });
  const { webgpu: silent } = await readMachineHere(featuresWith(() => Promise.resolve({})));
  assert.deepEqual(silent, { adapter: "", software: false });
});
