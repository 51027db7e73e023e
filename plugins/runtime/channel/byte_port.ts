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
  /** Receives control frames; without it one is a violation. */
  control?: (frame: Frame) => void;
}

export function createBytePort(transport: ByteTransport, options: BytePortOptions = {}): BytePort {
  const frameCap = options.maxFrameBytes ?? maxFrameBytes;
  const bufferCap = options.maxBufferedBytes ?? 2 * maxFrameBytes;
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
    const withBuffers = encodeBuffers(message);
    if (withBuffers !== undefined) {
      checkSize(withBuffers.length, frameCap);
      sealMessages();
      push(withBuffers);
    } else {
      const json = JSON.stringify(message);
      if (json.length * 3 > Math.min(frameCap, maxJsonWeight)) checkJson(json, frameCap);
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
    // Two microtasks later: what the same turn of the event loop sends travels in one frame.
    queueMicrotask(() => queueMicrotask(flush));
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
    for (const value of decodeMessages(frame)) {
      if (!closed) receiver?.receive(value);
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

const maxBatchChars = 256 * 1024;
const maxEarlyFrames = 64;

function checkJson(json: string, cap: number): void {
  const bytes = new TextEncoder().encode(json);
  checkSize(bytes.length + 2, cap);
  const problem = jsonProblem(bytes);
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
