// The root of a plugin's Worker, behind the prelude: engines and guest. It holds no plugin text; that comes as
// data and runs by a computed import of a blob, which cannot reach the file system.

import { createBytePort } from "../channel/byte_port.ts";
import type { Channel } from "../channel/channel.ts";
import { createChannel } from "../channel/peer_channel.ts";
import { createWorkerPort, type PostTarget } from "../channel/worker_port.ts";
import { AppError } from "../contract/error.ts";
import * as guestModule from "../guest/mod.ts";
import { createGuest } from "../guest/serve_plugin.ts";
import { loadEngines } from "./load_engines.ts";
import type { BootSpec } from "./spec.ts";

/** A Worker's global scope, as far as it is used; the DOM's types know only a page's. */
declare const self: PostTarget & {
  addEventListener(
    type: "message",
    listener: (event: MessageEvent) => void,
    options?: { once: true },
  ): void;
  addEventListener(type: "error", listener: (event: ErrorEvent) => void): void;
  addEventListener(
    type: "unhandledrejection",
    listener: (event: PromiseRejectionEvent) => void,
  ): void;
};

self.addEventListener("message", start, { once: true });

function start(event: MessageEvent<BootSpec>): void {
  const spec = event.data;
  const main = createChannel(createWorkerPort(self, "main"));
  const engines = loadEngines(spec, main, () => channel);
  const guest = createGuest({
    channel: () => channel,
    loadDefinition: () => importPlugin(spec.code),
    engines,
  });
  const port = spec.transport === "bytes" ? createHostPipe() : createWorkerPort(self, "host");
  const channel: Channel = createChannel(port, {
    handler: { call: guest },
    maxIncoming: maxCalls,
    fallbackCode: "PLUGIN_ERROR",
  });
  reportStrayErrors(channel);
}

const maxCalls = 2048;

/** The host's pipe, spliced through the cell's main: whole frames, both ways. */
function createHostPipe() {
  const post = self.postMessage.bind(self);
  const port = createBytePort({
    write: (bytes) => post(bytes, [bytes.buffer]),
    close: () => {},
  }, { trustedPeer: true });
  self.addEventListener("message", ({ data }: MessageEvent) => {
    if (data instanceof Uint8Array) port.feed(data);
  });
  return port;
}

async function importPlugin(code: string): Promise<unknown> {
  const guestUrl = blobUrl(exportsOf("bkg.guest", guestModule));
  const linked = code.replaceAll(/(["'])@bkg\/plugin\1/g, JSON.stringify(guestUrl));
  const url = blobUrl(linked);
  try {
    const module = await import(url) as { default?: unknown };
    return module.default;
  } catch (cause) {
    const message = cause instanceof Error ? `${cause.name}: ${cause.message}` : String(cause);
    throw new AppError("PLUGIN_ERROR", `The plugin's module failed to load: ${message}`, { cause });
  } finally {
    URL.revokeObjectURL(url);
    URL.revokeObjectURL(guestUrl);
  }
}

/** The text of a module that re-exports an object of this one, parked under a symbol. */
function exportsOf(name: string, values: object): string {
  const parked = `globalThis[Symbol.for(${JSON.stringify(name)})]`;
  Object.defineProperty(globalThis, Symbol.for(name), { value: values });
  return Object.keys(values).map((key) => `export const ${key} = ${parked}.${key};`).join("\n");
}

function blobUrl(text: string): string {
  return URL.createObjectURL(new Blob([text], { type: "text/javascript" }));
}

/** A throw outside any call is logged; the cell lives on, as a page would. */
function reportStrayErrors(channel: Channel): void {
  self.addEventListener("error", (event) => {
    event.preventDefault();
    channel.notify("log", { level: "error", message: `uncaught: ${event.message}` });
  });
  self.addEventListener("unhandledrejection", (event) => {
    event.preventDefault();
    channel.notify("log", { level: "error", message: `unhandled rejection: ${event.reason}` });
  });
}
