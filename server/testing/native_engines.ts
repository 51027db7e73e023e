// The native engines that tests may use: dist/native/<engine>-cpu, where `deno task test` puts them.

import { existsSync, readFileSync } from "node:fs";
import { join } from "node:path";
import type { NativeEngineName } from "../../plugins/runtime/contract/native_engine.ts";
import { projectRoot } from "../build/bundles.ts";
import type { InstalledEngine } from "../cells/native/native_engines.ts";
import { skipUnless } from "./require.ts";

/** Undefined where it is absent: then the test is skipped, or fails with BKG_TEST_REQUIRE=all. */
export function testNativeEngine(
  test: string,
  engine: NativeEngineName,
): InstalledEngine | undefined {
  const folder = join(projectRoot, "dist", "native", `${engine}-cpu`);
  const description = join(folder, "package.json");
  const isHere = existsSync(description);
  const problem = isHere ? undefined : `the native engine "${engine}" is not in dist/native`;
  if (skipUnless(test, problem)) return undefined;
  const { version } = JSON.parse(readFileSync(description, "utf8")) as { version: string };
  return { engine, variant: "cpu", version, folder };
}
