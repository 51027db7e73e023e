import assert from "node:assert/strict";
import { createHash } from "node:crypto";
import { join } from "node:path";
import type { AppError } from "../../plugins/runtime/contract/error.ts";
import type { HubFault } from "../../server/testing/hub_server_faults.ts";
import {
  fileName,
  makeModel,
  refusal,
  repo,
  startScene,
} from "../../server/testing/pull_fixture.ts";

const mebibyte = 1024 ** 2;

Deno.test("downloadFiles: a wrong digest throws the file away, and names both", async () => {
  await using scene = await startScene();
  scene.hub.setFault({ kind: "corrupt" });
  await assert.rejects(scene.pull(), (error) => {
    refusal("INVALID_MODEL", /not what it should be/)(error);
    assert.ok((error as AppError).message.includes(scene.hub.digest(repo, fileName)));
    assert.equal((error as AppError).message.match(/sha256:[0-9a-f]{64}/g)?.length, 2);
    return true;
  });
  assert.deepEqual(scene.names(), []);
  // Once more, not again and again.
  assert.ok(sentBytes(scene) <= 2 * scene.model.length + 100);
  assertNeverBack(scene);
});

Deno.test("downloadFiles: a digest that was wrong once is fetched again", async () => {
  await using scene = await startScene();
  scene.hub.setFault({ kind: "corrupt", times: 8 });
  await assertWhole(scene, await scene.pull());
  assertNeverBack(scene);
});

const borne: Record<string, HubFault[]> = {
  "short bodies": [{ kind: "short", bytes: 100_000, times: 2 }],
  "a server without ranges": [{ kind: "noRanges" }],
  "a server without ranges and lengths": [{ kind: "noRanges", length: false }],
  "a server without ranges that breaks off": [
    { kind: "noRanges" },
    { kind: "short", bytes: 700_000, times: 2 },
  ],
  "silence": [{ kind: "stall", bytes: 50_000, times: 1 }],
  "refusals where the bytes are": [{ kind: "status", status: 502, at: "cdn", times: 2 }],
  "an overloaded hub": [{ kind: "status", status: 500, times: 2 }],
  "links that expire": [{ kind: "expired", uses: 2 }],
  "ranges that lie once": [{
    ...{ kind: "headers", times: 1 },
    headers: { "content-range": "bytes 5-9/10" },
  }],
  "a server without a name for the version": [{ kind: "headers", headers: { etag: "" } }],
  "bodies that are longer than their range": [{ kind: "endless" }],
};
for (const [what, faults] of Object.entries(borne)) {
  Deno.test(`downloadFiles: bears ${what}`, async () => {
    await using scene = await startScene();
    for (const fault of faults) scene.hub.setFault(fault);
    await assertWhole(scene, await scene.pull());
    assertNeverBack(scene);
  });
}

const given: Record<string, { faults: HubFault[]; code: string; message: RegExp }> = {
  "bodies that are always short": {
    faults: [{ kind: "short", bytes: 1000 }],
    ...{ code: "UNAVAILABLE", message: /lost/ },
  },
  "a whole that never ends": {
    faults: [{ kind: "noRanges" }, { kind: "endless" }],
    ...{ code: "UNAVAILABLE", message: /more than it said/ },
  },
  "bodies that drip": {
    faults: [{ kind: "drip", bytes: 1 }],
    ...{ code: "TIMEOUT", message: /hardly anything/ },
  },
  "lengths that lie": {
    faults: [{ kind: "headers", headers: { "content-length": "17" } }],
    ...{ code: "UNAVAILABLE", message: /other bytes|lost/ },
  },
  "ranges that start elsewhere": {
    faults: [{ kind: "headers", headers: { "content-range": "bytes 1-262144/2097248" } }],
    ...{ code: "UNAVAILABLE", message: /other bytes/ },
  },
  "ranges that are none": {
    faults: [{ kind: "headers", headers: { "content-range": "lines 1-2/3" } }],
    ...{ code: "UNAVAILABLE", message: /other bytes/ },
  },
  "ranges of a file of another size": {
    faults: [{ kind: "headers", headers: { "content-range": "bytes 0-262143/99999999" } }],
    ...{ code: "UNAVAILABLE", message: /other bytes/ },
  },
  "a compressed bomb": {
    faults: [{ kind: "gzip" }],
    ...{ code: "UNAVAILABLE", message: /compresses/ },
  },
  "a list whose sizes lie": {
    faults: [{
      kind: "json",
      body: JSON.stringify([{ type: "file", path: "a.gguf", size: -1 }]),
      after: 1,
    }],
    ...{ code: "UNAVAILABLE", message: /no list of files/ },
  },
  "a file that keeps changing": {
    faults: [1, 3, 5, 7, 9, 11, 13, 15].map((after) => ({ kind: "changed", after, times: 1 })),
    ...{ code: "UNAVAILABLE", message: /changed at its source/ },
  },
};
for (const [what, { faults, code, message }] of Object.entries(given)) {
  Deno.test(`downloadFiles: gives up ${what}, in bounded time and bytes`, async () => {
    await using scene = await startScene();
    for (const fault of faults) scene.hub.setFault(fault);
    const startMs = performance.now();
    await assert.rejects(scene.pull({ limits: { connections: 2 } }), refusal(code, message));
    assert.ok(performance.now() - startMs < 5000);
    assert.ok(scene.hub.requests.length < 60, `${scene.hub.requests.length} requests`);
    assertNeverBack(scene);
  });
}

