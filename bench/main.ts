// `deno task bench [NAME ...]`, such as `calls` or `models`: measures, prints, and, when all was measured,
// writes docs/benchmarks.md.

import { join } from "node:path";
import { projectRoot } from "../server/build/bundles.ts";
import { measureAccess } from "./access.ts";
import { measureCallRate } from "./call_rate.ts";
import { measureEmbeddings } from "./embeddings.ts";
import { measureFanOut } from "./fan_out.ts";
import { measureFit } from "./fit.ts";
import { measureMemory } from "./memory.ts";
import { measureModels } from "./models.ts";
import { measureNative } from "./native.ts";
import { measurePage } from "./page.ts";
import { describeMachine, renderReport, type Section } from "./report.ts";
import { measureStarts } from "./starts.ts";
import { measureStreams } from "./streams.ts";
import { measureTokens } from "./tokens.ts";
import { measureUnload } from "./unload.ts";

const measures: Record<string, () => Promise<Section>> = {
  calls: measureCallRate,
  access: measureAccess,
  "fan-out": measureFanOut,
  starts: measureStarts,
  memory: measureMemory,
  models: measureModels,
  fit: measureFit,
  tokens: measureTokens,
  streams: measureStreams,
  native: measureNative,
  embeddings: measureEmbeddings,
  unload: measureUnload,
  page: measurePage,
};

const unknown = Deno.args.filter((name) => !Object.hasOwn(measures, name));
if (unknown.length > 0) {
  console.error(`no benchmark "${unknown.join('", "')}": ${Object.keys(measures).join(", ")}`);
  Deno.exit(2);
}
const machine = describeMachine();
const sections: Section[] = [];
for (const [name, measure] of Object.entries(measures)) {
  if (Deno.args.length > 0 && !Deno.args.includes(name)) continue;
  console.error(`measuring ${name} ...`);
  sections.push(await measure());
}
const report = renderReport(sections, machine);
console.log(report);
if (Deno.args.length === 0) {
  await Deno.writeTextFile(join(projectRoot, "docs/benchmarks.md"), report);
}
