// The engines on the disk: damage of every kind is seen before a cell is given them, and what a kill leaves goes.

import assert from "node:assert/strict";
import { join } from "node:path";
import { createPullNetwork } from "../../models/pull/network.ts";
import { type RegistryScene, startRegistry } from "../testing/package_registry.ts";
import { type EngineStore, openEngineStore } from "./engine_store.ts";
import { fetchPackage } from "./fetch_package.ts";
import type { EnginePin } from "./pins.ts";

interface Scene {
  registry: RegistryScene;
  dataDir: string;
  /** Where cpu's llama lies. */
  llama: string;
  errors: string[];
  /** As a new start of the server. */
  open(pins?: readonly EnginePin[]): Promise<EngineStore>;
  /** Fetches all packages of an engine, and turns it on. */
  add(store: EngineStore, id: "cpu" | "vulkan"): Promise<void>;
  /** What is in the folder of engines. */
  names(): string[];
}

function withScene(test: (scene: Scene) => Promise<void>): () => Promise<void> {
  return async () => {
    await using registry = await startRegistry();
    const dataDir = await Deno.makeTempDir({ prefix: "bkg-engines-" });
    const from = await Deno.makeTempDir({ prefix: "bkg-packed-" });
    await registry.writeTo(from);
    const errors: string[] = [];
    const engines = join(dataDir, "engines");
    try {
      await test({
        ...{ registry, dataDir, errors, llama: join(engines, "llama-cpu") },
        open: (pins = registry.pins) =>
          openEngineStore({ dataDir, pins, log: { error: (text) => errors.push(text) } }),
        async add(store, id) {
          for (const pin of store.packages(id)) {
            const fetched = await fetchPackage(pin, {
              network: createPullNetwork({
                ...{ offline: true, endpoint: "https://hub.example", allowedPrivateHosts: [] },
              }),
              ...{ registry: undefined, from, work: await store.openWork("job") },
              freeBytes: () => Promise.resolve(1e12),
              signal: new AbortController().signal,
              tell: () => {},
            });
            await store.adopt(pin, fetched);
          }
          await store.turnOn(id);
        },
        names: () => [...Deno.readDirSync(engines)].map(({ name }) => name).sort(),
      });
    } finally {
      await Deno.remove(dataDir, { recursive: true });
      await Deno.remove(from, { recursive: true });
    }
  };
}

const damages: readonly [what: string, damage: (llama: string) => Promise<void>, why: RegExp][] = [
  ["a file is missing", (llama) => Deno.remove(join(llama, "bins/cpu/lib/base.so")), /is missing/],
  ["the folder is missing", (llama) => Deno.remove(llama, { recursive: true }), /is missing/],
  [
    "the folder is a file",
    async (llama) => {
      await Deno.remove(llama, { recursive: true });
      await Deno.writeTextFile(llama, "");
    },
    /cannot be read/,
  ],
  [
    "a folder leads to itself",
    async (llama) => {
      await Deno.remove(llama, { recursive: true });
      await Deno.symlink(llama, llama);
    },
    /cannot be read/,
  ],
  // Engines load each library that lies beside their own.
  [
    "a file was added",
    (llama) => Deno.writeTextFile(join(llama, "bins/cpu/lib/more.so"), ""),
    /"bins\/cpu\/lib\/more\.so" does not belong/,
  ],
  [
    "a file is longer",
    (llama) => Deno.writeTextFile(join(llama, "package.json"), " ", { append: true }),
    /another size/,
  ],
  [
    "a file became a link",
    async (llama) => {
      const path = join(llama, "bins/cpu/llama.node");
      await Deno.rename(path, join(llama, "../moved"));
      await Deno.symlink(join(llama, "../moved"), path);
    },
    /another size/,
  ],
];

for (const [what, damage, why] of damages) {
  Deno.test(
    `openEngineStore gives no cell an engine of which ${what}, at once and after a start`,
    withScene(async ({ open, add, llama, registry }) => {
      const store = await open();
      await add(store, "cpu");
      assert.equal((await store.installed()).length, 2);
      await damage(llama);
      const pin = registry.pin("llama", "cpu");
      for (const seen of [store, await open()]) {
        assert.match(await seen.problem(pin) ?? "", why);
        assert.deepEqual((await seen.installed()).map(({ engine }) => engine), ["onnxruntime"]);
      }
      // Added again it is whole.
      await add(store, "cpu");
      assert.equal((await store.installed()).length, 2);
    }),
  );
}

Deno.test(
  "openEngineStore reads every byte once in a run, and gives no cell what was changed",
  withScene(async ({ open, add, llama, registry, errors }) => {
    await add(await open(), "cpu");
    const path = join(llama, "bins/cpu/llama.node");
    const bytes = await Deno.readFile(path);
    bytes[0]! ^= 1;
    await Deno.writeFile(path, bytes);
    const store = await open();
    assert.equal(await store.problem(registry.pin("llama", "cpu")), undefined);
    assert.deepEqual((await store.installed()).map(({ engine }) => engine), ["onnxruntime"]);
    assert.match(await store.problem(registry.pin("llama", "cpu")) ?? "", /was changed/);
    assert.equal(errors.length, 1);
    await store.installed();
    assert.equal(errors.length, 1);
  }),
);

