import assert from "node:assert/strict";
import { estimateFit, fitDefaults, type FitModel, type MachineFacts } from "./fit.ts";
import { bitsPerWeight, guessTraits, parseParameters } from "./fit/guess.ts";

const gib = 2 ** 30;
const mib = 2 ** 20;

/** What runs of bench/fit.ts took, MiB: a formula that drifts from them is wrong, or the engine has changed. */
const measured: readonly (Shape & { takenMib: number })[] = [
  { ...shape(137.7, [30, 3, 64, 576, 49_152]), contextLength: 4096, parallel: 4, takenMib: 844.8 },
  { ...shape(137.7, [30, 3, 64, 576, 49_152]), contextLength: 4096, parallel: 1, takenMib: 580.2 },
  { ...shape(56.5, [12, 8, 64, 512, 32_000]), contextLength: 4096, parallel: 2, takenMib: 557.2 },
  { ...shape(111.8, [12, 12, 64, 768, 32_000]), contextLength: 512, parallel: 1, takenMib: 473.7 },
  {
    ...shape(111.8, [12, 12, 64, 768, 32_000]),
    contextLength: 4096,
    parallel: 4,
    takenMib: 1031.2,
  },
  { ...shape(209.8, [12, 12, 64, 768, 32_000]), contextLength: 512, parallel: 1, takenMib: 529.7 },
  { ...shape(59.6, [12, 12, 64, 768, 32_000]), contextLength: 512, parallel: 1, takenMib: 383.8 },
  {
    ...shape(346.6, [24, 16, 64, 1024, 32_000]),
    contextLength: 2048,
    parallel: 1,
    takenMib: 845.9,
  },
  { ...shape(504.6, [24, 2, 64, 896, 151_936]), contextLength: 4096, parallel: 1, takenMib: 936.4 },
  {
    ...shape(346.6, [24, 16, 64, 1024, 32_000]),
    contextLength: 8192,
    parallel: 4,
    takenMib: 3730.7,
  },
  {
    ...shape(504.6, [24, 2, 64, 896, 151_936]),
    contextLength: 4096,
    parallel: 4,
    takenMib: 1063.6,
  },
  {
    ...shape(556.1, [22, 4, 64, 2048, 32_000]),
    contextLength: 4096,
    parallel: 4,
    takenMib: 1266.2,
  },
  { ...shape(16.2, [6, 6, 48, 288, 32_000]), contextLength: 512, parallel: 1, takenMib: 319.2 },
  { ...shape(20.8, [4, 4, 32, 128, 128_000]), contextLength: 512, parallel: 4, takenMib: 333.7 },
];

Deno.test("estimateFit is within 20 % of every peak that was measured", () => {
  for (const { model, takenMib, ...options } of measured) {
    const { peakBytes, exact, parts } = estimateFit(model, machine(), {
      backend: "wasm",
      ...options,
    });
    const ratio = peakBytes / (takenMib * mib);
    assert.ok(ratio > 0.8 && ratio < 1.2, `${JSON.stringify(model)}: ${ratio}`);
    assert.equal(exact, true);
    assert.equal(parts.weights + parts.kvCache + parts.runtime, peakBytes);
  }
});

Deno.test("estimateFit has llmserver's own defaults", async () => {
  const manifest = new URL("../plugins/llmserver/plugin.json", import.meta.url);
  const { settings } = JSON.parse(await Deno.readTextFile(manifest));
  for (const [name, value] of Object.entries(fitDefaults)) {
    assert.equal(settings.properties[name].default, value, name);
  }
});

Deno.test("estimateFit counts a cache for each call, and no longer context than was trained", () => {
  const { model } = shape(500, [10, 4, 64, 256, 32_000]);
  const kvCache = (options: { contextLength?: number; parallel?: number }, trained = 8192) =>
    estimateFit({ ...model, contextLength: trained }, machine(), { backend: "wasm", ...options })
      .parts.kvCache;
  const perToken = 10 * 4 * 128 * 2;
  assert.equal(kvCache({ contextLength: 1024, parallel: 1 }), 1024 * perToken);
  assert.equal(kvCache({ contextLength: 1024, parallel: 3 }), 3 * 1024 * perToken);
  assert.equal(kvCache({ contextLength: 4096, parallel: 1 }, 512), 512 * perToken);
  // A sequence's cache has a whole number of 256 tokens.
  assert.equal(kvCache({ contextLength: 300, parallel: 1 }), 512 * perToken);
});

Deno.test("estimateFit names the resource that limits", () => {
  const { model } = shape(1500, [28, 2, 128, 1536, 151_936]);
  const limit = (facts: Partial<MachineFacts>, what: Partial<FitModel> = {}) => {
    const { fits, limitedBy } = estimateFit({ ...model, ...what }, machine(facts), {
      backend: "wasm",
    });
    assert.equal(fits, limitedBy === undefined);
    return limitedBy;
  };
  assert.equal(limit({}), undefined);
  const memory = limit({ availableBytes: gib });
  assert.equal(memory?.resource, "memory");
  assert.equal(memory?.availableBytes, gib);
  assert.ok((memory?.neededBytes ?? 0) > 1500 * mib);
  assert.equal(limit({ pluginMemoryBytes: gib })?.resource, "plugin's memory limit");
  assert.equal(limit({ diskFreeBytes: gib }), undefined);
  assert.equal(limit({ diskFreeBytes: gib }, { installed: false })?.resource, "disk");
  assert.equal(limit({}, { size: 2 ** 31 })?.resource, "file size");
  const parts = { size: 5 * gib, largestFileBytes: gib };
  assert.equal(limit({}, parts)?.resource, "wasm memory");
  // 3.75 GiB of cache: llama.cpp could not make it beside 350 MiB of weights.
  const cache = shape(346.6, [24, 16, 64, 1024, 32_000]);
  const options = { backend: "wasm", contextLength: 8192, parallel: 5 } as const;
  assert.equal(estimateFit(cache.model, machine(), options).limitedBy?.resource, "wasm memory");
  // Of several, the one that there is least of for its need.
  const both = { availableBytes: gib, pluginMemoryBytes: 0.5 * gib };
  assert.equal(limit(both)?.resource, "plugin's memory limit");
});

