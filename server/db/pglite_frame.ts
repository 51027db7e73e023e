// Messages on the pipes of PGlite's process: a length of four bytes, then a structured clone.
// Both ends are bkg's own code, so that lengths are believed.

import { deserialize, serialize } from "node:v8";

export function toFrame(message: unknown): Uint8Array {
  const body = serialize(message);
  const frame = new Uint8Array(4 + body.length);
  new DataView(frame.buffer).setUint32(0, body.length);
  frame.set(body, 4);
  return frame;
}

export async function* readFrames(stream: ReadableStream<Uint8Array>): AsyncGenerator<unknown> {
  let held = new Uint8Array();
  for await (const chunk of stream) {
    held = held.length === 0 ? chunk.slice() : concat(held, chunk);
    let at = 0;
    while (held.length - at >= 4) {
      const length = new DataView(held.buffer, held.byteOffset + at).getUint32(0);
      if (held.length - at - 4 < length) break;
      yield deserialize(held.subarray(at + 4, at + 4 + length));
      at += 4 + length;
    }
    held = held.subarray(at);
  }
}

function concat(a: Uint8Array, b: Uint8Array): Uint8Array<ArrayBuffer> {
  const both = new Uint8Array(a.length + b.length);
  both.set(a);
  both.set(b, a.length);
  return both;
}
