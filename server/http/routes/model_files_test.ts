import assert from "node:assert/strict";
import { createHash } from "node:crypto";
import { join } from "node:path";
import { openModelLibrary } from "../../../models/store/library.ts";
import { projectRoot } from "../../build/bundles.ts";
import { serveHttp } from "../../serve.ts";
import { createModelFiles } from "../../services/model_files.ts";
import { ask, createTestApp, type TestApp, token, until } from "../../testing/test_app.ts";

const key = { authorization: `Bearer ${token}` };
const demo = join(projectRoot, "models/demo/demo-stories-q8_0.gguf");
const bytes = await Deno.readFile(demo);
const digest = `sha256:${createHash("sha256").update(bytes).digest("hex")}`;

Deno.test("model files: a name that is none of the model's own is not found, whatever its path", async () => {
  await withModels(async ({ get, folder }) => {
    await Deno.writeTextFile(join(folder, "secret.txt"), "secret");
    await Deno.copyFile(demo, join(folder, "other.gguf"));
    for (
      const name of [
        "secret.txt",
        "other.gguf",
        "M.gguf",
        "m",
        "..%2Fsecret.txt",
        "..%2fmodels%2fm.gguf",
        ".%2Fm.gguf",
        "%2e%2e%2fsecret.txt",
        "..%5Csecret.txt",
        "%2Fetc%2Fpasswd",
        "m.gguf%00",
        "m.gguf%2F",
        "%ff",
        "%",
        "constructor",
        "x".repeat(5000),
      ]
    ) {
      const response = await get(`/api/models/m/files/${name}`);
      assert.equal(response.status, 404, name);
      assert.doesNotMatch(await response.text(), /secret\b(?!\.)|root:|\/tmp/);
    }
    for (
      const path of ["/api/models/none", "/api/models/none/files/m.gguf", "/api/models/..%2fm"]
    ) {
      assert.equal((await get(path)).status, 404, path);
    }
    assert.equal((await get("/api/models/m/files/m.gguf", { authorization: "" })).status, 401);
  });
});

Deno.test("model files: GET /api/models/:id tells digests and no path", async () => {
  await withModels(async ({ get, folder }) => {
    const answers = await Promise.all([get("/api/models/m"), get("/api/models/m")]);
    for (const response of answers) {
      const text = await response.text();
      assert.doesNotMatch(text, new RegExp(folder));
      const model = JSON.parse(text);
      assert.equal(model.id, "m");
      assert.deepEqual(model.files, [{ name: "m.gguf", size: bytes.length, digest }]);
    }
  });
});

Deno.test("model files: a range that cannot be is 416, one that is none is the whole", async () => {
  await withModels(async ({ get }) => {
    const file = "/api/models/m/files/m.gguf";
    for (const range of [`bytes=${bytes.length}-`, "bytes=-0", `bytes=${"9".repeat(30)}-`]) {
      const response = await get(file, { range });
      assert.equal(response.status, 416, range);
      assert.equal(response.headers.get("content-range"), `bytes */${bytes.length}`);
    }
    for (
      const headers of [
        {},
        { range: "bytes=5-2" },
        { range: "bytes=0-1,4-5" },
        { range: "lines=0-1" },
        { range: "bytes=0-1", "if-range": '"other"' },
        { range: "bytes=0-1", "if-range": `W/"${digest}"` },
      ]
    ) {
      const response = await get(file, headers);
      assert.equal(response.status, 200, JSON.stringify(headers));
      assert.equal(response.headers.get("content-range"), null);
      assert.equal(response.headers.get("content-length"), String(bytes.length));
      assert.deepEqual(await response.bytes(), bytes);
    }
  });
});

Deno.test("model files: ranges, HEAD and If-None-Match over a socket", async () => {
  await withModels(async ({ app }) => {
    const server = serveHttp(app, { host: "127.0.0.1", port: 0 });
    const url = `${server.url}/api/models/m/files/m.gguf`;
    const size = bytes.length;
    for (
      const [range, start, end] of [
        ["bytes=0-0", 0, 1],
        ["bytes=-5", size - 5, size],
        [`bytes=-${size * 2}`, 0, size],
        [`bytes=${size - 1}-`, size - 1, size],
        ["bytes=600000-1300000", 600_000, 1_300_001],
        [`bytes=1-${size * 9}`, 1, size],
      ] as const
    ) {
      const response = await fetch(url, { headers: { ...key, range, "if-range": `"${digest}"` } });
      assert.equal(response.status, 206, range);
      assert.equal(response.headers.get("content-range"), `bytes ${start}-${end - 1}/${size}`);
      assert.equal(response.headers.get("content-length"), String(end - start));
      assert.equal(response.headers.get("content-type"), "application/octet-stream");
      assert.equal(response.headers.get("etag"), `"${digest}"`);
      assert.deepEqual(await response.bytes(), bytes.subarray(start, end));
    }
    const head = await fetch(url, { method: "HEAD", headers: { ...key, range: "bytes=0-0" } });
    assert.equal(head.status, 200);
    assert.equal(head.headers.get("content-length"), String(size));
    assert.equal(head.headers.get("accept-ranges"), "bytes");
    const known = { ...key, "if-none-match": `"x", W/"${digest}"`, range: "bytes=0-0" };
    assert.equal((await fetch(url, { headers: known })).status, 304);
    await server.shutdown();
  });
});

