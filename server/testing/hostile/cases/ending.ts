// Plugins that end themselves, their Worker or their call, loudly or without a word.

import { type HostileCase, nestedPlugin, plugin, streamPlugin } from "../hostile_case.ts";

const limits = { timeoutMs: 400 };
/** A nested Worker may need half a second to start. */
const nestedLimits = { timeoutMs: 1500 };
const crashes = { code: "CELL_LOST", stop: "crashed" } as const;
const hangs = { code: "TIMEOUT", stop: "silence" } as const;
const fails = (message: RegExp) => ({ code: "PLUGIN_ERROR", stop: "none", message }) as const;

export const ending: HostileCase[] = [
  {
    name: "SIGKILL of itself, Deno from a nested Worker",
    code: nestedPlugin(`Deno.kill(Deno.pid, "SIGKILL");`),
    limits: nestedLimits,
    expect: crashes,
  },
  {
    name: "SIGKILL of itself, process from node:process",
    code: nestedPlugin(`
      const { default: own } = await node("process");
      own.kill(own.pid, "SIGKILL");
      await new Promise(() => {});`),
    limits: nestedLimits,
    expect: crashes,
  },
  {
    name: "SIGSTOP of itself",
    code: nestedPlugin(`Deno.kill(Deno.pid, "SIGSTOP");`),
    limits,
    expect: hangs,
  },
  {
    name: "self.close",
    code: plugin("self.close(); await new Promise(() => {});"),
    limits,
    expect: hangs,
  },
  {
    name: "process.exit in a nested Worker",
    code: nestedPlugin(`(await node("process")).default.exit(0);`),
    limits,
    expect: hangs,
  },
  {
    name: "Deno.exit in a data: module",
    code: plugin(`
      const own = await import("data:text/javascript,export default globalThis.Deno");
      if (own.default === undefined) self.close();
      own.default?.exit(0);
      await new Promise(() => {});`),
    limits,
    expect: hangs,
  },
  {
    name: "throw at import",
    code: plugin("return 1;", { before: `throw new Error("thrown at import");` }),
    limits,
    call: "started",
    expect: { code: "PLUGIN_ERROR", stop: "crashed", message: /thrown at import/ },
  },
  {
    name: "throw in setup",
    code: plugin("return 1;", { setup: `throw new Error("thrown in setup");` }),
    limits,
    call: "started",
    expect: { code: "PLUGIN_ERROR", stop: "crashed", message: /thrown in setup/ },
  },
  {
    name: "throw in a call",
    code: plugin(`throw new Error("thrown in a call");`),
    limits,
    expect: fails(/thrown in a call/),
  },
  {
    name: "throw of something that is no error",
    code: plugin(`throw { toString() { throw 1; }, get message() { throw 2; } };`),
    limits,
    expect: { code: "TIMEOUT", stop: "silence" },
  },
  {
    name: "throw mid-stream",
    code: streamPlugin(`yield 1; yield 2; throw new Error("thrown mid-stream");`),
    limits,
    call: "stream",
    expect: fails(/thrown mid-stream/),
  },
  {
    name: "SIGKILL mid-stream",
    code: streamPlugin(`
      yield 1;
      const text = 'Deno.kill(Deno.pid, "SIGKILL")';
      new Worker("data:text/javascript," + text, { type: "module" });
      await new Promise(() => {});`),
    limits: nestedLimits,
    call: "stream",
    expect: crashes,
  },
  {
    name: "unhandled rejection",
    code: plugin(`
      Promise.reject(new Error("rejected by nobody"));
      await new Promise((resolve) => setTimeout(resolve, 50));
      return "alive";`),
    limits,
    expect: { code: "ok", stop: "none", value: "alive", log: /rejected by nobody/ },
  },
  {
    name: "uncaught throw in a timer",
    code: plugin(`
      setTimeout(() => { throw new Error("thrown in a timer"); });
      await new Promise((resolve) => setTimeout(resolve, 50));
      return "alive";`),
    limits,
    expect: { code: "ok", stop: "none", value: "alive", log: /thrown in a timer/ },
  },
  {
    name: "stack overflow",
    code: plugin("const dive = (n) => dive(n + 1) + 1; return dive(0);"),
    limits,
    expect: fails(/Maximum call stack/),
  },
  {
    name: "stack size raised, then overflown",
    code: nestedPlugin(`
      (await node("v8")).setFlagsFromString("--stack-size=60000");
      const dive = (n) => n === 0 ? 0 : dive(n - 1) + 1;
      dive(10_000_000);`),
    limits: { timeoutMs: 1000 },
    expect: fails(/Maximum call stack/),
  },
];
