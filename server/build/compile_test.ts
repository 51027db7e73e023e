// The packing of the binary, as far as it can be shown without Deno's own base for binaries: Deno itself stands
// in for it (DENORT_BIN). What was packed is read out of the result, and the server runs from just these files.

import assert from "node:assert/strict";
import { dirname, join } from "node:path";
import { runServerFrom } from "../testing/server_process.ts";
import { createChannel } from "../../plugins/runtime/channel/peer_channel.ts";
import { contractVersion } from "../../plugins/runtime/contract/message.ts";
import { createCellWatch } from "../cells/watch.ts";
import { createSpawnCell } from "../cells/spawn.ts";
import { projectRoot } from "./bundles.ts";
import { compile, permissions } from "./compile.ts";

interface Packed {
  metadata: {
    permissions: Record<string, unknown>;
    unstable_config: { features: string[] };
    entrypoint_key: string;
    app_name: string;
    env_vars_from_env_file: object;
  };
  /** Paths below the program's root, with their bytes. */
  files: Map<string, number>;
}

/** deno compile writes its metadata as JSON, then a length, then the tree of embedded files as JSON. */
function readPacked(binary: Uint8Array): Packed {
  const text = new TextDecoder("latin1").decode(binary);
  const start = text.lastIndexOf('{"argv":', text.lastIndexOf('"entrypoint_key":'));
  const metadata = readJson(text, start) as Packed["metadata"];
  const tree = readJson(text, text.indexOf("[{", start)) as Entry[];
  const files = new Map<string, number>();
  const visit = (entries: Entry[], folder: string) => {
    for (const { Dir, File } of entries) {
      if (Dir !== undefined) visit(Dir.e, `${folder}${Dir.n}/`);
      if (File !== undefined) files.set(folder + File.n, File.o[1]);
    }
  };
  visit(tree, "");
  return { metadata, files };
}

interface Entry {
  Dir?: { n: string; e: Entry[] };
  File?: { n: string; o: [offset: number, length: number] };
}

/** The JSON value that begins at `start`. */
function readJson(text: string, start: number): unknown {
  let depth = 0;
  let quoted = false;
  for (let at = start; at < text.length; at++) {
    const char = text[at];
    if (quoted) {
      if (char === "\\") at++;
      else if (char === '"') quoted = false;
    } else if (char === '"') quoted = true;
    else if (char === "{" || char === "[") depth++;
    else if ((char === "}" || char === "]") && --depth === 0) {
      return JSON.parse(text.slice(start, at + 1));
    }
  }
  throw new Error("no JSON value ends here");
}

