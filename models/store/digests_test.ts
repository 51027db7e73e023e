import assert from "node:assert/strict";
import { createHash } from "node:crypto";
import { join } from "node:path";
import { createFileDigests } from "./digests.ts";

Deno.test("digest refuses a file that is gone, and one whose path leads elsewhere", async () => {
  await inFolder(async (folder) => {
    const digests = createFileDigests({ cachePath: join(folder, "digests.json") });
    const path = join(folder, "a.gguf");
    await assert.rejects(digests.digest({ name: "a.gguf", path }), { code: "NOT_FOUND" });
    await Deno.mkdir(join(folder, "real"));
    await Deno.writeTextFile(join(folder, "real", "a.gguf"), "x");
    await Deno.symlink(join(folder, "real"), join(folder, "link"));
    await assert.rejects(
      digests.digest({ name: "a.gguf", path: join(folder, "link", "a.gguf") }),
      { code: "UNAVAILABLE" },
    );
  });
});

Deno.test("digest fails when the file changes under the reading, and goes on with others", async () => {
  await inFolder(async (folder) => {
    const digests = createFileDigests({ cachePath: join(folder, "digests.json") });
    const file = await write(folder, "a.gguf", new Uint8Array(64 * 1024 * 1024));
    const other = await write(folder, "b.gguf", new Uint8Array(10));
    const broken = digests.digest(file);
    const good = digests.digest(other);
    // The loop turns while a file is hashed, or this would come after it.
    let turns = 0;
    while (turns < 5) {
      await new Promise((resolve) => setTimeout(resolve));
      turns++;
    }
    await Deno.writeFile(file.path, new Uint8Array(1), { append: true });
    await assert.rejects(broken, { code: "UNAVAILABLE", retryable: true });
    assert.equal((await good).digest, sha256(new Uint8Array(10)));
    assert.equal((await digests.digest(file)).size, 64 * 1024 * 1024 + 1);
  });
});

Deno.test("digest agrees with the bytes, follows their changes, and is kept across a restart", async () => {
  await inFolder(async (folder) => {
    const cachePath = join(folder, "cache", "digests.json");
    // As if the file had been there for long.
    const options = { cachePath, now: () => Date.now() + 60_000 };
    // Large enough that the second question comes while the first is being answered.
    const bytes = new Uint8Array(16 * 1024 * 1024);
    crypto.getRandomValues(bytes.subarray(0, 65_536));
    const file = await write(folder, "a.gguf", bytes);
    const first = createFileDigests(options);
    const both = await Promise.all([first.digest(file), first.digest(file)]);
    assert.equal(both[0], both[1], "one computation for both");
    assert.equal(both[0].digest, sha256(bytes));
    const kept = JSON.parse(await Deno.readTextFile(cachePath));
    assert.deepEqual(kept, { [both[0].fingerprint]: sha256(bytes) });
    // The second one believes what is kept.
    const claimed = `sha256:${"0".repeat(64)}`;
    await Deno.writeTextFile(cachePath, JSON.stringify({ [both[0].fingerprint]: claimed }));
    assert.equal((await createFileDigests(options).digest(file)).digest, claimed);
    bytes[0]! ^= 1;
    await Deno.writeFile(file.path, bytes);
    // Both writes may fall into one tick of the file system's clock.
    await Deno.utime(file.path, 1e9, 1e9);
    assert.equal((await first.digest(file)).digest, sha256(bytes));
    for (const damaged of ["", "[]", '{"1:2:3":"x"}']) {
      await Deno.writeTextFile(cachePath, damaged);
      assert.equal((await createFileDigests(options).digest(file)).digest, sha256(bytes));
    }
  });
});

Deno.test("digest of a file that was just written is not kept: it may still change unseen", async () => {
  await inFolder(async (folder) => {
    const cachePath = join(folder, "digests.json");
    const file = await write(folder, "a.gguf", new Uint8Array(3));
    await createFileDigests({ cachePath }).digest(file);
    await assert.rejects(Deno.stat(cachePath), Deno.errors.NotFound);
  });
});

Deno.test("digest works where it cannot be kept, and says so", async () => {
  await inFolder(async (folder) => {
    const warned: string[] = [];
    const file = await write(folder, "a.gguf", new Uint8Array(3));
    const digests = createFileDigests({
      cachePath: join(file.path, "digests.json"),
      log: { warn: (message) => warned.push(message) },
      now: () => Date.now() + 60_000,
    });
    assert.equal((await digests.digest(file)).digest, sha256(new Uint8Array(3)));
    assert.match(warned.join(), /cannot be kept/);
  });
});

function sha256(bytes: Uint8Array): string {
  return `sha256:${createHash("sha256").update(bytes).digest("hex")}`;
}

async function write(folder: string, name: string, bytes: Uint8Array) {
  const path = join(folder, name);
  await Deno.writeFile(path, bytes);
  return { name, path };
}

async function inFolder(run: (folder: string) => Promise<void>): Promise<void> {
  const folder = await Deno.realPath(await Deno.makeTempDir());
  try {
    await run(folder);
  } finally {
    await Deno.remove(folder, { recursive: true });
  }
}
