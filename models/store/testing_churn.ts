// Pulls and removes models without end: a test kills it at any moment and looks at what it left.

import { adopt, makeModel, openLibrary } from "./testing_library.ts";

const folder = Deno.args[0] ?? "";
const library = await openLibrary(folder);
console.log("ready");
for (let at = 0;; at++) {
  const id = `owner/m${at % 7}:Q8_0`;
  const files = { "a.gguf": makeModel(`${at}`), "config.json": new Uint8Array([at % 256]) };
  await library.put(await adopt(library, id, files));
  if (at % 3 === 2) await library.remove(`owner/m${(at - 1) % 7}`, { force: true });
  if (at % 5 === 4) await library.pin(id, true);
  if (at % 11 === 10) await library.collectGarbage({ keepPartial: new Set(["a-job"]) });
}
