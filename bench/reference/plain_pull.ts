// Reference: a file as fetch brings it, hashed while it is written, and nothing else. Prints milliseconds.

import { createHash } from "node:crypto";

const [url = "", path = ""] = Deno.args;
const started = performance.now();
const response = await fetch(url);
const hash = createHash("sha256");
using file = await Deno.open(path, { write: true, create: true, truncate: true });
for await (const piece of response.body!) {
  hash.update(piece);
  for (let rest = piece; rest.length > 0;) rest = rest.subarray(await file.write(rest));
}
await file.sync();
const digest = hash.digest("hex");
console.log(JSON.stringify({ ms: performance.now() - started, digest }));
