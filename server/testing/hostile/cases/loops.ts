// Plugins that never come back: the CPU is theirs until the silence of the call ends them.

import { frameText, type HostileCase, nestedPlugin, plugin } from "../hostile_case.ts";

const limits = { timeoutMs: 300 };
const hangs = { code: "TIMEOUT", stop: "silence" } as const;

/** (module (func (export "run") (loop (br 0)))) */
const endlessWasm = [
  [0x00, 0x61, 0x73, 0x6d, 0x01, 0x00, 0x00, 0x00],
  [0x01, 0x04, 0x01, 0x60, 0x00, 0x00],
  [0x03, 0x02, 0x01, 0x00],
  [0x07, 0x07, 0x01, 0x03, 0x72, 0x75, 0x6e, 0x00, 0x00],
  [0x0a, 0x09, 0x01, 0x07, 0x00, 0x03, 0x40, 0x0c, 0x00, 0x0b, 0x0b],
].flat();

export const loops: HostileCase[] = [
  { name: "endless JS loop", code: plugin("for (;;);"), limits, expect: hangs },
  {
    name: "endless loop at import",
    code: plugin("return 1;", { before: "for (;;);" }),
    limits,
    call: "started",
    expect: hangs,
  },
  {
    name: "endless loop in setup",
    code: plugin("return 1;", { setup: "for (;;);" }),
    limits,
    call: "started",
    expect: hangs,
  },
  {
    name: "endless loop of microtasks",
    code: plugin("for (;;) await null;"),
    limits,
    expect: hangs,
  },
  {
    name: "endless wasm loop",
    code: plugin(`
      const bytes = new Uint8Array(${JSON.stringify(endlessWasm)});
      const { instance } = await WebAssembly.instantiate(bytes);
      instance.exports.run();`),
    limits,
    expect: hangs,
  },
  {
    name: "catastrophic regex",
    code: plugin(`return /^(a+)+$/.test("a".repeat(60) + "!");`),
    limits,
    expect: hangs,
  },
  {
    name: "Atomics.wait",
    code: plugin(`Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0);`),
    limits,
    expect: hangs,
  },
  { name: "never answers", code: plugin("await new Promise(() => {});"), limits, expect: hangs },
  {
    name: "getter that never returns, in the answer",
    code: plugin(`return { get value() { for (;;); } };`),
    limits,
    expect: hangs,
  },
  {
    name: "10,000 timers",
    code: plugin(`
      for (let i = 0; i < 10_000; i++) setInterval(() => {}, 0);
      await new Promise(() => {});`),
    limits,
    expect: hangs,
  },
  {
    name: "handlers for SIGTERM and all other signals",
    code: nestedPlugin(`
      for (const name of ["SIGTERM", "SIGINT", "SIGHUP", "SIGQUIT", "SIGUSR1", "SIGUSR2"]) {
        Deno.addSignalListener(name, () => {});
      }
      for (;;);`),
    limits,
    expect: hangs,
  },
  {
    name: "two spinning nested Workers that outlive the call",
    code: plugin(`
      const url = "data:text/javascript,for(;;);";
      for (let i = 0; i < 2; i++) new Worker(url, { type: "module" });
      return "spinning";`),
    limits,
    expect: { code: "ok", stop: "none", value: "spinning" },
  },
  {
    name: "floods its own trusted main with messages",
    code: plugin(`
      ${frameText}
      for (;;) postMessage({ port: "main", message: { kind: "call", id: 1, method: "x", credit: 0 } });`),
    limits,
    expect: hangs,
  },
];