Deno.test("estimateFit tells the longest context that fits, on its border to the step", () => {
  const { model } = shape(500, [24, 8, 64, 1024, 32_000]);
  const facts = machine({ availableBytes: 1.5 * gib });
  const options = { backend: "wasm", parallel: 1 } as const;
  const { contextLength = 0 } = estimateFit(model, facts, options);
  assert.ok(contextLength > 4096 && contextLength < 32_768, String(contextLength));
  const fitsAt = (contextLength: number) =>
    estimateFit(model, facts, { ...options, contextLength }).fits;
  assert.ok(fitsAt(contextLength));
  assert.ok(!fitsAt(contextLength + 1));
  assert.equal(estimateFit(model, machine({ availableBytes: mib }), options).contextLength, 0);
  const short = { ...model, contextLength: 700 };
  assert.equal(estimateFit(short, machine(), options).contextLength, 700);
});

Deno.test("estimateFit takes a GPU for one only where a page can reach it", () => {
  const { model } = shape(500, [24, 2, 64, 896, 151_936]);
  const onGpu = (webgpu: MachineFacts["webgpu"], home?: "server" | "browser") =>
    estimateFit(model, machine({ webgpu }), {
      backend: "webgpu",
      ...(home === undefined ? {} : { home }),
    });
  const real = { available: true, adapter: "GPU", software: false };
  assert.equal(onGpu(real).fits, true);
  assert.equal(onGpu(real).home, "browser");
  assert.equal(onGpu(real).exact, false);
  for (const none of [undefined, { available: false }, { ...real, software: true }]) {
    assert.equal(onGpu(none).limitedBy?.resource, "gpu memory");
  }
  assert.equal(onGpu({ ...real, maxBufferBytes: mib }).limitedBy?.resource, "gpu memory");
  assert.equal(onGpu(real, "server").limitedBy?.resource, "gpu memory");
});

Deno.test("estimateFit guesses from a name, says so, and is near what such a model weighs", () => {
  const guessed: FitModel = {
    engine: "wllama",
    size: null,
    installed: false,
    shape: undefined,
    contextLength: null,
    parameterCount: parseParameters("0.5B"),
    quantization: "Q8_0",
  };
  const fit = estimateFit(guessed, machine(), { backend: "wasm" });
  assert.equal(fit.exact, false);
  assert.ok(Math.abs(fit.parts.weights / (504.6 * mib) - 1) < 0.1, String(fit.parts.weights));
  const sized = estimateFit({ ...guessed, size: 400e6 }, machine(), { backend: "wasm" });
  assert.equal(sized.parts.weights, 400e6);
  assert.equal(sized.exact, false);
  const onnx = estimateFit({ ...guessed, engine: "onnx", size: 23e6 }, machine(), {
    backend: "wasm",
  });
  assert.equal(onnx.exact, false);
  assert.equal(onnx.parts.kvCache, 0);
  assert.equal(onnx.contextLength, undefined);
});

Deno.test("estimateFit guesses no weights where neither a size nor a name tells them", () => {
  const unknown: FitModel = {
    engine: "onnx",
    size: null,
    installed: false,
    shape: undefined,
    contextLength: null,
    parameterCount: undefined,
    quantization: "int8",
  };
  const { parts, exact } = estimateFit(unknown, machine(), { backend: "wasm" });
  assert.equal(parts.weights, 0);
  assert.equal(exact, false);
});

Deno.test("parseParameters reads what names say, and nothing else", () => {
  assert.equal(parseParameters("135M"), 135e6);
  assert.equal(parseParameters("1.7b"), 1.7e9);
  for (const odd of ["", "B", "0B", "-1B", "1e9", "1.5", "8x7B", "9".repeat(40) + "B"]) {
    assert.equal(parseParameters(odd), undefined, odd);
  }
});

Deno.test("guessTraits gives fewer bits fewer bytes", () => {
  const names = ["Q2_K", "Q3_K_M", "Q4_K_M", "Q5_K_M", "Q6_K", "Q8_0", "F16", "F32"];
  const weights = names.map((quantization) =>
    guessTraits({ parameters: 2e9, quantization }).weights
  );
  assert.deepEqual(weights, [...weights].sort((a, b) => a - b));
  assert.equal(bitsPerWeight("nobody knows"), 8.5);
});

interface Shape {
  model: FitModel;
  contextLength: number;
  parallel: number;
}

function shape(
  sizeMib: number,
  [blockCount, headCountKv, headLength, embeddingLength, vocabSize]: [
    number,
    number,
    number,
    number,
    number,
  ],
): { model: FitModel } {
  return {
    model: {
      engine: "wllama",
      size: Math.round(sizeMib * mib),
      installed: true,
      shape: {
        blockCount,
        headCountKv,
        keyLength: headLength,
        valueLength: headLength,
        embeddingLength,
        vocabSize,
      },
      contextLength: 32_768,
      parameterCount: undefined,
      quantization: undefined,
    },
  };
}

function machine(facts: Partial<MachineFacts> = {}): MachineFacts {
  return {
    cores: 4,
    memoryBytes: 64 * gib,
    availableBytes: 64 * gib,
    diskFreeBytes: 64 * gib,
    diskTotalBytes: 64 * gib,
    webgpu: undefined,
    os: "linux",
    arch: "x86_64",
    ...facts,
  };
}
