// The trusted parent of plugins' Workers: a Worker itself, from assets/keeper.js or inside the frame for strangers.
// It starts them from blobs, so that a start needs no server, and stands between them and the page: what a Worker
// sends waits here until the page can take it, and one that floods is ended.

import {
  type KeeperOrder,
  type KeeperReport,
  type KeeperStart,
  messageWindow,
} from "./keeper_message.ts";
import { weighMessage } from "./message_weight.ts";

addEventListener("message", ({ data, ports: [port] }: MessageEvent<KeeperStart>) => {
  if (port !== undefined) keepWorker(data, port);
});

/** Messages that may wait for the page, and what they may weigh together. */
const maxWaiting = 20_000;
const maxWaitingBytes = 64 * 1024 * 1024;

function keepWorker({ boot, spec }: KeeperStart, port: MessagePort): void {
  const worker = startWorker(boot);
  const waiting: { data: unknown; bytes: number }[] = [];
  let waitingBytes = 0;
  let onTheirWay = 0;

  const report = (message: KeeperReport) => port.postMessage(message);
  const end = () => {
    worker.terminate();
    waiting.length = 0;
    port.onmessage = null;
  };
  const fail = (reason: "crashed" | "protocol", message: string) => {
    end();
    report({ kind: "fault", reason, message });
  };
  const forward = () => {
    while (onTheirWay < messageWindow) {
      const next = waiting.shift();
      if (next === undefined) return;
      waitingBytes -= next.bytes;
      onTheirWay++;
      report({ kind: "post", data: next.data });
    }
  };
  port.onmessage = ({ data: order }: MessageEvent<KeeperOrder>) => {
    switch (order.kind) {
      case "post":
        return worker.postMessage(order.data, order.transfer);
      case "taken":
        onTheirWay -= order.count;
        return forward();
      case "ping":
        return report({ kind: "pong", id: order.id });
      case "end":
        return end();
    }
  };
  worker.onmessage = ({ data }) => {
    const { bytes, problem } = weighMessage(data);
    if (problem !== undefined) return fail("protocol", `A message ${problem}`);
    waiting.push({ data, bytes });
    waitingBytes += bytes;
    if (waiting.length > maxWaiting || waitingBytes > maxWaitingBytes) {
      return fail("protocol", "It sent more messages than the page could take");
    }
    forward();
  };
  worker.onmessageerror = () => fail("protocol", "A message could not be read");
  worker.onerror = (event) => {
    event.preventDefault();
    fail("crashed", (event.message || "The Worker ended").slice(0, 2000));
  };
  worker.postMessage(spec);
}

/** A classic Worker: of an opaque origin Chromium starts no module Worker. Its text is a module without imports. */
function startWorker(boot: string): Worker {
  const text = `"use strict"; (() => { ${boot}\n})();`;
  const url = URL.createObjectURL(new Blob([text], { type: "text/javascript" }));
  const worker = new Worker(url);
  // Its script is fetched later: the address must live until it says something.
  worker.addEventListener("message", () => URL.revokeObjectURL(url), { once: true });
  return worker;
}