Deno.test("compile packs what a server needs, and nothing else", async (t) => {
  await using folder = await makeFolder();
  const output = join(folder.path, "bkg");
  await compile({ output, base: Deno.execPath() });
  const { metadata, files } = readPacked(await Deno.readFile(output));

  await t.step("without a prompt, and with what reading /proc takes", () => {
    const { permissions } = metadata;
    assert.equal(permissions["prompt"], false);
    const denied = Object.entries(permissions)
      .filter(([name, value]) => name.startsWith("deny_") && value !== null);
    assert.deepEqual(denied, []);
    for (const name of ["env", "ffi", "net", "read", "run", "sys", "write"]) {
      assert.deepEqual(permissions[`allow_${name}`], [], name);
    }
    assert.deepEqual(metadata.unstable_config.features.sort(), [
      "no-legacy-abort",
      "worker-options",
    ]);
    assert.equal(metadata.entrypoint_key, "dist/program/main.js");
    assert.equal(metadata.app_name, "bkg");
    assert.deepEqual(metadata.env_vars_from_env_file, {});
  });

  await t.step("bundles, page, engines, demo model; no sources, tests or packages", () => {
    const wanted = [
      "dist/boot.js",
      "dist/database/main.js",
      "dist/database/pglite.wasm",
      "dist/database/template.gz",
      "dist/database/worker.js",
      "dist/engines/wllama.js",
      "dist/engines/wllama.wasm",
      "dist/page/index.html",
      "dist/page/files.json",
      "dist/plugins/apikeys.js",
      "dist/hash_worker.js",
      "dist/onnxruntime_worker.js",
      "dist/password_worker.js",
      "dist/plugins/llmserver.js",
      "dist/prelude.js",
      "dist/program/main.js",
      "models/demo/demo-stories-q8_0.gguf",
      "plugins/apikeys/plugin.json",
      "plugins/llmserver/plugin.json",
      "server/db/migrations/0001_first.sql",
      "server/db/migrations/0002_jobs.sql",
      "server/db/migrations/0003_trusted_models.sql",
    ];
    assert.deepEqual(wanted.filter((path) => !files.has(path)), []);
    const odd = [...files.keys()].filter((path) =>
      !/^(?:dist\/|models\/demo\/[\w-]+\.gguf$|plugins\/[a-z]+\/plugin\.json$|server\/db\/migrations\/\w+\.sql$)/
        .test(path) ||
      /\.ts$|_test|node_modules|\.partial/.test(path)
    );
    assert.deepEqual(odd, []);
  });

  const copy = join(folder.path, "copy");
  for (const path of files.keys()) {
    await Deno.mkdir(dirname(join(copy, path)), { recursive: true });
    await Deno.copyFile(join(projectRoot, path), join(copy, path));
  }
  const offline = ["--cached-only", "--no-remote", "--no-npm", "--no-config", "--no-lock"];
  const unstable = ["--unstable-worker-options", "--unstable-no-legacy-abort"];
  const self = ["run", ...offline, ...unstable, ...permissions, join(copy, "dist/program/main.js")];

  await t.step("and a server runs from only these files, offline", async () => {
    await using server = await runServerFrom(self, {
      cwd: copy,
      // The first password is computed before the server is ready, in a Worker that was packed.
      env: { DENO_DIR: join(folder.path, "deno"), BKG_ADMIN_PASSWORD: "a horse with a battery" },
    });
    const page = await fetch(server.url);
    assert.equal(page.status, 200);
    assert.match(await page.text(), /<bkg-app>/);
    const response = await server.fetch("/api/capabilities/llm.complete", {
      method: "POST",
      headers: { "content-type": "application/json" },
      body: JSON.stringify({
        model: "demo-stories-q8_0",
        prompt: "Once upon a time",
        maxTokens: 8,
        temperature: 0,
      }),
    });
    const { text } = await response.json() as { text: string };
    assert.equal(response.status, 200);
    assert(text.length > 10, text);
    if (Deno.build.os !== "linux") return;
    const telemetry = await server.fetch("/api/plugins/llmserver/telemetry");
    const { usage } = await telemetry.json() as { usage?: { rssBytes: number } };
    assert(usage !== undefined && usage.rssBytes > 2 ** 20, JSON.stringify(usage));
  });

  await t.step("and its command `cell` is a cell", async () => {
    await using watch = createCellWatch();
    const spawn = createSpawnCell({ bundles: join(copy, "dist"), modelFolders: [], watch, self });
    const lines: string[] = [];
    const cell = await spawn({
      pluginId: "packed",
      code: `console.log("from the packed cell"); export default { capabilities: {} };`,
      limits: {
        memoryMb: 512,
        cpuPercent: 100,
        timeoutMs: 10_000,
        concurrency: 1,
        queue: 1,
        idleTimeoutMs: 0,
      },
      engines: ["wllama"],
      readsModels: false,
      output: (_stream, line) => lines.push(line),
    }, { signal: AbortSignal.timeout(20_000) });
    await cell.ping(5000);
    const channel = createChannel(cell.port);
    const answer = await channel.call("init", {
      contract: contractVersion,
      pluginId: "packed",
      settings: {},
      capabilities: [],
      metrics: [],
    });
    assert.deepEqual(answer, { contract: contractVersion, capabilities: [] });
    await cell[Symbol.asyncDispose]();
    channel.close();
    assert.deepEqual(lines, ["from the packed cell"]);
  });
});

async function makeFolder(): Promise<{ path: string } & AsyncDisposable> {
  const path = await Deno.makeTempDir({ prefix: "bkg-compile-" });
  return { path, [Symbol.asyncDispose]: () => Deno.remove(path, { recursive: true }) };
}
