// The calls that one socket makes. Each answers chunks, then a result or an error, under the id its client chose;
// a call ends with its CANCEL, and all of them with their socket.

import { AppError, toAppError } from "../../plugins/runtime/contract/error.ts";
import type { CallId, ServerMessage } from "../../plugins/runtime/host/socket_message.ts";
import type { Identity } from "../auth/authenticator.ts";
import type { GuardedBus } from "../auth/guarded_bus.ts";
import type { Logger } from "../log.ts";
import type { Outbox } from "./outbox.ts";

export interface InvocationsDeps {
  bus: GuardedBus;
  principal: Identity;
  /** Whose capabilities may be called; undefined: of every plugin. */
  pluginId: string | undefined;
  outbox: Outbox;
  send(message: ServerMessage): void;
  maxRunning: number;
  log: Logger;
}

export interface Invocation {
  id: CallId;
  capability: string;
  payload?: unknown;
}

export class Invocations {
  readonly #deps: InvocationsDeps;
  readonly #running = new Map<CallId, AbortController>();

  constructor(deps: InvocationsDeps) {
    this.#deps = deps;
  }

  /** Throws CONFLICT, QUEUE_FULL, NOT_FOUND or FORBIDDEN when the call does not begin. */
  start(invocation: Invocation): void {
    const { bus, principal, pluginId, maxRunning } = this.#deps;
    const { id, capability: name } = invocation;
    if (this.#running.has(id)) {
      throw new AppError("CONFLICT", `A call with the id "${id}" is still running`);
    }
    if (this.#running.size >= maxRunning) {
      throw new AppError("QUEUE_FULL", `A socket may have ${maxRunning} running calls`, {
        details: { limit: maxRunning },
      });
    }
    const found = bus.find(name, principal);
    if (pluginId !== undefined && found.pluginId !== pluginId) {
      throw new AppError("FORBIDDEN", `This socket calls capabilities of "${pluginId}" alone`);
    }
    void this.#run(invocation, found.capability.streaming);
  }

  /** A call that has ended meanwhile is left alone. */
  cancel(id: CallId): void {
    this.#running.get(id)?.abort(new AppError("CANCELLED", "The client cancelled the call"));
  }

  abortAll(): void {
    const reason = new AppError("CANCELLED", "The client went away");
    for (const calling of this.#running.values()) calling.abort(reason);
  }

  async #run(invocation: Invocation, streaming: boolean): Promise<void> {
    const { bus, principal, send } = this.#deps;
    const { id, capability, payload: input } = invocation;
    const calling = new AbortController();
    this.#running.set(id, calling);
    const options = { principal, signal: calling.signal };
    let last: ServerMessage;
    try {
      const value = streaming
        ? await this.#stream(id, bus.stream(capability, input, options), calling.signal)
        : await bus.call(capability, input, options);
      last = { type: "result", id, payload: value ?? null };
    } catch (thrown) {
      last = { type: "error", id, payload: this.#publicError(thrown).toWire() };
    }
    // The id is free before its client can know that the call has ended.
    this.#running.delete(id);
    send(last);
  }

  /** Takes the next item only when the client has read most of what it was sent. */
  async #stream(
    id: CallId,
    items: AsyncGenerator<unknown, unknown>,
    signal: AbortSignal,
  ): Promise<unknown> {
    const { outbox, send } = this.#deps;
    try {
      while (true) {
        if (outbox.isFull) await outbox.drained();
        signal.throwIfAborted();
        const { done, value } = await items.next();
        if (done) return value;
        send({ type: "chunk", id, payload: value ?? null });
      }
    } finally {
      await items.return(undefined);
    }
  }

  /** What was not meant for clients stays in the log. */
  #publicError(thrown: unknown): AppError {
    const error = toAppError(thrown);
    if (error === thrown || error.code !== "INTERNAL") return error;
    this.#deps.log.warn("a call on a socket failed", { error: thrown });
    return new AppError("INTERNAL", "Something failed inside the server; its log tells what");
  }
}
