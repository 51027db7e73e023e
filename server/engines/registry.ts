// Where packages come from: npm's own setting, else the registry that bkg's own packages came from when it was built.
// Callers: compose, the tests' own fetch.

import { join } from "node:path";
import { z } from "zod";
import type { Config } from "../config.ts";
import type { EnginePin } from "./pins.ts";

/** Without a slash at its end; undefined where nobody knows one. `bundles`: the folder of what was built. */
export async function findRegistry(
  { npmRegistry }: Pick<Config, "npmRegistry">,
  bundles: string,
): Promise<string | undefined> {
  if (npmRegistry !== undefined) return npmRegistry;
  const text = await Deno.readTextFile(join(bundles, "registry.json")).catch(() => "{}");
  return builtShape.safeParse(JSON.parse(text)).data?.registry;
}

/** As every npm registry lays it out. */
export function tarballUrl(
  registry: string,
  { name, version }: Pick<EnginePin, "name" | "version">,
): string {
  return `${registry}/${name}/-/${name.split("/").at(-1)}-${version}.tgz`;
}

const builtShape = z.object({ registry: z.url() });
