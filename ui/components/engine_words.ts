// Which backend runs models, and what to do to get a faster one, in a person's words. Callers: the dashboards.

import type {
  EngineChoice,
  EngineId,
  EngineStatus,
} from "../../plugins/runtime/contract/engine_choice.ts";
import type { NativeEngineName } from "../../plugins/runtime/contract/native_engine.ts";
import { capText, formatBytes, formatPlural } from "./format.ts";

/** What runs a model, as its plugin reports it. */
export interface RunsOn {
  backend: string;
  /** Of native alone. */
  variant?: string;
  threads?: number;
}

/** "WebAssembly on the CPU, 1 thread" */
export function describeBackend({ backend, variant, threads }: RunsOn): string {
  const thread = threads === undefined ? "" : `, ${formatPlural(threads, "thread")}`;
  switch (backend) {
    case "wasm":
      return `WebAssembly on the CPU${thread}`;
    case "webgpu":
      return "WebGPU on the GPU";
    case "native":
      return variant === undefined || variant === "cpu"
        ? `native code on the CPU${thread}`
        : `native code on the GPU, by ${gpuNames[variant] ?? capText(variant, 20)}`;
    case "":
      return "not known";
    default:
      return `${capText(backend, 30)}${thread}`;
  }
}

/** What runs models here: one sentence for what is, the second for what it means. */
export function describePlace(
  { engines, loaded, home }: {
    engines: readonly EngineChoice[] | undefined;
    loaded: readonly RunsOn[];
    home: "server" | "browser";
  },
): string {
  const webAssembly = loaded.filter(({ backend }) => backend === "wasm");
  const most = Math.max(0, ...webAssembly.map(({ threads = 0 }) => threads));
  const threads = most === 0 ? "" : ` (${formatPlural(most, "thread")})`;
  if (home === "browser") {
    return `Your calls run in this browser: in WebAssembly on the CPU${threads}, or on the GPU ` +
      "where the browser has WebGPU and the settings ask for it. Native code runs on servers alone.";
  }
  const on = engines?.filter(({ status }) => status === "on") ?? [];
  const native = on.filter(({ id }) => id !== "webgpu").map(({ id }) => placeNames[id]);
  if (native.length > 0) {
    return `Models that you trust run in native code on ${
      native.join(" and ")
    }. All others run in ` +
      `WebAssembly on the CPU${threads}, sandboxed to the last instruction.`;
  }
  const gpu = on.length === 0 ? "" : " Where the settings ask for WebGPU, they run on the GPU.";
  return `Models run in WebAssembly on the CPU${threads}: it works everywhere, sandboxed to the last ` +
    `instruction.${gpu}`;
}

/** The processor's first, then what is in use; what needs a GPU, and what cannot be, apart. */
export function groupEngines(engines: readonly EngineChoice[]): {
  shown: EngineChoice[];
  forGpu: EngineChoice[];
  unsupported: EngineChoice[];
} {
  const isPlain = ({ id, status }: EngineChoice) => id === "cpu" || status !== "off";
  const supported = engines.filter(({ status }) => status !== "unsupported");
  return {
    shown: supported.filter(isPlain)
      .sort((one, other) => Number(other.id === "cpu") - Number(one.id === "cpu")),
    forGpu: supported.filter((engine) => !isPlain(engine)),
    unsupported: engines.filter(({ status }) => status === "unsupported"),
  };
}

/** Why one would add it, or what is the matter with it. */
export function describeOption(engine: EngineChoice): string {
  const { id, status, reason } = engine;
  switch (status) {
    case "unsupported":
      return reason === undefined ? "Not for this machine" : sentence(reason);
    case "damaged":
      return `Its files are not what they were when it was added${
        reason === undefined ? "" : `: ${capText(reason, 300)}`
      }. Nothing runs on it until it is added again.`;
    case "adding":
      return "It is being added; running plugins take it up by themselves.";
    case "on":
      return onWords[id];
    case "off":
      return reason === undefined
        ? offWords[id]
        : `${sentence(`It was not added: ${reason}`)} ${offWords[id]}`;
  }
}

/** "Add the native CPU engine, 124 MiB" */
export function addLabel({ id, status, downloadBytes }: EngineChoice): string {
  if (id === "webgpu") return "Turn WebGPU on";
  const size = downloadBytes > 0 ? `, ${formatBytes(downloadBytes)}` : "";
  return `Add ${engineNames[id]}${status === "damaged" ? " again" : ""}${size}`;
}

