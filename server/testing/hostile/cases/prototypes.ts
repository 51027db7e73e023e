// Plugins that poison what the guest, which shares their realm, stands on. It may break them alone.

import { type HostileCase, plugin } from "../hostile_case.ts";

const limits = { timeoutMs: 400 };
const hangs = { code: "TIMEOUT", stop: "silence" } as const;

export const prototypes: HostileCase[] = [
  {
    name: "poisoned Promise.prototype.then",
    code: plugin(`Promise.prototype.then = function () { return this; }; return 1;`),
    limits,
    expect: hangs,
  },
  {
    name: "poisoned Array.prototype[Symbol.iterator]",
    code: plugin(`
      Array.prototype[Symbol.iterator] = function* () { for (;;) yield ["evil", {}]; };
      return 1;`),
    limits,
    expect: hangs,
  },
  {
    name: "poisoned JSON.stringify, no JSON",
    code: plugin(`JSON.stringify = () => "]]]"; return 1;`),
    limits,
    expect: { code: "PROTOCOL_VIOLATION", stop: "protocol" },
  },
  {
    name: "poisoned JSON.stringify, nothing",
    code: plugin(`JSON.stringify = () => undefined; return 1;`),
    limits,
    expect: { code: "CELL_LOST", stop: "crashed" },
  },
  {
    name: "poisoned setters of Object.prototype",
    code: plugin(`
      for (const name of ["kind", "id", "value", "code", "retryable", "message"]) {
        Object.defineProperty(Object.prototype, name, Object.assign(Object.create(null), {
          set() {},
          get: () => "evil",
          configurable: true,
        }));
      }
      return 1;`),
    limits,
    expect: { code: "ok", stop: "none", value: 1 },
  },
  {
    name: "poisoned Object.prototype.toJSON",
    code: plugin(`
      Object.prototype.toJSON = () => ({ kind: "call", id: 0, method: "x", credit: 0 });
      return {};`),
    limits,
    expect: hangs,
  },
  {
    name: "poisoned Map.prototype and Uint8Array.prototype",
    code: plugin(`
      Map.prototype.get = () => undefined;
      Map.prototype.delete = () => false;
      Uint8Array.prototype.set = () => {};
      return 1;`),
    limits,
    expect: hangs,
  },
  {
    name: "a Proxy as the answer",
    code: plugin(`
      return new Proxy({}, {
        ownKeys: () => ["kind", "__proto__"],
        getOwnPropertyDescriptor: () => ({ value: 1, enumerable: true, configurable: true }),
        get: (_, key) => key === "then" || key === "toJSON" ? undefined : { polluted: true },
      });`),
    limits,
    expect: { code: "ok", stop: "none" },
  },
  {
    name: "__proto__ keys in the answer",
    code: plugin(`
      return JSON.parse('{"__proto__":{"polluted":true},"constructor":{"prototype":{"polluted":true}}}');`),
    limits,
    expect: { code: "ok", stop: "none" },
  },
  {
    name: "a cycle and a BigInt as the answer",
    code: plugin(`const answer = { n: 1n }; answer.self = answer; return answer;`),
    limits,
    expect: { code: "PLUGIN_ERROR", stop: "none" },
  },
];
