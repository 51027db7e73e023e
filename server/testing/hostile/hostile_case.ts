// What one hostile plugin does and what must come of it: data alone, run by run_case.ts.

import type { ErrorCode } from "../../../plugins/runtime/contract/error.ts";
import type { Permissions } from "../../../plugins/runtime/contract/grant.ts";
import type { Limits } from "../../../plugins/runtime/contract/manifest.ts";
import type { CellExitReason } from "../../../plugins/runtime/host/cell.ts";

export interface HostileCase {
  readonly name: string;
  /** The plugin's text: an ES module that answers "evil.run". */
  readonly code: string;
  readonly limits?: Partial<Limits>;
  /** What its manifest asks for; it is granted nothing. */
  readonly asks?: Partial<Permissions>;
  readonly input?: unknown;
  /** `stream`: "evil.run" is called for its items. `started`: by a call that starts the plugin. Default: a call of a running plugin. */
  readonly call?: "call" | "stream" | "started";
  /** A second plugin, in a cell of its own, that gets what the first one answered as its input. */
  readonly accomplice?: string;
  readonly expect: Expectation;
}

export interface Expectation {
  /** What the caller gets: "ok", or the error's code. */
  readonly code: ErrorCode | "ok";
  /** Why the cell ended; "none" when it has to live on and answer. */
  readonly stop: CellExitReason | "none";
  /** The answer of a call that is "ok". */
  readonly value?: unknown;
  /** What the error's message must say, so that a typing mistake in the attack is no success. */
  readonly message?: RegExp;
  /** What the plugin's log must, and must not, hold. */
  readonly log?: RegExp;
  readonly noLog?: RegExp;
}

/** A plugin whose "evil.run" has `body`; it may await, and sees `input` and `call`. */
export function plugin(body: string, { before = "", setup = "" } = {}): string {
  return `
import { definePlugin } from "@bkg/plugin";
${before}
export default definePlugin({
  ${setup === "" ? "" : `async setup(ctx) { ${setup} },`}
  capabilities: {
    "evil.ping": () => "pong",
    "evil.run": async (input, call) => { ${body} },
  },
});`;
}

/** A plugin whose "evil.run" streams. */
export function streamPlugin(body: string, before = ""): string {
  return `
import { definePlugin } from "@bkg/plugin";
${before}
export default definePlugin({
  capabilities: {
    "evil.ping": () => "pong",
    async *"evil.run"(input, call) { ${body} },
  },
});`;
}

/**
 * A plugin that runs `attack` in a nested data: Worker, where no prelude hides \`Deno\` and \`process\`, and answers
 * what it returned. \`node(name)\` imports a built-in.
 */
export function nestedPlugin(attack: string, options: { wait?: boolean } = {}): string {
  const text = `
    const node = (name) => import("node:" + name);
    addEventListener("error", (event) => event.preventDefault());
    addEventListener("unhandledrejection", (event) => event.preventDefault());
    const attack = async () => { ${attack} };
    attack().then(
      (value) => postMessage({ value: value === undefined ? null : value }),
      (error) => postMessage({ error: String(error && error.message || error) }),
    );`;
  const answer = options.wait === false ? "" : `await`;
  return plugin(`
    const worker = new Worker(
      "data:text/javascript," + encodeURIComponent(${JSON.stringify(text)}),
      { type: "module" },
    );
    globalThis.kept = worker;
    const done = new Promise((resolve, reject) => {
      worker.onmessage = ({ data }) =>
        "error" in data ? reject(new Error(data.error)) : resolve(data.value);
      worker.onerror = (event) => { event.preventDefault(); reject(new Error(event.message)); };
    });
    return ${answer} done;`);
}

/** What Deno and bkg say when something is not allowed. */
export const refusal =
  /Requires \S+ access|NotCapable|PermissionDenied|EPERM|escalate|(?:Deno|localStorage|importScripts) is not defined/i;

/** An attempt that must fail with a refusal, in a cell that lives on. */
export const refused = { code: "PLUGIN_ERROR", stop: "none", message: refusal } as const;

/** JavaScript that builds frames as channel/frame.ts does, for plugins that write to their pipe themselves. */
export const frameText = `
const toFrame = (kind, payload, claimed = payload.length + 1) => {
  const frame = new Uint8Array(5 + payload.length);
  new DataView(frame.buffer).setUint32(0, claimed, true);
  frame[4] = kind;
  frame.set(payload, 5);
  return frame;
};
const toBytes = (text) => new TextEncoder().encode(text);
const messages = (...list) => toFrame(1, toBytes(JSON.stringify(list)));
const control = (value) => toFrame(3, toBytes(JSON.stringify(value)));
const raw = (bytes) => globalThis.postMessage(bytes);
`;
