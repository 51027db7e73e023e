// What of a machine is too little for a model, and by how much. Caller: fit.ts.

import type { FitBackend, FitLimit, FitModel, FitResource, MachineFacts } from "../fit.ts";
import type { MemoryNeeds, MemoryTraits } from "./needs.ts";

export interface LimitInput {
  model: FitModel;
  machine: MachineFacts;
  backend: FitBackend;
  home: "server" | "browser";
  traits: MemoryTraits;
  needs: MemoryNeeds;
}

/** The resource that is exceeded by the largest factor; undefined: the model fits. */
export function findLimit(input: LimitInput): FitLimit | undefined {
  const { model, machine, backend, home, traits, needs } = input;
  const inWasm = backend !== "native";
  const onGpu = backend === "webgpu";
  const peak = needs.weights + needs.kvCache + needs.runtime;
  // What the process itself holds.
  const memory = onGpu ? needs.runtime : peak;
  const demands: FitLimit[] = [];
  const demand = (resource: FitResource, neededBytes: number, availableBytes: number) =>
    demands.push({ resource, neededBytes: Math.round(neededBytes), availableBytes });

  demand("memory", memory, machine.availableBytes);
  if (inWasm) demand("wasm memory", needs.wasmHeap, maxWasmBytes);
  if (inWasm && model.engine === "wllama") {
    demand("file size", model.largestFileBytes ?? traits.weights, maxWllamaFileBytes);
  }
  if (inWasm && home === "server" && machine.pluginMemoryBytes !== undefined) {
    demand("plugin's memory limit", memory, machine.pluginMemoryBytes);
  }
  if (onGpu) {
    // WebGPU does not tell how much memory there is, but how much of it one buffer may have.
    const { available = false, software = false, maxBufferBytes = Infinity } = machine.webgpu ?? {};
    if (home === "browser" && available && !software) {
      demand("gpu memory", traits.largestTensor, maxBufferBytes);
    } else demand("gpu memory", peak, 0);
  }
  if (!model.installed) demand("disk", traits.weights, machine.diskFreeBytes);

  return demands
    .filter(({ neededBytes, availableBytes }) => neededBytes > availableBytes)
    .sort((one, other) => excess(other) - excess(one))[0];
}

function excess({ neededBytes, availableBytes }: FitLimit): number {
  return neededBytes / availableBytes;
}

/** Where the memory of wllama's WebAssembly ends. */
const maxWasmBytes = 2 ** 32;
/** Its positions in a file have 31 bits. */
const maxWllamaFileBytes = 2 ** 31 - 1;
