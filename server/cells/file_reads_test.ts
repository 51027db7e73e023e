import assert from "node:assert/strict";
import { join } from "node:path";
import { createFileReads } from "./file_reads.ts";

Deno.test("createFileReads: a file that changed between two reads is no model, dated back or not", async () => {
  const folder = await Deno.makeTempDir({ prefix: "bkg-test-" });
  const path = join(folder, "m.gguf");
  const reads = createFileReads(folder);
  try {
    for (const isDatedBack of [false, true]) {
      await Deno.writeFile(path, new Uint8Array(100));
      const { mtime, atime } = await Deno.stat(path);
      reads.open(1, { path, size: 100, trusted: false });
      assert.equal((await reads.read(1, 50, 50)).length, 50);
      // Times of changes may be known to the second only.
      await new Promise((resolve) => setTimeout(resolve, 1100));
      await Deno.writeFile(path, new Uint8Array(100).fill(1));
      if (isDatedBack) await Deno.utime(path, atime!, mtime!);
      await assert.rejects(reads.read(1, 0, 50), { code: "INVALID_MODEL" });
      reads.close(1);
    }
    for (const [offset, length] of [[0, 101], [-1, 2], [0.5, 1], [2 ** 53, 1], ["0", 1]]) {
      reads.open(2, { path, size: 100, trusted: false });
      assert.throws(() => reads.read(2, offset, length), { code: "INVALID_INPUT" });
    }
    reads.open(3, { path, size: 99, trusted: false });
    await assert.rejects(reads.read(3, 0, 1), { code: "INVALID_MODEL" });
    reads.open(4, { path: join(folder, "gone"), size: 1, trusted: false });
    await assert.rejects(
      reads.read(4, 0, 1),
      (error: Error) => !error.message.includes(folder) && /cannot be read/.test(error.message),
    );
    for (const handle of [2, 3, 4]) reads.close(handle);
    assert.throws(() => reads.read(4, 0, 0), { code: "NOT_FOUND" });
  } finally {
    await Deno.remove(folder, { recursive: true });
  }
});
