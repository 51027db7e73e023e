// A package from a registry that lies, breaks off, or is not to be asked: nothing unknown is ever unpacked.

import assert from "node:assert/strict";
import { join } from "node:path";
import { createPullNetwork, type PullNetworkOptions } from "../../models/pull/network.ts";
import {
  integrityOf,
  pack,
  randomBytes,
  type RegistryScene,
  stalling,
  startRegistry,
} from "../testing/package_registry.ts";
import { refusal, testLimits } from "../testing/pull_fixture.ts";
import { fetchPackage, type FetchPackageOptions } from "./fetch_package.ts";
import type { EnginePin } from "./pins.ts";

interface Scene {
  registry: RegistryScene;
  pin: EnginePin;
  packed: Uint8Array<ArrayBuffer>;
  work: string;
  steps: string[];
  fetch(
    options?: Partial<FetchPackageOptions> & {
      pin?: Partial<EnginePin>;
      net?: Partial<PullNetworkOptions>;
    },
  ): ReturnType<typeof fetchPackage>;
}

function withScene(test: (scene: Scene) => Promise<void>, bytes?: number): () => Promise<void> {
  return async () => {
    await using registry = await startRegistry(bytes === undefined ? {} : { bytes });
    const work = await Deno.makeTempDir({ prefix: "bkg-fetch-" });
    const pin = registry.pin("llama", "cpu");
    const steps: string[] = [];
    try {
      await test({
        ...{ registry, pin, work, steps },
        packed: [...registry.files.values()][0]!,
        fetch: ({ pin: changed, net, ...options } = {}) =>
          fetchPackage({ ...pin, ...changed }, {
            network: createPullNetwork({
              ...{ offline: false, endpoint: "https://hub.example" },
              ...{ allowedPrivateHosts: ["127.0.0.1"], limits: testLimits, ...net },
            }),
            registry: registry.url,
            work,
            freeBytes: () => Promise.resolve(1e12),
            signal: new AbortController().signal,
            tell: ({ step }) => steps.at(-1) === step || steps.push(step),
            ...options,
          }),
      });
    } finally {
      await Deno.remove(work, { recursive: true });
    }
  };
}

function answerWith(registry: RegistryScene, bytes: Uint8Array<ArrayBuffer>, sized = true): void {
  registry.answer = () =>
    new Response(
      sized ? bytes : new Blob([bytes]).stream(),
      sized ? { headers: { "content-length": `${bytes.length}` } } : {},
    );
}

function unpacked(work: string): string[] {
  return [...Deno.readDirSync(work)].filter(({ isDirectory }) => isDirectory)
    .map(({ name }) => name);
}

Deno.test(
  "fetchPackage refuses other bytes of the same length before it looks into them",
  withScene(async ({ registry, packed, work, steps, fetch }) => {
    // A whole archive, so that only its checksum gives it away.
    const other = packed.slice();
    other[4]! ^= 1;
    answerWith(registry, other);
    await assert.rejects(fetch(), refusal("INVALID_PACKAGE", /SHA-512 differs/));
    assert.deepEqual(steps.includes("Unpacking"), false);
    assert.deepEqual([...Deno.readDirSync(work)].filter(({ name }) => name.endsWith(".part")), []);
    registry.answer = undefined;
    await fetch();
  }),
);

Deno.test(
  "fetchPackage refuses what is shorter or longer than it is known to be",
  withScene(async ({ registry, packed, work, fetch }) => {
    const longer = new Uint8Array([...packed, 0]);
    for (
      const [bytes, sized] of [
        [packed.slice(0, -1), true],
        [packed.slice(0, -1), false],
        [longer, true],
        [longer, false],
      ] as const
    ) {
      answerWith(registry, bytes, sized);
      await assert.rejects(fetch(), refusal("UNAVAILABLE"), `${bytes.length} ${sized}`);
      assert.deepEqual(unpacked(work), []);
    }
  }),
);

Deno.test(
  "fetchPackage refuses a known package that is hostile, and leaves nothing of it",
  withScene(async ({ registry, work, fetch }) => {
    const hostile = await pack([
      { path: "bins/cpu/a.so", bytes: randomBytes(10) },
      { path: "bins/cpu/b.so", flag: "2", linkName: "/etc/passwd" },
    ]);
    answerWith(registry, hostile);
    const pin = { integrity: integrityOf(hostile), downloadBytes: hostile.length };
    await assert.rejects(fetch({ pin }), refusal("INVALID_PACKAGE", /neither a file/));
    assert.deepEqual(unpacked(work), []);
  }),
);

