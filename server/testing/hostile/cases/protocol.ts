// Plugins that speak to the host themselves: frames posted past the guest, or written to the pipe's descriptor.

import {
  frameText,
  type HostileCase,
  nestedPlugin,
  plugin,
  streamPlugin,
} from "../hostile_case.ts";

const limits = { timeoutMs: 1000 };
const violates = { code: "PROTOCOL_VIOLATION", stop: "protocol" } as const;
const forever = "await new Promise(() => {});";

function posting(statements: string): string {
  return plugin(`${statements} ${forever}`, { before: frameText });
}

/** The unix socket is one of the first descriptors: every one of them is tried. */
function writing(bytes: string): string {
  return nestedPlugin(`
    ${frameText}
    const { Socket } = await node("net");
    for (let fd = 3; fd <= 30; fd++) {
      try {
        const socket = new Socket({ fd, readable: false, writable: true });
        socket.on("error", () => {});
        socket.write(${bytes});
      } catch {}
    }
    ${forever}`);
}

export const protocol: HostileCase[] = [
  {
    name: "stream without regard to credit",
    code: streamPlugin(
      `for (let seq = 0; seq < 1000; seq++) {
        raw(messages({ kind: "chunk", id: idOf(call), seq, value: seq }));
      }
      ${forever}`,
      `${frameText}
      // The host counts its calls: init is 0, this one 1.
      const idOf = () => 1;`,
    ),
    limits,
    call: "stream",
    expect: violates,
  },
  {
    name: "500 MB reply",
    code: plugin(`return "x".repeat(500_000_000);`),
    limits: { timeoutMs: 4000, memoryMb: 1024 },
    expect: { code: "OUT_OF_MEMORY", stop: "memory" },
  },
  {
    name: "reply over the frame's cap",
    code: plugin(`return "x".repeat(40_000_000);`),
    limits: { timeoutMs: 2000, memoryMb: 1024 },
    expect: { code: "PAYLOAD_TOO_LARGE", stop: "none" },
  },
  {
    name: "reply under another call's id",
    code: posting(`raw(messages({ kind: "result", id: 4242, value: "forged" }));`),
    limits,
    expect: violates,
  },
  {
    name: "the same reply twice",
    code: posting(`
      const reply = { kind: "result", id: 1, value: "forged" };
      raw(messages(reply, reply));`),
    limits,
    expect: { code: "ok", stop: "protocol", value: "forged" },
  },
  {
    name: "malformed message",
    code: posting(`raw(messages({ kind: "result", id: "1", value: null }));`),
    limits,
    expect: violates,
  },
  {
    name: "frame of an unknown kind",
    code: posting("raw(toFrame(77, toBytes('{}')));"),
    limits,
    expect: violates,
  },
  {
    name: "frame that is no UTF-8",
    code: posting("raw(toFrame(1, new Uint8Array([0x5b, 0xff, 0xfe, 0x5d])));"),
    limits,
    expect: violates,
  },
  {
    name: "frame header that claims 4 GB",
    code: posting("raw(toFrame(1, new Uint8Array(64), 0xffffffff));"),
    limits,
    expect: violates,
  },
  {
    name: "frame header that claims nothing",
    code: posting("raw(toFrame(1, new Uint8Array(64), 0));"),
    limits,
    expect: violates,
  },
  {
    name: "control frame forged: an order to open a file",
    code: posting(
      `raw(control({ kind: "open", handle: 1, path: "/etc/passwd", size: 100 }));`,
    ),
    limits,
    expect: violates,
  },
  {
    name: "control frames forged: hello and pongs",
    code: posting(`
      for (let id = 0; id < 1000; id++) raw(control({ kind: "pong", id }));
      raw(control({ kind: "hello", token: "guess" }));`),
    limits,
    expect: violates,
  },
  {
    name: "buffers that lie about their place",
    code: posting(`
      const head = toBytes(JSON.stringify({
        message: { kind: "result", id: 1, value: {} },
        buffers: [{ path: ["__proto__", "polluted"], type: "Uint8Array", length: 4 }],
      }));
      const payload = new Uint8Array(4 + head.length + 4);
      new DataView(payload.buffer).setUint32(0, head.length, true);
      payload.set(head, 4);
      raw(toFrame(2, payload));`),
    limits,
    expect: violates,
  },
  {
    name: "frames forged through the pipe's descriptor",
    code: writing(`messages({ kind: "result", id: 4242, value: "forged" })`),
    limits,
    expect: violates,
  },
  {
    name: "4 GB header through the pipe's descriptor",
    code: writing("toFrame(1, new Uint8Array(64), 0xffffffff)"),
    limits,
    expect: violates,
  },
  {
    name: "frames stolen through the pipe's descriptor",
    code: nestedPlugin(`
      const { Socket } = await node("net");
      for (let fd = 3; fd <= 30; fd++) {
        try { new Socket({ fd, readable: true }).on("error", () => {}).on("data", () => {}); } catch {}
      }
      ${forever}`),
    limits: { timeoutMs: 1500 },
    expect: { code: "TIMEOUT", stop: "silence" },
  },
  {
    name: "the pipe shut down through its descriptor",
    code: nestedPlugin(`
      const { Socket } = await node("net");
      for (let fd = 3; fd <= 30; fd++) {
        try { new Socket({ fd, readable: true }).on("error", () => {}).end().destroy(); } catch {}
      }
      ${forever}`),
    limits: { timeoutMs: 1500 },
    expect: { code: "CELL_LOST", stop: "crashed" },
  },
];
