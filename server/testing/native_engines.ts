// The native engines that tests and benchmarks may use: dist/native/<engine>-cpu, where `deno task native` puts them.

import { createHash } from "node:crypto";
import { existsSync } from "node:fs";
import { mkdir, mkdtemp, readFile } from "node:fs/promises";
import { dirname, join } from "node:path";
import type { NativeEngineName } from "../../plugins/runtime/contract/native_engine.ts";
import { projectRoot } from "../build/bundles.ts";
import type { InstalledEngine } from "../cells/native/native_engines.ts";
import { openEngineStore } from "../engines/engine_store.ts";
import { enginePins, folderName, pinsOf } from "../engines/pins.ts";
import type { UnpackedFile } from "../engines/unpack.ts";
import { skipUnless } from "./require.ts";

const system = { os: Deno.build.os, arch: Deno.build.arch };
const folder = join(projectRoot, "dist", "native");

/** Why tests on it cannot run; undefined when they can. */
export function nativeEngineProblem(engine: NativeEngineName): string | undefined {
  const isHere = existsSync(join(folder, `${engine}-cpu`, "package.json"));
  return isHere
    ? undefined
    : `the native engine "${engine}" is not in dist/native: run "deno task native"`;
}

/** Undefined where it is absent: then the test is skipped, or fails with BKG_TEST_REQUIRE=all. */
export function testNativeEngine(
  test: string,
  engine: NativeEngineName,
): InstalledEngine | undefined {
  if (skipUnless(test, nativeEngineProblem(engine))) return undefined;
  const pin = pinsOf("cpu", { pins: enginePins, system }).find((one) => one.engine === engine)!;
  return { engine, variant: "cpu", version: pin.version, folder: join(folder, folderName(pin)) };
}

/** Turns the processor's engines on in a data folder, as "bkg engine add cpu" leaves it. */
export async function addTestEngines(dataDir: string): Promise<void> {
  const store = await openEngineStore({ dataDir, log: { error: () => {} } });
  await mkdir(join(dataDir, "engines"), { recursive: true });
  for (const pin of store.packages("cpu")) {
    const work = await mkdtemp(join(dataDir, "engines", "copy-"));
    const files: UnpackedFile[] = [];
    for (const kept of pin.keep) {
      for (const path of filesBelow(join(folder, folderName(pin)), kept)) {
        const bytes = await readFile(join(folder, folderName(pin), path));
        await mkdir(dirname(join(work, path)), { recursive: true });
        await Deno.writeFile(join(work, path), bytes);
        const digest = `sha256:${createHash("sha256").update(bytes).digest("hex")}`;
        files.push({ path, size: bytes.length, digest });
      }
    }
    await store.adopt(pin, { folder: work, files });
  }
  await store.turnOn("cpu");
}

/** Paths below `root`; `kept` is a file, or a folder with "/" at its end. */
function filesBelow(root: string, kept: string): string[] {
  if (!kept.endsWith("/")) return [kept];
  return [...Deno.readDirSync(join(root, kept))].flatMap(({ name, isDirectory }) =>
    filesBelow(root, `${kept}${name}${isDirectory ? "/" : ""}`)
  );
}
