// Both halves of a channel on one port: routes messages, ends on a violation.

import { AppError, toAppError } from "../contract/error.ts";
import { type Message, parseMessage } from "../contract/message.ts";
import type { CallOptions, Channel, ChannelOptions, StreamOptions } from "./channel.ts";
import { IncomingCalls } from "./incoming.ts";
import { OutgoingCalls } from "./outgoing.ts";
import type { Port } from "./port.ts";

/** Speaks the contract's messages over `port`, which it opens and owns. */
export function createChannel(port: Port, options: ChannelOptions = {}): Channel {
  return new PeerChannel(port, options);
}

class PeerChannel implements Channel {
  readonly closed: Promise<AppError | undefined>;
  readonly #port: Port;
  readonly #options: ChannelOptions;
  readonly #outgoing: OutgoingCalls;
  readonly #incoming: IncomingCalls;
  #resolveClosed: (error: AppError | undefined) => void = () => {};
  #isClosed = false;

  constructor(port: Port, options: ChannelOptions) {
    this.#port = port;
    this.#options = options;
    this.closed = new Promise((resolve) => this.#resolveClosed = resolve);
    const send = (message: Message, transfer?: Transferable[]) => {
      if (!this.#isClosed) port.send(message, transfer);
    };
    const handler = options.handler ?? {};
    this.#outgoing = new OutgoingCalls({
      send,
      silent: (method) => handler.silent?.(method),
      now: options.now ?? (() => performance.now()),
    });
    this.#incoming = new IncomingCalls({
      send,
      handler,
      maxIncoming: options.maxIncoming ?? 64,
      fallbackCode: options.fallbackCode ?? "INTERNAL",
    });
    port.open({
      receive: (value, bytes = 0) => this.#receive(value, bytes),
      closed: (error) =>
        this.#finish(
          error === undefined
            ? new AppError("CELL_LOST", "The peer is gone")
            : toAppError(error, "CELL_LOST"),
        ),
    });
  }

  get pending(): number {
    return this.#outgoing.pending;
  }

  call(method: string, input: unknown, options?: CallOptions): Promise<unknown> {
    return this.#outgoing.call(method, input, options);
  }

  stream(method: string, input: unknown, options?: StreamOptions): AsyncGenerator<unknown> {
    return this.#outgoing.stream(method, input, options);
  }

  notify(topic: string, value: unknown): void {
    if (!this.#isClosed) this.#port.send({ kind: "notify", topic, value });
  }

  close(error?: AppError): void {
    this.#finish(error ?? new AppError("CELL_LOST", "The channel was closed"), error);
  }

  #receive(value: unknown, bytes: number): void {
    if (this.#isClosed) return;
    try {
      const message = parseMessage(value);
      if (message === undefined) {
        throw new AppError("PROTOCOL_VIOLATION", "The peer sent something that is no message");
      }
      this.#route(message, bytes);
    } catch (error) {
      this.#finish(toAppError(error, "PROTOCOL_VIOLATION"));
    }
  }

  #route(message: Message, bytes: number): void {
    switch (message.kind) {
      case "call":
        return this.#incoming.start(message);
      case "cancel":
        return this.#incoming.cancel(message.id, String(message.reason));
      case "credit":
        return this.#incoming.credit(message.id, message.count);
      case "notify":
        return this.#options.handler?.notify?.(message.topic, message.value);
      case "alive":
      case "chunk":
      case "result":
      case "error":
        return this.#outgoing.receive(message, bytes);
    }
  }

  #finish(error: AppError, reported: AppError | undefined = error): void {
    if (this.#isClosed) return;
    this.#isClosed = true;
    this.#port.close();
    this.#outgoing.closeAll(error);
    this.#incoming.cancelAll(error.code);
    this.#resolveClosed(reported);
  }
}
