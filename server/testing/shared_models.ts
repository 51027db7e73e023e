// The real models that lie beside the project, for tests and benchmarks; absent on most machines.

import { join } from "node:path";
import { projectRoot } from "../build/bundles.ts";

export const sharedModelsFolder = join(projectRoot, "..", "shared", "models", "gguf");

/** Why tests on those models cannot run; undefined when they can. */
export function sharedModelsProblem(): string | undefined {
  try {
    Deno.statSync(join(sharedModelsFolder, "aidreams260K-f32.gguf"));
    return undefined;
  } catch {
    return "the shared test models are not beside the project";
  }
}
