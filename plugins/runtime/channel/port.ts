// A port carries whole messages in order, both ways. Linked pair, Worker and cell pipe implement it.

import type { Message } from "../contract/message.ts";

export interface Port {
  /**
   * Queues one message. `transfer` moves buffers where the port can (a Worker), else they are copied.
   * Throws AppError PAYLOAD_TOO_LARGE, and sends nothing, when the message exceeds the port's cap.
   */
  send(message: Message, transfer?: Transferable[]): void;
  /** Starts delivery; called once, by the channel. `receive` gets unparsed values: the peer is not trusted. */
  open(receiver: PortReceiver): void;
  /** Ends both directions; idempotent. */
  close(): void;
}

export interface PortReceiver {
  /** `bytes`: what the message took on its way, where the port knows; it bounds what is held for slow readers. */
  receive(value: unknown, bytes?: number): void;
  /** Called once, when no further message can come; `error` says why when that was not a plain close. */
  closed(error?: Error): void;
}
