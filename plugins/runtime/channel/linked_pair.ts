// Two ports joined in memory: what one sends the other receives, cloned, in a later microtask.

import type { Port, PortReceiver } from "./port.ts";

/** A pair of ports for tests and for a host and guest that share a thread. */
export function createLinkedPair(): [Port, Port] {
  const receivers: [PortReceiver | undefined, PortReceiver | undefined] = [undefined, undefined];
  const waiting: [unknown[], unknown[]] = [[], []];
  let closed = false;

  const makePort = (own: 0 | 1): Port => {
    const peer = own === 0 ? 1 : 0;
    return {
      send(message, transfer = []) {
        if (closed) return;
        const value = structuredClone(message, { transfer });
        queueMicrotask(() => {
          if (closed) return;
          const receiver = receivers[peer];
          if (receiver === undefined) waiting[peer].push(value);
          else receiver.receive(value);
        });
      },
      open(receiver) {
        receivers[own] = receiver;
        if (closed) return receiver.closed();
        for (const value of waiting[own].splice(0)) receiver.receive(value);
      },
      close() {
        if (closed) return;
        closed = true;
        for (const receiver of receivers) receiver?.closed();
      },
    };
  };
  return [makePort(0), makePort(1)];
}
