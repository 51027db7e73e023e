// Reference: SHA-256 of a file, read piece by piece, and nothing else. Prints milliseconds.

import { createHash } from "node:crypto";

const [path = ""] = Deno.args;
const started = performance.now();
const hash = createHash("sha256");
using file = await Deno.open(path);
const piece = new Uint8Array(2 ** 20);
for (let count = file.readSync(piece); count !== null; count = file.readSync(piece)) {
  hash.update(piece.subarray(0, count));
}
const digest = hash.digest("hex");
console.log(JSON.stringify({ ms: performance.now() - started, digest }));
