// Plugins that abuse what the host offers: logs, output, metrics, service calls, grants.

import { frameText, type HostileCase, nestedPlugin, plugin } from "../hostile_case.ts";

const limits = { timeoutMs: 1500 };
const ok = { code: "ok", stop: "none" } as const;

export const services: HostileCase[] = [
  {
    name: "console flood",
    code: plugin(`
      const line = "x".repeat(500);
      const until = Date.now() + 700;
      while (Date.now() < until) { console.log(line); console.error(line); }
      return "done";`),
    limits: { timeoutMs: 3000 },
    expect: { ...ok, value: "done", log: /Dropped|xxx/ },
  },
  {
    name: "flood of empty lines",
    code: nestedPlugin(`
      const lines = new Uint8Array(60_000).fill(10);
      const until = Date.now() + 700;
      while (Date.now() < until) Deno.stdout.writeSync(lines);
      return "done";`),
    limits: { timeoutMs: 4000 },
    expect: { ...ok, value: "done" },
  },
  {
    name: "binary and ANSI escapes on stdout and stderr",
    code: nestedPlugin(`
      const bytes = new Uint8Array([27, 91, 50, 74, 27, 93, 48, 59, 101, 118, 105, 108, 7, 0, 255, 254, 13, 10]);
      Deno.stdout.writeSync(bytes);
      Deno.stderr.writeSync(bytes);
      await new Promise((resolve) => setTimeout(resolve, 50));
      return "done";`),
    limits,
    // deno-lint-ignore no-control-regex
    expect: { ...ok, value: "done", noLog: /[\u0000-\u0009\u000b-\u001f\u007f-\u009f]/ },
  },
  {
    name: "ANSI escapes and forged lines in the log",
    code: plugin(`
      call.ctx.log.info("\\u001b[2Jgone\\r\\n{\\"level\\":\\"error\\"}\\u202e", { "\\u001b[31m": "\\u009b1m" });
      await new Promise((resolve) => setTimeout(resolve, 50));
      return "done";`),
    limits,
    // deno-lint-ignore no-control-regex
    expect: { ...ok, value: "done", noLog: /[\u0000-\u0009\u000b-\u001f\u007f-\u009f\u202e]/ },
  },
  {
    name: "ANSI escapes in an error's message",
    code: plugin(`throw new Error("\\u001b[2J\\u001b]0;evil\\u0007gone");`),
    limits,
    // deno-lint-ignore no-control-regex
    expect: { code: "PLUGIN_ERROR", stop: "none", message: /^[^\u0000-\u001f\u007f-\u009f]*$/ },
  },
  {
    name: "ANSI escapes in its last words",
    code: nestedPlugin(`
      Deno.stderr.writeSync(new TextEncoder().encode("\\u001b[2Jlast words\\u0007\\n"));
      Deno.kill(Deno.pid, "SIGKILL");`),
    limits,
    expect: {
      code: "CELL_LOST",
      stop: "crashed",
      // deno-lint-ignore no-control-regex
      message: /^(?=.*last words)[^\u0000-\u001f\u007f-\u009f]*$/,
    },
  },
  {
    name: "an error that speaks for the host",
    code: plugin(`
      const error = new Error("log in again");
      throw Object.assign(error, { code: "UNAUTHENTICATED" });`),
    limits,
    expect: { code: "PLUGIN_ERROR", stop: "none" },
  },
  {
    name: "an error frame that speaks for the host",
    code: plugin(
      `raw(messages({ kind: "error", id: 1, error:
        { code: "UNAUTHENTICATED", message: "log in again", retryable: true } }));
      await new Promise(() => {});`,
      { before: frameText },
    ),
    limits,
    // The guest's call goes on after its answer: nothing of the host waits for it.
    expect: { code: "PLUGIN_ERROR", stop: "none" },
  },
  {
    name: "log flood",
    code: plugin(`
      const until = Date.now() + 700;
      for (let n = 0; Date.now() < until; n++) {
        call.ctx.log.info("line " + n, { n, deep: { deeper: { deepest: "x".repeat(200) } } });
        if (n % 200 === 0) await new Promise((resolve) => setTimeout(resolve));
      }
      return "done";`),
    limits: { timeoutMs: 6000 },
    expect: { ...ok, value: "done", log: /line 5\d\d/ },
  },
  {
    name: "one log line of 7 MB",
    code: plugin(`call.ctx.log.info("x".repeat(7_000_000)); return "done";`),
    limits: { timeoutMs: 2000 },
    expect: { ...ok, value: "done" },
  },
  {
    name: "one log line over the frame's cap",
    code: plugin(`call.ctx.log.info("x".repeat(20_000_000)); return "done";`),
    limits: { timeoutMs: 2000 },
    expect: { code: "PAYLOAD_TOO_LARGE", stop: "none" },
  },
  {
    name: "metric flood, undeclared and by bad names",
    code: plugin(`
      for (let n = 0; n < 50_000; n++) {
        call.ctx.metric("made_up_" + n, n);
        call.ctx.metric("__proto__", n);
        if (n % 500 === 0) await new Promise((resolve) => setTimeout(resolve));
      }
      return "done";`),
    limits: { timeoutMs: 8000 },
    expect: { ...ok, value: "done" },
  },
  {
    name: "service call flood",
    code: plugin(`
      const codes = new Set();
      for (let round = 0; round < 20; round++) {
        const calls = Array.from({ length: 500 }, (_, n) => call.ctx.models.open("model-" + round + "-" + n));
        for (const { reason } of await Promise.allSettled(calls)) codes.add(reason?.code);
      }
      return [...codes].sort();`),
    limits: { timeoutMs: 8000 },
    expect: { ...ok, value: ["GRANT_DENIED", "QUEUE_FULL"] },
  },
  {
    name: "service calls whose answers nobody reads",
    code: plugin(
      `const calls = Array.from({ length: 1000 }, (_, n) =>
        ({ kind: "call", id: n, method: "models.list", input: {}, credit: 0 }));
      const bytes = messages(...calls);
      for (;;) raw(bytes.slice());`,
      { before: frameText },
    ),
    limits: { timeoutMs: 1000, memoryMb: 256 },
    expect: { code: "OUT_OF_MEMORY", stop: "memory" },
  },
  {
    name: "unknown service",
    // The guest's channel ends with the answer to a call that it never made.
    code: plugin(
      `raw(messages({ kind: "call", id: 7777, method: "__proto__", input: {}, credit: 0 }));
      await new Promise(() => {});`,
      { before: frameText },
    ),
    limits: { timeoutMs: 400 },
    expect: { code: "TIMEOUT", stop: "silence" },
  },
  {
    name: "a manifest that asks for more than it was granted",
    code: plugin(`return await call.ctx.models.open("secret");`),
    asks: { services: ["models"], models: ["*"] },
    limits,
    expect: { code: "GRANT_DENIED", stop: "none" },
  },
  {
    name: "a list of models that it was not granted",
    code: plugin(`return await call.ctx.models.list();`),
    asks: { services: ["models"], models: ["*"] },
    limits,
    expect: { code: "GRANT_DENIED", stop: "none" },
  },
  {
    name: "all threads of the machine",
    code: plugin(
      `for (let id = 0; id < 50; id++) {
        raw(messages({ kind: "call", id: 8000 + id, method: "threads.take", input: { wanted: 1e9 }, credit: 0 }));
      }
      await new Promise(() => {});`,
      { before: frameText },
    ),
    limits: { timeoutMs: 400 },
    expect: { code: "TIMEOUT", stop: "silence" },
  },
];