export function removeLabel({ id }: EngineChoice): string {
  return id === "webgpu" ? "Turn WebGPU off" : `Remove ${engineNames[id]}`;
}

/** "On", with what it takes; a word for a badge. */
export function statusWords(
  { status, version, installedBytes }: EngineChoice,
): { word: string; more: string } {
  const more = [
    version === undefined ? "" : capText(version, 40),
    installedBytes === undefined || installedBytes === 0 ? "" : formatBytes(installedBytes),
  ].filter((text) => text !== "").join(", ");
  return { word: statuses[status], more: status === "on" ? more : "" };
}

/** A loaded model that native code could run and does not; `trusted` is undefined where nobody knows. */
export interface SlowModel {
  id: string;
  why: "untrusted" | "kept";
}

/** Models that run in WebAssembly although an engine that is on could run them, each once. */
export function findSlowModels(
  { engines, loaded, trusted }: {
    engines: readonly EngineChoice[] | undefined;
    loaded: readonly (RunsOn & { id: string; engine: NativeEngineName })[];
    trusted: (id: string) => boolean | undefined;
  },
): SlowModel[] {
  const able = new Set(
    engines?.filter(({ id, status }) => status === "on" && id !== "webgpu")
      .flatMap(({ contains }) => contains),
  );
  const slow = loaded.filter(({ backend, engine }) => backend === "wasm" && able.has(engine));
  return [...new Set(slow.map(({ id }) => id))].flatMap((id): SlowModel[] => {
    switch (trusted(id)) {
      case false:
        return [{ id, why: "untrusted" }];
      case true:
        return [{ id, why: "kept" }];
      case undefined:
        return [];
    }
  });
}

export function describeSlowModel({ id, why }: SlowModel): string {
  const name = capText(id, 120);
  return why === "untrusted"
    ? `${name} runs in WebAssembly because it is not trusted.`
    : `${name} is trusted and still runs in WebAssembly: native code takes it up when it is loaded ` +
      `next, unless the setting “Backend” says otherwise.`;
}

/** The native engine that does what an engine of the sandbox does; undefined for another. */
export function nativeEngineFor(engine: string): NativeEngineName | undefined {
  return Object.hasOwn(nativeOf, engine) ? nativeOf[engine] : undefined;
}

const nativeOf: Readonly<Record<string, NativeEngineName>> = {
  wllama: "llama",
  transformers: "onnxruntime",
  onnx: "onnxruntime",
};

const gpuNames: Readonly<Record<string, string>> = { vulkan: "Vulkan", cuda: "CUDA" };

const placeNames: Readonly<Record<EngineId, string>> = {
  cpu: "the CPU",
  vulkan: "the GPU by Vulkan",
  cuda: "the GPU by CUDA",
  webgpu: "the GPU by WebGPU",
};

const engineNames: Readonly<Record<EngineId, string>> = {
  cpu: "the native CPU engine",
  vulkan: "the Vulkan engine",
  cuda: "the CUDA engine",
  webgpu: "WebGPU",
};

const offWords: Readonly<Record<EngineId, string>> = {
  cpu: "On this server native code is 3 to 16 times faster than WebAssembly, for models you trust.",
  vulkan: "Runs models you trust in native code on the GPU; for most makes of GPU.",
  cuda: "Runs models you trust in native code on an NVIDIA GPU.",
  webgpu:
    "Lets plugins whose settings ask for it use the GPU from the sandbox, for any model. Its " +
    "driver is loaded into their processes.",
};

const onWords: Readonly<Record<EngineId, string>> = {
  cpu: "Runs models you trust in native code on the CPU.",
  vulkan: "Runs models you trust in native code on the GPU.",
  cuda: "Runs models you trust in native code on an NVIDIA GPU.",
  webgpu: "Plugins whose settings ask for it use the GPU from the sandbox.",
};

const statuses: Readonly<Record<EngineStatus, string>> = {
  off: "Off",
  adding: "Being added",
  on: "On",
  unsupported: "Not for this machine",
  damaged: "Damaged",
};

function sentence(message: string): string {
  const text = capText(message, 400);
  return /[.!?…]$/.test(text) || text === "" ? text : `${text}.`;
}
