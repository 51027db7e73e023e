import assert from "node:assert/strict";
import { join } from "node:path";
import { fingerprintOf } from "../../plugins/runtime/contract/file_fingerprint.ts";
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

Deno.test("createFileReads: machine code is given the path of a trusted file alone, as it was found", async () => {
  const folder = await Deno.makeTempDir({ prefix: "bkg-test-" });
  const path = join(folder, "m.gguf");
  const reads = createFileReads(folder);
  try {
    await Deno.writeFile(path, new Uint8Array(100));
    reads.open(1, { path, size: 100, trusted: false });
    await assert.rejects(reads.trustedPath(1), { code: "FORBIDDEN", message: /bkg model trust/ });
    await assert.rejects(reads.trustedPath(2), { code: "NOT_FOUND" });
    reads.open(2, { path, size: 100, trusted: true });
    assert.equal(await reads.trustedPath(2), path);
    reads.open(3, { path, size: 99, trusted: true });
    await assert.rejects(reads.trustedPath(3), { code: "INVALID_MODEL" });
    for (const handle of [1, 2, 3]) reads.close(handle);
    await assert.rejects(reads.trustedPath(2), { code: "NOT_FOUND" });
  } finally {
    await Deno.remove(folder, { recursive: true });
  }
});

Deno.test("createFileReads: a file that took another's place is no model, however alike", async () => {
  const folder = await Deno.makeTempDir({ prefix: "bkg-test-" });
  const path = join(folder, "m.gguf");
  const reads = createFileReads(folder);
  const look = async () => {
    const stat = await Deno.stat(path);
    return { path, size: stat.size, trusted: true, fingerprint: fingerprintOf(stat) };
  };
  const replace = async () => {
    const { atime, mtime } = await Deno.stat(path);
    await Deno.writeFile(`${path}.new`, new Uint8Array(100).fill(1));
    await Deno.utime(`${path}.new`, atime!, mtime!);
    await Deno.rename(`${path}.new`, path);
  };
  try {
    await Deno.writeFile(path, new Uint8Array(100));
    // Between the host's look and the cell's.
    reads.open(1, await look());
    await replace();
    await assert.rejects(reads.trustedPath(1), { code: "INVALID_MODEL", message: /changed/ });
    await assert.rejects(reads.trustedBytes(1), { code: "INVALID_MODEL" });
    await assert.rejects(reads.read(1, 0, 1), { code: "INVALID_MODEL" });
    // Between two loads by machine code, which opens the path itself.
    reads.open(2, await look());
    assert.equal(await reads.trustedPath(2), path);
    await replace();
    await assert.rejects(reads.trustedPath(2), { code: "INVALID_MODEL" });
    await Deno.remove(path);
    await assert.rejects(
      reads.trustedPath(2),
      (error: Error) => !error.message.includes(folder) && /cannot be read/.test(error.message),
    );
    for (const handle of [1, 2]) reads.close(handle);
  } finally {
    await Deno.remove(folder, { recursive: true });
  }
});
