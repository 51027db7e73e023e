import assert from "node:assert/strict";
import { type BytePort, createBytePort } from "./byte_port.ts";
import { createChannel } from "./peer_channel.ts";

Deno.test("a stream whose large chunks nobody reads is left, and its bytes are freed", async () => {
  const { near, sent } = createPair();
  const stream = near.stream("test.large", null, { credit: 100 });
  assert.equal((await stream.next()).value, mebibyte);
  await sent;
  // What came before the bound was crossed is still there; then the reader is told.
  await assert.rejects(async () => {
    for await (const _ of stream);
  }, { code: "PAYLOAD_TOO_LARGE" });
  const again = near.stream("test.large", null, { credit: 8 });
  assert.equal((await again.next()).value, mebibyte);
  await again.return(undefined);
  near.close();
});

const mebibyte = "x".repeat(1024 * 1024);

/** A near channel, and a far one whose "test.large" sends 80 MiB as fast as its credit allows. */
function createPair() {
  const sent = Promise.withResolvers<void>();
  const nearPort: BytePort = createBytePort({
    write: (bytes) => queueMicrotask(() => farPort.feed(bytes)),
    close: () => {},
  });
  const farPort: BytePort = createBytePort({
    write: (bytes) => queueMicrotask(() => nearPort.feed(bytes)),
    close: () => {},
  }, { trustedPeer: true, maxBufferedBytes: 256 * 1024 * 1024 });
  createChannel(farPort, {
    handler: {
      async *call() {
        try {
          for (let n = 0; n < 80; n++) yield mebibyte;
        } finally {
          sent.resolve();
        }
      },
    },
  });
  setTimeout(() => sent.resolve(), 300);
  return { near: createChannel(nearPort), sent: sent.promise };
}
