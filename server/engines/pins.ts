// The one table of native engines: which packages bkg knows, byte for byte. To take a newer one is a change of this
// file. Callers: engine_store.ts, the jobs that add engines, the tests' own fetch.

import type { EngineId } from "../../plugins/runtime/contract/engine_choice.ts";
import type {
  NativeEngineName,
  NativeVariant,
} from "../../plugins/runtime/contract/native_engine.ts";

/** One package of one system. */
export interface EnginePin {
  engine: NativeEngineName;
  variant: NativeVariant;
  os: typeof Deno.build.os;
  arch: typeof Deno.build.arch;
  /** In the registry. */
  name: string;
  version: string;
  /** "sha512-" and the digest of the packed file, in base64: as the registry and every lock file name it. */
  integrity: string;
  /** Of the packed file. */
  downloadBytes: number;
  /** Files, or folders with "/" at the end, that are kept: the machine code, and none of the JavaScript around it. */
  keep: readonly string[];
}

export interface System {
  os: typeof Deno.build.os;
  arch: typeof Deno.build.arch;
}

export const enginePins: readonly EnginePin[] = [
  llama("cpu", {
    arch: "x86_64",
    package: "linux-x64",
    downloadBytes: 10_824_547,
    integrity:
      "sha512-5uCCDNqWCNfaAm8aR/Uzxbo4HBpKgNF91kCHPepKhgMgV2OAmatoefbOlMihsqCiH2Od35E/eUHQCFbfRBJuOg==",
  }),
  llama("cpu", {
    arch: "aarch64",
    package: "linux-arm64",
    downloadBytes: 7_340_902,
    integrity:
      "sha512-W+7naKCXX9/eEjjFmRS8vvx91QyLXDbeFxexZc3bh/PtQABZgmRL3C0AtYYXn4YGTj/3Qor4lWZn2tpjZFPLdQ==",
  }),
  llama("vulkan", {
    arch: "x86_64",
    package: "linux-x64-vulkan",
    downloadBytes: 24_311_427,
    integrity:
      "sha512-bBxqU+JOcBu1nb5Qj2zcMci+JByT1E8EajHvYodyNfVIPkEhXh+/HMwR1/BT7xP08YK0hks+kM8fglER0P8JEg==",
  }),
  llama("cuda", {
    arch: "x86_64",
    package: "linux-x64-cuda",
    downloadBytes: 142_898_030,
    integrity:
      "sha512-8rQCjyNNLZJUFit+YpjwlC4hwkKgOMIkB2wuycKBf8NU2O3ySKbiWZQ8aw9ku2nUTXjSnUIrE6KB88itduTBuA==",
  }),
  onnxruntime("x86_64", "x64"),
  onnxruntime("aarch64", "arm64"),
];

/** What "cpu" and its like stand for on a system; none where there is nothing for it. */
export function pinsOf(
  id: EngineId,
  { pins, system }: { pins: readonly EnginePin[]; system: System },
): EnginePin[] {
  if (id === "webgpu") return [];
  const here = pins.filter(({ os, arch }) => os === system.os && arch === system.arch);
  const llama = here.find(({ engine, variant }) => engine === "llama" && variant === id);
  // Of ONNX Runtime there is one for processors alone.
  const onnxruntime = here.find(({ engine }) => engine === "onnxruntime");
  return llama === undefined || onnxruntime === undefined ? [] : [llama, onnxruntime];
}

/** The name of a package's folder. */
export function folderName({ engine, variant }: Pick<EnginePin, "engine" | "variant">): string {
  return `${engine}-${variant}`;
}

function llama(
  variant: NativeVariant,
  { package: own, ...of }: Pick<EnginePin, "arch" | "downloadBytes" | "integrity"> & {
    package: string;
  },
): EnginePin {
  return {
    ...of,
    engine: "llama",
    variant,
    os: "linux",
    name: `@node-llama-cpp/${own}`,
    version: "3.22.1",
    keep: ["package.json", "LICENSE", `bins/${own}/`],
  };
}

/** One package for all systems, of which a few files are for each. */
function onnxruntime(arch: System["arch"], folder: string): EnginePin {
  return {
    engine: "onnxruntime",
    variant: "cpu",
    os: "linux",
    arch,
    name: "onnxruntime-node",
    version: "1.30.0",
    integrity:
      "sha512-twhs1C2C/BFkz1yc5OY0KIU2GUq6DURO7hD4bx5Q2Qy3nAMJwRXW8xU3NVczE29VA9lolLOYepoD8fjTGOfIqw==",
    downloadBytes: 113_507_888,
    keep: ["package.json", `bin/napi-v6/linux/${folder}/`],
  };
}
