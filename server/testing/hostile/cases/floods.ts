// Plugins that keep the host itself busy, with frames that are all in order, or dear to read.

import { frameText, type HostileCase, plugin, streamPlugin } from "../hostile_case.ts";

const violates = { code: "PROTOCOL_VIOLATION", stop: "protocol" } as const;
/** The pipe is read slowly, and what the cell could not send counts as its own memory. */
const hangs = { code: "TIMEOUT", stop: "silence" } as const;

/** Sends \`frame\` as fast as it can, and says nothing else. */
function flood(frame: string, pauseMs = 0): string {
  return plugin(
    `const frame = ${frame};
    for (;;) {
      for (let i = 0; i < 4; i++) raw(frame.slice());
      await new Promise((resolve) => setTimeout(resolve, ${pauseMs}));
    }`,
    { before: frameText },
  );
}

const limits = { timeoutMs: 1500, memoryMb: 1024 };

export const floods: HostileCase[] = [
  {
    name: "cancels of calls that nobody made",
    code: flood(`messages(...Array(2000).fill({ kind: "cancel", id: 9, reason: "x" }))`),
    limits,
    expect: hangs,
  },
  {
    name: "credit without end",
    code: flood(`messages(...Array(2000).fill({ kind: "credit", id: 9, count: 2 ** 53 - 1 }))`),
    limits,
    expect: hangs,
  },
  {
    name: "unknown notifications",
    code: flood(`messages(...Array(2000).fill({ kind: "notify", topic: "__proto__", value: 1 }))`),
    limits,
    expect: hangs,
  },
  {
    name: "log lines",
    code: flood(`messages(...Array(1000).fill(
      { kind: "notify", topic: "log", value: { level: "info", message: "x".repeat(100) } }))`),
    limits,
    expect: hangs,
  },
  {
    name: "an object with as many keys as a frame may hold",
    code: flood(
      `messages({ kind: "notify", topic: "x", value:
        Object.fromEntries(Array.from({ length: 50_000 }, (_, n) => ["k" + n, 0])) })`,
      100,
    ),
    limits,
    expect: hangs,
  },
  {
    name: "a string as long as a frame may hold",
    code: flood(`messages({ kind: "notify", topic: "x", value: "\\n".repeat(4_000_000) })`, 100),
    limits,
    expect: hangs,
  },
  {
    name: "too many values for one frame",
    code: flood(`messages({ kind: "notify", topic: "x", value: Array(1_000_000).fill({}) })`, 100),
    limits,
    expect: violates,
  },
  {
    name: "a value that is nested too deep for one frame",
    code: flood(
      `toFrame(1, toBytes('[{"kind":"notify","topic":"x","value":' + "[".repeat(1e6) + "]".repeat(1e6) + "}]"))`,
      100,
    ),
    limits,
    expect: violates,
  },
  {
    name: "an answer that is nested as deep as a frame may hold",
    code: plugin(
      `raw(toFrame(1, toBytes('[{"kind":"result","id":1,"value":' + "[".repeat(1e5) + "]".repeat(1e5) + "}]")));
      await new Promise(() => {});`,
      { before: frameText },
    ),
    limits,
    expect: { code: "ok", stop: "none" },
  },
  {
    name: "a flood of output, then silence",
    code: plugin(`
      const line = "x".repeat(500);
      for (;;) { console.log(line); console.error(line); }`),
    limits: { timeoutMs: 600 },
    expect: hangs,
  },
  {
    name: "an answer with too many values",
    code: plugin("return Array(500_000).fill(0);"),
    limits,
    expect: { code: "PAYLOAD_TOO_LARGE", stop: "none" },
  },
  {
    name: "50,000 chunks",
    code: streamPlugin("for (let n = 0; n < 50_000; n++) yield n;"),
    limits: { timeoutMs: 9000 },
    call: "stream",
    expect: { code: "ok", stop: "none", value: [0, 1, 2, 3, 4, 5, 6, 7, 8, 9] },
  },
];