Deno.test("downloadFiles: no bytes of two versions mix when a file changes between ranges", async () => {
  await using scene = await startScene();
  scene.hub.setFault({ kind: "changed", after: 4 });
  // A link without a digest: what is there now is taken, whole.
  const url = `${scene.hub.cdnUrl}/${repo}/${fileName}`;
  const [file] = await scene.pull({ source: url, limits: { connections: 2 } });
  const changed = scene.model.slice();
  changed[changed.length - 1]! ^= 255;
  assert.equal(file?.digest, sha256(changed));
  assert.equal(sha256(await Deno.readFile(file?.path ?? "")), file?.digest);
  assertNeverBack(scene);
});

Deno.test("downloadFiles: waits as long as Retry-After says, and tells so", async () => {
  await using scene = await startScene();
  const faults: HubFault[] = [
    { kind: "status", status: 429, headers: { "retry-after": "1" }, at: "cdn", times: 1 },
    { kind: "status", status: 503, headers: { "retry-after": "1" }, at: "cdn", times: 1 },
  ];
  for (const fault of faults) scene.hub.setFault(fault);
  const startMs = performance.now();
  await assertWhole(scene, await scene.pull({ limits: { connections: 1, maxRetryAfterMs: 5000 } }));
  assert.ok(performance.now() - startMs >= 2000);
  const steps = new Set(scene.progress.map(({ step }) => step));
  assert.ok(
    [...steps].some((step) => /^Waiting 2 s: .*fewer requests/.test(step)),
    [...steps].join(),
  );
});

Deno.test("downloadFiles: a disk without space is told before a byte is asked for", async () => {
  await using scene = await startScene();
  await assert.rejects(scene.pull({ freeBytes: 1000 }), (error) => {
    refusal("OUT_OF_DISK")(error);
    assert.deepEqual((error as AppError).details, {
      ...{ neededBytes: scene.model.length, freeBytes: 1000 },
    });
    return true;
  });
  assert.equal(sentBytes(scene), 0);
});

Deno.test("downloadFiles: goes on where it was paused, and asks for nothing again", async () => {
  await using scene = await startScene(8 * mebibyte, { bytesPerSecond: 2 * mebibyte });
  for (let pauses = 0; pauses < 3; pauses++) {
    const stop = new AbortController();
    const before = scene.progress.at(-1)?.doneBytes ?? 0;
    const pausing = scene.pull({
      signal: stop.signal,
      told: ({ doneBytes }) => {
        if (doneBytes > before + mebibyte) stop.abort();
      },
    });
    await assert.rejects(pausing, refusal("CANCELLED"));
  }
  assert.ok((scene.progress.at(-1)?.doneBytes ?? 0) > 3 * mebibyte);
  await assertWhole(scene, await scene.pull());
  assertNeverBack(scene);
  // What was on its way when it was paused comes again: less than half a megabyte in each of four connections.
  assert.ok(sentBytes(scene) <= scene.model.length + 3 * 4 * mebibyte / 2, `${sentBytes(scene)}`);
});

Deno.test("downloadFiles: a journal that lies or is broken is not believed", async () => {
  await using scene = await startScene();
  const stop = new AbortController();
  await assert.rejects(
    scene.pull({
      signal: stop.signal,
      told: ({ doneBytes }) => doneBytes > 500_000 && stop.abort(),
    }),
    refusal("CANCELLED"),
  );
  const journal = scene.names().find((name) => name.endsWith(".json")) ?? "";
  const path = join(scene.folder, journal);
  const honest = JSON.parse(await Deno.readTextFile(path));
  const texts = [
    ...["", "{", "[]", "null", JSON.stringify({ ...honest, ranges: [[0, 1e15]] })],
    ...[
      JSON.stringify({ ...honest, ranges: [[-5, 10]] }),
      JSON.stringify({ ...honest, digest: "sha256:0" }),
    ],
    // The digest tells that these bytes never came.
    JSON.stringify({ ...honest, ranges: [[0, scene.model.length - 10]] }),
  ];
  for (const text of texts) {
    await Deno.writeTextFile(path, text);
    await assertWhole(scene, await scene.pull());
  }
});

