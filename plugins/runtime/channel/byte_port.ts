// A port over a byte stream (a cell's pipe): frames what is sent, batches what is sent together.
// Bounded both ways: a frame's size is capped, and a peer that does not read is cut off.

import { AppError } from "../contract/error.ts";
import type { Message } from "../contract/message.ts";
import {
  decodeMessages,
  encodeBuffers,
  encodeControl,
  encodeMessages,
  type Frame,
  frameKind,
  FrameReader,
  maxFrameBytes,
} from "./frame.ts";
import { jsonProblem, maxJsonWeight } from "./json_weight.ts";
import type { Port, PortReceiver } from "./port.ts";

export interface ByteTransport {
  /** Writes all of `bytes`; the next write starts when this one is done. */
  write(bytes: Uint8Array<ArrayBuffer>): void | Promise<void>;
  close(): void;
}

export interface BytePort extends Port {
  /** Feeds bytes that the peer sent. */
  feed(chunk: Uint8Array): void;
  /** Tells the port that the peer is gone. */
  end(error?: Error): void;
  /** Sends a control frame, in order with the messages. */
  sendControl(value: unknown): void;
}

export interface BytePortOptions {
  maxFrameBytes?: number;
  /** Bytes that may wait for a peer that does not read, before the port closes. */
  maxBufferedBytes?: number;
  /** The peer is the host: what it sends may be large, and what it is sent may not. Default false. */
  trustedPeer?: boolean;
  /** Receives control frames; without it one is a violation. */
  control?: (frame: Frame) => void;
}

export function createBytePort(transport: ByteTransport, options: BytePortOptions = {}): BytePort {
  const frameCap = options.maxFrameBytes ?? maxFrameBytes;
  const bufferCap = options.maxBufferedBytes ?? 2 * maxFrameBytes;
  const trusted = options.trustedPeer ?? false;
  const checkJson = trusted ? refuseHeavyJson : undefined;
  const reader = new FrameReader(frameCap);
  const earlyFrames: Frame[] = [];
  let receiver: PortReceiver | undefined;
  let jsons: string[] = [];
  let jsonChars = 0;
  let frames: Uint8Array<ArrayBuffer>[] = [];
  let bufferedBytes = 0;
  let flushing = false;
  let closed = false;

  return { send, sendControl, open, feed, end: finish, close: () => finish() };

  function send(message: Message): void {
    if (closed) return;
    const withBuffers = encodeBuffers(message, checkJson);
    if (withBuffers !== undefined) {
      checkSize(withBuffers.length, frameCap);
      sealMessages();
      push(withBuffers);
    } else {
      const json = JSON.stringify(message);
      if (json.length * 3 > Math.min(frameCap, maxJsonWeight)) {
        const bytes = new TextEncoder().encode(json);
        checkSize(bytes.length + 2, frameCap);
        checkJson?.(bytes);
      }
      if (jsonChars + json.length > maxBatchChars) sealMessages();
      jsons.push(json);
      jsonChars += json.length;
      hold(json.length);
    }
    scheduleFlush();
  }

  function sendControl(value: unknown): void {
    if (closed) return;
    sealMessages();
    push(encodeControl(value));
    scheduleFlush();
  }

  function sealMessages(): void {
    if (jsons.length === 0) return;
    frames.push(encodeMessages(jsons));
    jsons = [];
    jsonChars = 0;
  }

  function push(frame: Uint8Array<ArrayBuffer>): void {
    frames.push(frame);
    hold(frame.length);
  }

  function hold(bytes: number): void {
    bufferedBytes += bytes;
    if (bufferedBytes > bufferCap) {
      const error = `The peer left ${bufferedBytes} bytes unread, allowed are ${bufferCap}`;
      finish(new AppError("PROTOCOL_VIOLATION", error));
    }
  }

  function scheduleFlush(): void {
    if (flushing || closed) return;
    flushing = true;
    // What one turn of the event loop sends travels in one frame: under load a fifth of the writes.
    afterTurn(flush);
  }

  async function flush(): Promise<void> {
    try {
      while (!closed && (jsons.length > 0 || frames.length > 0)) {
        sealMessages();
        const batch = frames;
        frames = [];
        bufferedBytes = 0;
        for (const frame of batch) {
          const written = transport.write(frame);
          if (written !== undefined) await written;
        }
      }
    } catch (cause) {
      finish(cause instanceof Error ? cause : new Error(String(cause)));
    } finally {
      flushing = false;
    }
  }

  function open(opened: PortReceiver): void {
    receiver = opened;
    if (closed) return opened.closed();
    for (const frame of earlyFrames.splice(0)) deliver(frame);
  }

  function feed(chunk: Uint8Array): void {
    if (closed) return;
    try {
      for (const frame of reader.push(chunk)) {
        if (closed) return;
        if (receiver === undefined && frame.kind !== frameKind.control) {
          if (earlyFrames.length >= maxEarlyFrames) {
            throw new AppError("PROTOCOL_VIOLATION", "The peer spoke before it was asked");
          }
          earlyFrames.push({ kind: frame.kind, payload: frame.payload.slice() });
        } else deliver(frame);
      }
    } catch (error) {
      finish(error instanceof Error ? error : new Error(String(error)));
    }
  }

  function deliver(frame: Frame): void {
    if (frame.kind === frameKind.control && options.control !== undefined) {
      options.control(frame);
      return;
    }
    const values = decodeMessages(frame, trusted);
    const { length } = frame.payload;
    // Only small messages share a frame; so none can hide its size among others.
    if (values.length > 1 && length > maxBatchBytes) {
      throw new AppError("PROTOCOL_VIOLATION", `A frame of many messages has ${length} bytes`);
    }
    for (const value of values) {
      if (!closed) receiver?.receive(value, length / values.length);
    }
  }

  function finish(error?: Error): void {
    if (closed) return;
    closed = true;
    jsons = [];
    frames = [];
    transport.close();
    receiver?.closed(error);
  }
}

/** Runs after the I/O events of this turn, without a timer's wait; Deno has it, and only Deno has pipes. */
const afterTurn: (run: () => void) => void =
  (globalThis as { setImmediate?: (run: () => void) => void }).setImmediate ?? queueMicrotask;

const maxBatchChars = 256 * 1024;
/** A UTF-16 unit takes at most 3 bytes of UTF-8; with room for the commas. */
const maxBatchBytes = 4 * maxBatchChars;
const maxEarlyFrames = 64;

function refuseHeavyJson(json: Uint8Array): void {
  const problem = jsonProblem(json);
  if (problem !== undefined) throw new AppError("PAYLOAD_TOO_LARGE", `The message ${problem}`);
}

function checkSize(bytes: number, cap: number): void {
  if (bytes > cap) {
    throw new AppError(
      "PAYLOAD_TOO_LARGE",
      `The message has ${bytes} bytes, the channel takes ${cap}`,
      { details: { bytes, limit: cap } },
    );
  }
}
