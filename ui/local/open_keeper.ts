// Brings up keepers of plugins' Workers: for our own plugins a Worker of this page, for a stranger's a Worker inside a
// frame of an opaque origin, which has no way to this site's storage, to the network or to another plugin.

import { AppError } from "../../plugins/runtime/contract/error.ts";
import type { KeeperStart } from "./keeper_message.ts";

export interface Keeper {
  /** Starts a Worker; what is said about it goes over the port. */
  start(order: KeeperStart): MessagePort;
  /** Ends it and all Workers that it keeps; idempotent. */
  close(): void;
  /** Settles when it is gone: nothing that it kept is alive. */
  readonly lost: Promise<AppError>;
}

/** The script is small and plain: it is the Content-Security-Policy that comes with it that its Workers live under. */
export function openOwnKeeper(): Keeper {
  const worker = new Worker(assetUrl("keeper.js"), { name: "bkg keeper" });
  const lost = Promise.withResolvers<AppError>();
  worker.onerror = (event) => {
    event.preventDefault();
    lost.resolve(lostKeeper(event.message || 'Its script "keeper.js" did not load'));
  };
  return {
    start: (order) => openPort((ports) => worker.postMessage(order, ports)),
    close() {
      worker.terminate();
      lost.resolve(lostKeeper("It was closed"));
    },
    lost: lost.promise,
  };
}

/** `script` is the text of keeper.js: the frame may load nothing but itself. */
export async function openStrangerKeeper(
  { script, label }: { script: string; label: string },
): Promise<Keeper> {
  const frame = document.createElement("iframe");
  frame.setAttribute("sandbox", "allow-scripts");
  frame.allow = "cross-origin-isolated";
  frame.referrerPolicy = "no-referrer";
  frame.title = label;
  frame.hidden = true;
  frame.src = assetUrl("stranger.html");
  await loaded(frame);
  const lost = Promise.withResolvers<AppError>();
  const { port1: control, port2 } = new MessageChannel();
  control.onmessage = ({ data }: MessageEvent<{ lost: string }>) =>
    lost.resolve(lostKeeper(data.lost));
  // The frame's origin is opaque, and cannot be named; the frame itself is.
  frame.contentWindow?.postMessage({ script }, "*", [port2]);
  return {
    start: (order) => openPort((ports) => control.postMessage(order, ports)),
    close() {
      control.close();
      frame.remove();
      lost.resolve(lostKeeper("It was closed"));
    },
    lost: lost.promise,
  };
}

function openPort(send: (ports: MessagePort[]) => void): MessagePort {
  const { port1, port2 } = new MessageChannel();
  send([port2]);
  return port1;
}

function loaded(frame: HTMLIFrameElement): Promise<void> {
  return new Promise((resolve, reject) => {
    const giveUp = setTimeout(() => {
      frame.remove();
      reject(new AppError("UNAVAILABLE", "The frame for other people's plugins did not load"));
    }, frameTimeoutMs);
    frame.addEventListener("load", () => {
      clearTimeout(giveUp);
      resolve();
    }, { once: true });
    document.body.append(frame);
  });
}

const frameTimeoutMs = 10_000;

function assetUrl(name: string): string {
  return new URL(`assets/${name}`, document.baseURI).href;
}

function lostKeeper(message: string): AppError {
  return new AppError("CELL_LOST", `The keeper of plugins' Workers was lost: ${message}`);
}