Deno.test(
  "fetchPackage refuses a known package without the files that the engine needs",
  withScene(async ({ fetch }) => {
    const pin = { keep: ["package.json", "bins/none/"] };
    await assert.rejects(fetch({ pin }), refusal("INVALID_PACKAGE", /has no "bins\/none\/"/));
  }),
);

Deno.test(
  "fetchPackage asks nobody offline, in private networks, or without a registry",
  withScene(async ({ registry, fetch }) => {
    await assert.rejects(fetch({ net: { offline: true } }), refusal("UNAVAILABLE", /BKG_OFFLINE/));
    await assert.rejects(fetch({ net: { allowedPrivateHosts: [] } }), refusal("FORBIDDEN"));
    await assert.rejects(
      fetch({ registry: undefined }),
      refusal("UNAVAILABLE", /NPM_CONFIG_REGISTRY/),
    );
    assert.deepEqual(registry.asked, []);
    // A public name that leads to a private one.
    registry.answer = () => Response.redirect("https://10.1.2.3/llama.tgz");
    await assert.rejects(fetch(), refusal("FORBIDDEN", /private network/));
  }),
);

Deno.test(
  "fetchPackage tells what a registry does not have",
  withScene(async ({ registry, fetch }) => {
    registry.files.clear();
    await assert.rejects(fetch(), refusal("NOT_FOUND"));
  }),
);

Deno.test(
  "fetchPackage asks for the disk's space first, and writes nothing where there is none",
  withScene(async ({ registry, fetch }) => {
    const freeBytes = () => Promise.resolve(100);
    await assert.rejects(fetch({ freeBytes }), refusal("OUT_OF_DISK"));
    assert.deepEqual(registry.asked, []);
  }),
);

Deno.test(
  "fetchPackage ends when it is cancelled, and goes on with what it has",
  withScene(async ({ registry, packed, fetch }) => {
    const etag = { etag: '"one"', "accept-ranges": "bytes" };
    const ranges: string[] = [];
    let isStalled = true;
    registry.answer = (_, request) => {
      const [, start, end] = /^bytes=(\d+)-(\d+)$/.exec(request.headers.get("range") ?? "") ?? [];
      const from = Number(start);
      ranges.push(`${start}-${end}`);
      const part = packed.slice(from, Number(end) + 1);
      const response = isStalled
        ? stalling(part, Math.min(part.length, 100_000))
        : new Response(part);
      const contentRange = `bytes ${from}-${Number(end)}/${packed.length}`;
      return new Response(response.body, {
        status: 206,
        headers: { ...etag, "content-range": contentRange, "content-length": `${part.length}` },
      });
    };
    const stop = new AbortController();
    const limits = { ...testLimits, silenceMs: 20_000, connections: 1 };
    const fetching = fetch({ signal: stop.signal, net: { limits } });
    fetching.catch(() => {});
    while (ranges.length === 0) await new Promise((resolve) => setTimeout(resolve, 10));
    // What came is written down in steps.
    await new Promise((resolve) => setTimeout(resolve, 300));
    stop.abort(new Error("enough"));
    await assert.rejects(fetching, { code: "CANCELLED" });
    isStalled = false;
    ranges.length = 0;
    const { files } = await fetch({ net: { limits } });
    assert.equal(files.length, 3);
    assert.equal(Number(ranges[0]?.split("-")[0]), 100_000);
  }, 600_000),
);

Deno.test(
  "fetchPackage takes the packed files of a folder, checked alike, and asks nobody",
  withScene(async ({ registry, packed, work, fetch }) => {
    const from = join(work, "packed");
    await Deno.mkdir(from);
    const net = { offline: true };
    await assert.rejects(
      fetch({ from, net }),
      refusal("NOT_FOUND", /no file "test-llama-cpu-1\.2\.3\.tgz" in the folder/),
    );
    const path = join(from, "test-llama-cpu-1.2.3.tgz");
    await Deno.writeFile(path, packed.slice(1));
    await assert.rejects(fetch({ from, net }), refusal("INVALID_PACKAGE", /bytes, not/));
    const other = packed.slice();
    other[50]! ^= 1;
    await Deno.writeFile(path, other);
    await assert.rejects(fetch({ from, net }), refusal("INVALID_PACKAGE", /SHA-512/));
    await registry.writeTo(from);
    const { folder, files } = await fetch({ from, net });
    assert.deepEqual(files.map(({ path }) => path), [
      "package.json",
      "bins/cpu/llama.node",
      "bins/cpu/lib/base.so",
    ]);
    assert.equal((await Deno.stat(join(folder, "bins/cpu/llama.node"))).size, 3000);
    assert.deepEqual(registry.asked, []);
    // Its own stay.
    assert.equal((await Deno.stat(path)).size, packed.length);
  }),
);