Deno.test("model files: a file that changes while it is read breaks off, and is served anew", async () => {
  await withModels(async ({ get, path }) => {
    const file = "/api/models/m/files/m.gguf";
    const reader = (await get(file)).body!.getReader();
    assert.equal((await reader.read()).done, false);
    const other = bytes.slice();
    other[other.length - 1]! ^= 1;
    await Deno.writeFile(path, other);
    await assert.rejects(
      async () => {
        while (!(await reader.read()).done);
      },
      { code: "UNAVAILABLE", message: /"m\.gguf" changed while it was read/ },
    );
    const again = await get(file);
    assert.equal(again.status, 200);
    const changed = `sha256:${createHash("sha256").update(other).digest("hex")}`;
    assert.equal(again.headers.get("etag"), `"${changed}"`);
    assert.deepEqual(await again.bytes(), other);
    // What was begun with the old bytes is not continued with the new ones.
    const stale = await get(file, { range: "bytes=5-", "if-range": `"${digest}"` });
    assert.equal(stale.status, 200);
    await stale.body!.cancel();
  });
});

Deno.test({
  name: "model files: a client that leaves and a server that stops close the file",
  ignore: Deno.build.os !== "linux",
  fn: () =>
    withModels(async ({ app, get }) => {
      const isOpen = () => openFiles().includes("m.gguf");
      const leaving = await get("/api/models/m/files/m.gguf");
      assert.equal(isOpen(), true);
      await leaving.body!.cancel();
      assert.equal(isOpen(), false);
      const cut = await get("/api/models/m/files/m.gguf");
      app.cut();
      await assert.rejects(cut.bytes(), { code: "UNAVAILABLE" });
      assert.equal(isOpen(), false);
      const server = serveHttp(app, { host: "127.0.0.1", port: 0 });
      const socket = await Deno.connect({ port: server.port });
      await socket.write(new TextEncoder().encode(
        `GET /api/models/m/files/m.gguf HTTP/1.1\r\nhost: localhost\r\nauthorization: ${key.authorization}\r\n\r\n`,
      ));
      await socket.read(new Uint8Array(100));
      socket.close();
      await until(() => !isOpen());
      await server.shutdown();
    }),
});

Deno.test("model files: a link that took the file's place is not followed", async () => {
  await withModels(async ({ get, path, folder }) => {
    assert.equal((await get("/api/models/m")).status, 200);
    await Deno.rename(path, join(folder, "moved.bin"));
    await Deno.symlink(join(folder, "moved.bin"), path);
    assert.equal((await get("/api/models/m")).status, 404);
    assert.equal((await get("/api/models/m/files/m.gguf")).status, 404);
  });
});

interface World extends TestApp {
  /** The folder of models, and the path of the one in it. */
  folder: string;
  path: string;
  get(path: string, headers?: Record<string, string>): Promise<Response>;
}

async function withModels(run: (world: World) => Promise<void>): Promise<void> {
  const whole = await Deno.realPath(await Deno.makeTempDir());
  const folder = join(whole, "files");
  const path = join(folder, "m.gguf");
  await Deno.mkdir(folder);
  await Deno.copyFile(demo, path);
  const library = await openModelLibrary({
    folder: join(whole, "store"),
    modelPaths: [folder],
    caches: [],
    demoFolder: join(whole, "none"),
    digestCache: join(whole, "cache", "digests.json"),
  });
  const modelFiles = createModelFiles({ library });
  const test = createTestApp({}, { models: library, modelFiles });
  const get = (path: string, headers: Record<string, string> = {}) =>
    test.app.fetch(ask(path, { headers: { ...key, ...headers } }));
  try {
    await run({ ...test, folder, path, get });
  } finally {
    test.app.close();
    await Deno.remove(whole, { recursive: true });
  }
}

/** Names of the files that this process holds open; Linux tells. */
function openFiles(): string {
  return [...Deno.readDirSync("/proc/self/fd")].map(({ name }) => {
    try {
      return Deno.readLinkSync(`/proc/self/fd/${name}`);
    } catch {
      return "";
    }
  }).join("\n");
}
