// Packages that were packed by an enemy: each is refused, and nothing is written outside the folder.

import assert from "node:assert/strict";
import { join } from "node:path";
import { pack, type PackedEntry, randomBytes } from "../testing/package_registry.ts";
import { refusal } from "../testing/pull_fixture.ts";
import { type UnpackLimits, unpackPackage } from "./unpack.ts";

const good: PackedEntry = { path: "bins/a.so", bytes: randomBytes(1500) };

const hostile: readonly [what: string, entries: PackedEntry[], message: RegExp][] = [
  ["a way up", [{ rawName: "package/bins/../../../a.so" }], /a file named/],
  ["a way up at the beginning", [{ rawName: "../a.so" }], /a file named/],
  ["an absolute name", [{ rawName: "/tmp/a.so" }], /a file named/],
  ["another root", [{ rawName: "other/bins/a.so" }], /a file named/],
  ["no name", [{ rawName: "" }], /a file named/],
  ["a backslash", [{ rawName: "package/bins\\..\\a.so" }], /a file named/],
  ["an empty part", [{ rawName: "package/bins//a.so" }], /a file named/],
  ["a hidden file", [{ rawName: "package/bins/.a.so" }], /a file named/],
  ["a control character", [{ rawName: "package/bins/a\n.so" }], /a file named/],
  ["a symbolic link", [{ path: "bins/a.so", flag: "2", linkName: "/etc/passwd" }], /neither/],
  ["a hard link", [{ path: "bins/a.so", flag: "1", linkName: "package/x" }], /neither/],
  ["a device", [{ path: "bins/a.so", flag: "3" }], /neither/],
  ["a pipe", [{ path: "bins/a.so", flag: "6" }], /neither/],
  ["an extended header", [{ path: "PaxHeader", flag: "x", bytes: randomBytes(20) }], /neither/],
  ["a long name's header", [{ path: "L", flag: "L", bytes: randomBytes(20) }], /neither/],
  ["a file twice", [good, good], /twice/],
  [
    "a file below a file",
    [good, { path: "bins/a.so/b", bytes: randomBytes(3) }],
    /is a folder too/,
  ],
  ["a folder as a file", [good, { path: "bins", bytes: randomBytes(3) }], /is a folder too/],
  ["a folder with bytes", [{ path: "bins/", flag: "5", bytes: randomBytes(9) }], /folder/],
  ["a checksum that is wrong", [{ ...good, brokenChecksum: true }], /checksum/],
  ["a file that breaks off", [{ ...good, declaredSize: 3900 }], /breaks off/],
  ["a huge file", [{ ...good, declaredSize: 5000 }], /larger/],
  ["too much in all", [good, { path: "x", bytes: randomBytes(3000) }], /larger/],
  [
    "too many",
    Array.from({ length: 9 }, (_, at) => ({ path: `bins/${at}`, bytes: randomBytes(1) })),
    /more than 8/,
  ],
];

for (const [what, entries, message] of hostile) {
  Deno.test(`unpackPackage refuses ${what}`, () =>
    inFolder(async (folder, unpack) => {
      await assert.rejects(unpack(await pack(entries)), refusal("INVALID_PACKAGE", message));
      assert.deepEqual([...Deno.readDirSync(folder)].map(({ name }) => name).sort(), [
        "a.tgz",
        "to",
      ]);
    }));
}

Deno.test("unpackPackage refuses what is no gzip, what breaks off, and what lacks its end", () =>
  inFolder(async (_, unpack) => {
    const whole = await pack([good]);
    for (const bytes of [randomBytes(600), whole.slice(0, whole.length / 2), new Uint8Array()]) {
      await assert.rejects(unpack(bytes), refusal("INVALID_PACKAGE"));
    }
    await assert.rejects(unpack(await pack([good], { end: false })), refusal("INVALID_PACKAGE"));
  }));

Deno.test("unpackPackage stops at a small file that unpacks to a huge one", () =>
  inFolder(async (_, unpack) => {
    const bomb = await pack([{ path: "x", bytes: new Uint8Array(20_000_000) }]);
    assert.ok(bomb.length < 50_000);
    await assert.rejects(unpack(bomb), refusal("INVALID_PACKAGE", /larger/));
  }));

Deno.test("unpackPackage ends when it is cancelled", () =>
  inFolder(async (_, unpack) => {
    const reason = new Error("enough");
    await assert.rejects(unpack(await pack([good]), AbortSignal.abort(reason)), reason);
  }));

Deno.test("unpackPackage keeps what is named, with its digest, and nothing else", () =>
  inFolder(async (folder, unpack) => {
    const files = await unpack(
      await pack([
        { path: "package.json", bytes: new TextEncoder().encode("{}") },
        { path: "package.json.js", bytes: randomBytes(3) },
        { path: "bins/", flag: "5" },
        { path: "bins/empty" },
        good,
      ]),
    );
    assert.deepEqual(files.map(({ path, size }) => [path, size]), [
      ["package.json", 2],
      ["bins/empty", 0],
      ["bins/a.so", 1500],
    ]);
    const emptyObject = "44136fa355b3678a1146ad16f7e8649e94fb4fc21fe77e8310c060f61caaff8a";
    assert.equal(files[0]!.digest, `sha256:${emptyObject}`);
    assert.deepEqual(await Deno.readFile(join(folder, "to/bins/a.so")), good.bytes);
    const names = [...Deno.readDirSync(join(folder, "to"))].map(({ name }) => name).sort();
    assert.deepEqual(names, ["bins", "package.json"]);
  }));

const limits: UnpackLimits = { entries: 8, fileBytes: 4000, totalBytes: 4096 };

async function inFolder(
  test: (
    folder: string,
    unpack: (bytes: Uint8Array, signal?: AbortSignal) => ReturnType<typeof unpackPackage>,
  ) => Promise<void>,
): Promise<void> {
  const folder = await Deno.makeTempDir({ prefix: "bkg-unpack-" });
  try {
    await test(folder, async (bytes, signal = new AbortController().signal) => {
      await Deno.writeFile(join(folder, "a.tgz"), bytes);
      await Deno.remove(join(folder, "to"), { recursive: true }).catch(() => {});
      return await unpackPackage(join(folder, "a.tgz"), {
        ...{ folder: join(folder, "to"), keep: ["package.json", "bins", "bins/"], signal, limits },
      });
    });
  } finally {
    await Deno.remove(folder, { recursive: true });
  }
}
