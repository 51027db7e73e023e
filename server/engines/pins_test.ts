import assert from "node:assert/strict";
import { join } from "node:path";
import { engineIds } from "../../plugins/runtime/contract/engine_choice.ts";
import { bytesText } from "../cli/amounts.ts";
import { projectRoot } from "../build/bundles.ts";
import { enginePins, pinsOf, type System } from "./pins.ts";
import { tarballUrl } from "./registry.ts";

const supported = ({ os, arch }: System) =>
  engineIds.filter((id) => pinsOf(id, { pins: enginePins, system: { os, arch } }).length > 0);

Deno.test("pinsOf: an engine has both its packages, or is not for this system", () => {
  assert.deepEqual(supported({ os: "linux", arch: "x86_64" }), ["cpu", "vulkan", "cuda"]);
  assert.deepEqual(supported({ os: "linux", arch: "aarch64" }), ["cpu"]);
  for (const os of ["darwin", "windows"] as const) {
    assert.deepEqual(supported({ os, arch: "x86_64" }), []);
  }
  const system: System = { os: "linux", arch: "x86_64" };
  const names = pinsOf("vulkan", { pins: enginePins, system }).map(({ engine, variant }) =>
    `${engine}-${variant}`
  );
  assert.deepEqual(names, ["llama-vulkan", "onnxruntime-cpu"]);
});

Deno.test("enginePins: digests are whole, versions exact, and no JavaScript is kept", () => {
  for (const { name, version, integrity, keep } of enginePins) {
    assert.match(integrity, /^sha512-[A-Za-z0-9+/]{86}==$/, name);
    assert.match(version, /^\d+\.\d+\.\d+$/);
    for (const path of keep) assert.match(path, /^(?:package\.json|LICENSE|bins?\/.*\/)$/);
  }
});

Deno.test("docs/engines.md tells what each engine downloads", async () => {
  const text = await Deno.readTextFile(join(projectRoot, "docs/engines.md"));
  for (const id of ["cpu", "vulkan", "cuda"] as const) {
    const pins = pinsOf(id, { pins: enginePins, system: { os: "linux", arch: "x86_64" } });
    const bytes = pins.reduce((sum, { downloadBytes }) => sum + downloadBytes, 0);
    assert.match(text, new RegExp(`^\\| \`${id}\` .*\\| ${bytesText(bytes)} +\\|`, "m"));
    for (const { name } of pins) assert.ok(text.includes(name.replace(/-(?:vulkan|cuda)$/, "")));
  }
});

Deno.test("tarballUrl: as npm's registries lay packages out", () => {
  const pin = { name: "@scope/a-b", version: "1.2.3" };
  assert.equal(
    tarballUrl("https://npm.lan/all", pin),
    "https://npm.lan/all/@scope/a-b/-/a-b-1.2.3.tgz",
  );
});