Deno.test("downloadFiles: a hostile header is refused before the rest is fetched", async () => {
  await using scene = await startScene(16 * mebibyte, { bytesPerSecond: 16 * mebibyte });
  // Of the count of tensors.
  scene.hub.setFault({ kind: "corrupt", offset: 15 });
  await assert.rejects(
    scene.pull({ limits: { connections: 2 } }),
    refusal("INVALID_MODEL", /refused/),
  );
  assert.ok(sentBytes(scene) < 6 * mebibyte, `${sentBytes(scene)}`);
  assert.deepEqual(scene.names(), []);
});

Deno.test("downloadFiles: a small file is checked by the name that git gives it", async () => {
  const onnx = makeModel(100_000);
  const files = { [repo]: { "onnx/model.onnx": onnx, "config.json": new Uint8Array([123, 125]) } };
  await using scene = await startScene(1, { files });
  assert.deepEqual((await scene.pull()).map(({ name, size }) => [name, size]), [
    ["onnx/model.onnx", onnx.length],
    ["config.json", 2],
  ]);
  scene.hub.setFault({ kind: "corrupt", path: "config.json" });
  await Deno.remove(scene.folder, { recursive: true });
  await Deno.mkdir(scene.folder);
  await assert.rejects(scene.pull(), refusal("INVALID_MODEL", /"config\.json".*git id/));
});

Deno.test("downloadFiles: copies a local model, all its parts, and nothing that is no file", async () => {
  await using scene = await startScene();
  const folder = await Deno.makeTempDir();
  const names = ["m-00001-of-00002.gguf", "m-00002-of-00002.gguf"];
  for (const name of names) await Deno.writeFile(join(folder, name), makeModel(100_000));
  const files = await scene.pull({ source: join(folder, names[0]!) });
  assert.deepEqual(files.map(({ name }) => name), names);
  assert.deepEqual(
    await Deno.readFile(files[1]!.path),
    await Deno.readFile(join(folder, names[1]!)),
  );
  await Deno.mkdir(join(folder, "d.gguf"));
  await Deno.writeTextFile(join(folder, "t.gguf"), "not a model at all");
  const refused: [string, string][] = [
    ["d.gguf", "INVALID_INPUT"],
    ["none.gguf", "NOT_FOUND"],
    ["t.gguf", "INVALID_MODEL"],
    ["n-00001-of-00002.gguf", "NOT_FOUND"],
  ];
  for (const [name, code] of refused) {
    await assert.rejects(scene.pull({ source: join(folder, name) }), refusal(code), name);
  }
  await assert.rejects(scene.pull({ source: "./x.gguf" }), refusal("INVALID_INPUT", /absolute/));
  await Deno.remove(folder, { recursive: true });
});

type Scene = Awaited<ReturnType<typeof startScene>>;

async function assertWhole(
  scene: Scene,
  files: { path: string; size: number; digest: string }[],
): Promise<void> {
  assert.equal(files.length, 1);
  const [{ path, size, digest }] = files as [typeof files[0] & object];
  assert.equal(digest, scene.hub.digest(repo, fileName));
  assert.equal(size, scene.model.length);
  assert.equal(sha256(await Deno.readFile(path)), digest);
  assert.equal(scene.progress.at(-1)?.doneBytes, scene.model.length);
}

/** Progress, and what is left out of it: that it ends at all. */
function assertNeverBack(scene: Scene): void {
  let before = 0;
  for (const { doneBytes, totalBytes } of scene.progress) {
    assert.ok(doneBytes >= before, `${doneBytes} after ${before}`);
    assert.ok(doneBytes <= (totalBytes ?? Infinity));
    before = doneBytes;
  }
}

function sentBytes(scene: Scene): number {
  return scene.hub.requests.reduce(
    (sum, { at, sentBytes }) => sum + (at === "cdn" ? sentBytes : 0),
    0,
  );
}

function sha256(bytes: Uint8Array): string {
  return `sha256:${createHash("sha256").update(bytes).digest("hex")}`;
}
