// A port over postMessage: a Worker, its own global scope, or a MessagePort. Buffers can be moved.

import type { Port } from "./port.ts";

/** The part of Worker, MessagePort and a Worker's global scope that a port needs. */
export interface PostTarget {
  postMessage(value: unknown, transfer: Transferable[]): void;
  addEventListener(type: "message", listener: (event: MessageEvent) => void): void;
  removeEventListener(type: "message", listener: (event: MessageEvent) => void): void;
  start?(): void;
}

/** `label` keeps several ports on one target apart; each takes only what carries its label. */
export function createWorkerPort(target: PostTarget, label: string, onClose?: () => void): Port {
  let closed = false;
  let listener: ((event: MessageEvent) => void) | undefined;
  let notifyClosed: (() => void) | undefined;
  return {
    send(message, transfer = []) {
      if (!closed) target.postMessage({ port: label, message }, transfer);
    },
    open(receiver) {
      if (closed) return receiver.closed();
      notifyClosed = () => receiver.closed();
      listener = (event) => {
        const data: unknown = event.data;
        if (typeof data !== "object" || data === null) return;
        const { port, message } = data as { port?: unknown; message?: unknown };
        if (port === label) receiver.receive(message);
      };
      target.addEventListener("message", listener);
      target.start?.();
    },
    close() {
      if (closed) return;
      closed = true;
      if (listener !== undefined) target.removeEventListener("message", listener);
      onClose?.();
      notifyClosed?.();
    },
  };
}