Deno.test(
  "openEngineStore does not use a package that this bkg does not know any more",
  withScene(async ({ open, add, registry }) => {
    await add(await open(), "cpu");
    const newer = registry.pins.map((pin) => ({
      ...pin,
      ...{ version: "2.0.0", integrity: "sha512-other" },
    }));
    const store = await open(newer);
    assert.match(await store.problem(newer[0]!) ?? "", /version 1\.2\.3 is here, .* needs 2\.0\.0/);
    assert.deepEqual(await store.installed(), []);
  }),
);

Deno.test(
  "openEngineStore: nothing is on where its file cannot be read",
  withScene(async ({ open, add, dataDir, errors }) => {
    await add(await open(), "cpu");
    assert.equal(errors.length, 0);
    await Deno.writeTextFile(join(dataDir, "engines/engines.json"), '{"on":["cpu"],');
    const store = await open();
    assert.equal(errors.length, 1);
    assert.equal(store.isOn("cpu"), false);
    assert.deepEqual(await store.installed(), []);
  }),
);

Deno.test(
  "openEngineStore: the most capable that is on and whole is what cells get",
  withScene(async ({ open, add, registry, dataDir, names }) => {
    const store = await open();
    const llamaOf = async () =>
      (await store.installed()).find(({ engine }) => engine === "llama")?.variant;
    await add(store, "cpu");
    assert.equal(await llamaOf(), "cpu");
    await add(store, "vulkan");
    assert.equal(await llamaOf(), "vulkan");
    assert.deepEqual(
      (await store.installed()).find(({ engine }) => engine === "onnxruntime"),
      {
        ...{ engine: "onnxruntime", variant: "cpu", version: "1.2.3" },
        folder: join(dataDir, "engines/onnxruntime-cpu"),
      },
    );
    // What two have in common stays until neither needs it.
    await store.turnOff("cpu");
    await store.removeUnused();
    assert.equal(await store.problem(registry.pin("onnxruntime", "cpu")), undefined);
    const partial = "partial";
    assert.deepEqual(names(), ["engines.json", "llama-vulkan", "onnxruntime-cpu", partial]);
    await store.turnOff("vulkan");
    await store.removeUnused();
    assert.deepEqual(names(), ["engines.json", partial]);
  }),
);

Deno.test(
  "openEngineStore: a kill at any moment leaves nothing that a cell is given",
  withScene(async ({ open, add, dataDir, registry, names }) => {
    const engines = join(dataDir, "engines");
    const store = await open();
    await add(store, "cpu");
    const saved = await Deno.readTextFile(join(engines, "engines.json"));
    // Between the move and its entry.
    await store.turnOff("cpu");
    await store.removeUnused();
    await add(await open(), "cpu");
    await Deno.writeTextFile(join(engines, "engines.json"), '{"on":[],"packages":{}}');
    // Amid a download, and amid the writing of the file.
    await Deno.mkdir(join(engines, "partial/gone/llama-cpu"), { recursive: true });
    await Deno.mkdir(join(engines, "partial/goes-on"));
    await Deno.writeTextFile(join(engines, "engines.json.partial"), saved.slice(0, 20));
    const after = await open();
    assert.deepEqual(await after.installed(), []);
    assert.match(await after.problem(registry.pin("llama", "cpu")) ?? "", /not here/);
    await after.sweep(new Map([["goes-on", "cpu"]]));
    assert.deepEqual([...Deno.readDirSync(join(engines, "partial"))].map(({ name }) => name), [
      "goes-on",
    ]);
    await add(after, "cpu");
    assert.equal((await after.installed()).length, 2);
    assert.ok(names().includes("llama-cpu"));
  }),
);

Deno.test(
  "openEngineStore: removing one engine leaves another, that is being added, its packages",
  withScene(async ({ open, add, registry }) => {
    const store = await open();
    await add(store, "cpu");
    {
      using _held = store.hold("vulkan");
      await store.turnOff("cpu");
      await store.removeUnused();
      assert.equal(await store.problem(registry.pin("onnxruntime", "cpu")), undefined);
      assert.match(await store.problem(registry.pin("llama", "cpu")) ?? "", /not here/);
    }
    await store.removeUnused();
    assert.match(await store.problem(registry.pin("onnxruntime", "cpu")) ?? "", /not here/);
  }),
);

Deno.test("openEngineStore: a switch is kept, and changes at once do not lose each other", async () => {
  const dataDir = await Deno.makeTempDir({ prefix: "bkg-engines-" });
  try {
    const options = { dataDir, pins: [], log: { error: () => {} } };
    const store = await openEngineStore(options);
    assert.equal(store.isOn("webgpu"), false);
    await Promise.all([store.turnOn("webgpu"), store.turnOn("cpu"), store.turnOff("cpu")]);
    const again = await openEngineStore(options);
    assert.deepEqual([again.isOn("webgpu"), again.isOn("cpu")], [true, false]);
    // A disk that takes nothing changes nothing.
    await Deno.remove(join(dataDir, "engines"), { recursive: true });
    await Deno.writeTextFile(join(dataDir, "engines"), "");
    await assert.rejects(store.turnOff("webgpu"));
    assert.equal(store.isOn("webgpu"), true);
  } finally {
    await Deno.remove(dataDir, { recursive: true });
  }
});
