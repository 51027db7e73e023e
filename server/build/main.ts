// `deno task build`: makes every bundle that `start` would make, and prints what was built.

import { buildBundles } from "./bundles.ts";

const started = performance.now();
const { folder, rebuilt, sizes } = await buildBundles({ log: (line) => console.log(line) });
const print = (name: string, bytes: number) =>
  console.log(`${(bytes / 1024).toFixed(1).padStart(9)} KiB  ${name}`);
for (const [name, bytes] of Object.entries(sizes.bundles)) print(name, bytes);
print("page: scripts of the first load, gzip", sizes.page.firstLoad);
for (const [name, bytes] of Object.entries(sizes.page.pages)) print(`page: ${name}, gzip`, bytes);
const seconds = ((performance.now() - started) / 1000).toFixed(1);
console.log(`${rebuilt ? "built" : "up to date"} in ${seconds} s: ${folder}`);
