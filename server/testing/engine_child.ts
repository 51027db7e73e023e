// A process that adds the engine "cpu" from a folder and may be killed at any moment: `engine_child.ts <data folder>
// <folder of packages> <pins, JSON>`. It prints what became of it. Caller: the test of kills and of full disks.

import { createPullNetwork } from "../../models/pull/network.ts";
import { AppError } from "../../plugins/runtime/contract/error.ts";
import { openEngineStore } from "../engines/engine_store.ts";
import type { EnginePin } from "../engines/pins.ts";
import { createEngineAdds } from "../services/engine_adds.ts";

const [dataDir = "", from = "", pins = "[]"] = Deno.args;
const store = await openEngineStore({
  dataDir,
  pins: JSON.parse(pins) as EnginePin[],
  log: { error: (message) => console.error(message) },
});
const adds = createEngineAdds({
  store,
  network: createPullNetwork({
    ...{ offline: true, endpoint: "https://hub.example", allowedPrivateHosts: [] },
    limits: { reservedDiskBytes: 0 },
  }),
  registry: undefined,
  freeBytes: () => Promise.resolve(1e12),
  changed: () => Promise.resolve(),
});
console.log("begun");
try {
  await adds.run({
    ...{ id: "job", input: { id: "cpu", from }, signal: new AbortController().signal },
    ...{ tell: () => {}, remember: () => {} },
  });
  console.log("done");
} catch (error) {
  console.log(error instanceof AppError ? error.code : String(error));
}
