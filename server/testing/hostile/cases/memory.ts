// Plugins that take memory: of every kind that a heap limit does not count.

import { type HostileCase, plugin } from "../hostile_case.ts";

const limits = { memoryMb: 256, timeoutMs: 3000 };
const taken = { code: "OUT_OF_MEMORY", stop: "memory" } as const;

export const memory: HostileCase[] = [
  {
    name: "heap growth",
    code: plugin(`
      const kept = [];
      for (let i = 0;; i++) kept.push({ i, text: "x" + i });`),
    limits,
    expect: taken,
  },
  {
    name: "giant JSON.parse",
    code: plugin(`return JSON.parse("[" + "[],".repeat(30_000_000) + "0]").length;`),
    limits,
    expect: taken,
  },
  {
    name: "touched ArrayBuffers",
    code: plugin(`
      const kept = [];
      for (;;) kept.push(new Uint8Array(8_000_000).fill(1));`),
    limits,
    expect: taken,
  },
  {
    name: "touched SharedArrayBuffers",
    code: plugin(`
      const kept = [];
      for (;;) kept.push(new Uint8Array(new SharedArrayBuffer(8_000_000)).fill(1));`),
    limits,
    expect: taken,
  },
  {
    name: "wasm memory growth",
    code: plugin(`
      const memory = new WebAssembly.Memory({ initial: 1, maximum: 65536 });
      for (;;) {
        const from = memory.buffer.byteLength;
        memory.grow(128);
        new Uint8Array(memory.buffer, from).fill(1);
      }`),
    limits,
    expect: taken,
  },
  {
    name: "one string that doubles",
    code: plugin(`
      const kept = [];
      for (;;) { let text = "x".repeat(1 << 22); kept.push(text + kept.length); kept.at(-1).charCodeAt(7); }`),
    limits,
    expect: taken,
  },
  {
    name: "memory taken at import",
    code: plugin("return 1;", {
      before: "const kept = []; for (;;) kept.push(new Uint8Array(8_000_000).fill(1));",
    }),
    limits,
    call: "started",
    expect: taken,
  },
  {
    name: "Workers without end",
    code: plugin(`
      const url = "data:text/javascript,setInterval(() => {}, 1000)";
      const kept = [];
      for (;;) {
        kept.push(new Worker(url, { type: "module" }));
        await new Promise((resolve) => setTimeout(resolve, 20));
      }`),
    limits,
    expect: taken,
  },
];
