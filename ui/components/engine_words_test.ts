import assert from "node:assert/strict";
import type { EngineChoice } from "../../plugins/runtime/contract/engine_choice.ts";
import {
  addLabel,
  describeBackend,
  describeOption,
  describePlace,
  describeSlowModel,
  findSlowModels,
  groupEngines,
  nativeEngineFor,
  removeLabel,
  statusWords,
} from "./engine_words.ts";

const mib = 1024 ** 2;

function engineOf(changes: Partial<EngineChoice>): EngineChoice {
  return {
    id: "cpu",
    title: "Native engine cpu",
    description: "",
    status: "off",
    contains: ["llama", "onnxruntime"],
    downloadBytes: 124 * mib,
    ...changes,
  };
}

Deno.test("describeOption: what is wrong is said, with the server's reason and what to do", () => {
  const damaged = engineOf({ status: "damaged", reason: "libllama.so has changed" });
  assert.match(describeOption(damaged), /libllama\.so has changed\. Nothing runs on it until/);
  assert.equal(addLabel(damaged), "Add the native CPU engine again, 124 MiB");
  const unsupported = engineOf({ status: "unsupported", reason: "There is no driver of NVIDIA" });
  assert.equal(describeOption(unsupported), "There is no driver of NVIDIA.");
  assert.match(describeOption(engineOf({ status: "unsupported" })), /Not for this machine/);
  const failed = engineOf({ reason: "The disk is full" });
  assert.match(describeOption(failed), /^It was not added: The disk is full\. On this server/);
});

Deno.test("describeOption: what is off says what it would bring, and what it costs is on its button", () => {
  assert.match(describeOption(engineOf({})), /3 to 16 times faster .* for models you trust/);
  assert.equal(addLabel(engineOf({})), "Add the native CPU engine, 124 MiB");
  assert.equal(addLabel(engineOf({ id: "webgpu", downloadBytes: 0 })), "Turn WebGPU on");
  assert.equal(removeLabel(engineOf({ id: "webgpu" })), "Turn WebGPU off");
  const on = engineOf({ status: "on", version: "b6000", installedBytes: 130 * mib });
  assert.deepEqual(statusWords(on), { word: "On", more: "b6000, 130 MiB" });
});

Deno.test("describePlace: without native code, WebAssembly and its threads; with it, who may use it", () => {
  const loaded = [{ backend: "wasm", threads: 1 }];
  const server = { loaded, home: "server" } as const;
  assert.equal(
    describePlace({ ...server, engines: undefined }),
    "Models run in WebAssembly on the CPU (1 thread): it works everywhere, sandboxed to the last " +
      "instruction.",
  );
  assert.match(describePlace({ ...server, loaded: [], engines: [] }), /on the CPU: it works/);
  const engines = [engineOf({ status: "on" }), engineOf({ id: "cuda", status: "on" })];
  assert.match(
    describePlace({ ...server, engines }),
    /^Models that you trust run in native code on the CPU and the GPU by CUDA\. All others/,
  );
  assert.match(
    describePlace({ ...server, engines: [engineOf({ id: "webgpu", status: "on" })] }),
    /WebAssembly .* Where the settings ask for WebGPU/,
  );
  assert.match(describePlace({ ...server, engines, home: "browser" }), /^Your calls run in this/);
});

Deno.test("describeBackend names the code, the processor and the threads", () => {
  const words = [
    [{ backend: "wasm", threads: 1 }, "WebAssembly on the CPU, 1 thread"],
    [{ backend: "native", variant: "cpu", threads: 2 }, "native code on the CPU, 2 threads"],
    [{ backend: "native", variant: "vulkan" }, "native code on the GPU, by Vulkan"],
    [{ backend: "webgpu", threads: 1 }, "WebGPU on the GPU"],
    [{ backend: "a\u202eb" }, "a\ufffdb"],
    [{ backend: "" }, "not known"],
  ] as const;
  for (const [facts, text] of words) assert.equal(describeBackend(facts), text);
});

Deno.test("findSlowModels: only what an engine that is on could run, each once, with its reason", () => {
  const model = (id: string, backend: string, engine = "wllama") => ({
    ...{ id, backend },
    engine: nativeEngineFor(engine) ?? assert.fail(engine),
  });
  const loaded = [
    model("strange", "wasm"),
    model("strange", "wasm"),
    model("kept", "wasm", "transformers"),
    model("fast", "native"),
    model("unknown", "wasm"),
  ];
  const trusted = (id: string) => id === "unknown" ? undefined : id !== "strange";
  const off = { loaded, trusted, engines: [engineOf({})] };
  assert.deepEqual(findSlowModels(off), []);
  assert.deepEqual(findSlowModels({ ...off, engines: undefined }), []);
  const webgpu = engineOf({ id: "webgpu", status: "on" });
  assert.deepEqual(findSlowModels({ ...off, engines: [webgpu] }), []);
  const slow = findSlowModels({ ...off, engines: [engineOf({ status: "on" })] });
  assert.deepEqual(slow, [{ id: "strange", why: "untrusted" }, { id: "kept", why: "kept" }]);
  assert.deepEqual(
    slow.map(describeSlowModel).map((text) => text.split(" ").slice(0, 3).join(" ")),
    [
      "strange runs in",
      "kept is trusted",
    ],
  );
  const llama = engineOf({ status: "on", contains: ["llama"] });
  assert.deepEqual(findSlowModels({ ...off, engines: [llama] }).map(({ id }) => id), ["strange"]);
  assert.equal(nativeEngineFor("constructor"), undefined);
});

Deno.test("groupEngines: the processor's first; what nobody added for a GPU stands apart", () => {
  const { shown, forGpu, unsupported } = groupEngines([
    engineOf({ id: "webgpu", status: "on" }),
    engineOf({ id: "cpu" }),
    engineOf({ id: "vulkan" }),
    engineOf({ id: "cuda", status: "unsupported" }),
  ]);
  const ids = [shown, forGpu, unsupported].map((group) => group.map(({ id }) => id));
  assert.deepEqual(ids, [["cpu", "webgpu"], ["vulkan"], ["cuda"]]);
});
