// `deno task build`: makes every bundle that `start` would make, and prints what was built.

import { buildBundles } from "./bundles.ts";

const started = performance.now();
const { folder, rebuilt, sizes } = await buildBundles({ log: (line) => console.log(line) });
for (const [name, bytes] of Object.entries(sizes)) {
  console.log(`${(bytes / 1024).toFixed(1).padStart(9)} KiB  ${name}`);
}
const seconds = ((performance.now() - started) / 1000).toFixed(1);
console.log(`${rebuilt ? "built" : "up to date"} in ${seconds} s: ${folder}`);
