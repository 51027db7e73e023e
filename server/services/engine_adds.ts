// How a native engine comes here, as a job: its packages one after the other, downloaded, checked, unpacked, and then
// on. Caller: open_models.ts. Invariant: an engine is on only when all its packages are here whole.

import { z } from "zod";
import type { PullNetwork } from "../../models/pull/network.ts";
import { engineIds } from "../../plugins/runtime/contract/engine_choice.ts";
import type { EngineStore } from "../engines/engine_store.ts";
import { fetchPackage } from "../engines/fetch_package.ts";
import type { JobWork } from "./jobs.ts";

export const addInputSchema = z.object({
  id: z.enum(engineIds),
  /** A folder of the server that has the packed files. */
  from: z.string().optional(),
});

export type AddInput = z.infer<typeof addInputSchema>;

export interface EngineAddsDeps {
  store: EngineStore;
  network: PullNetwork;
  registry: string | undefined;
  /** Where engines are. */
  freeBytes(): Promise<number>;
  /** Lets plugins that run take up what is here now. */
  changed(): Promise<void>;
}

export function createEngineAdds(
  { store, network, registry, freeBytes, changed }: EngineAddsDeps,
): JobWork {
  return {
    concurrency: 1,
    async run({ id: jobId, input, signal, tell }) {
      const { id, from } = addInputSchema.parse(input);
      const pins = store.packages(id);
      const totalBytes = pins.reduce((sum, { downloadBytes }) => sum + downloadBytes, 0);
      // One that is removed meanwhile leaves this one its packages.
      using _held = store.hold(id);
      let doneBytes = 0;
      for (const pin of pins) {
        tell({ doneBytes, totalBytes });
        if (await store.problem(pin) !== undefined) {
          const fetched = await fetchPackage(pin, {
            ...{ network, registry, from, freeBytes, signal },
            work: await store.openWork(jobId),
            tell: ({ step, doneBytes: ofThis }) =>
              tell({ step, ...(ofThis === undefined ? {} : { doneBytes: doneBytes + ofThis }) }),
          });
          signal.throwIfAborted();
          await store.adopt(pin, fetched);
        }
        doneBytes += pin.downloadBytes;
      }
      tell({ step: "Restarting plugins", doneBytes });
      await store.turnOn(id);
      await store.removeWork(jobId);
      await changed();
      return { id };
    },
    async discard(jobId) {
      await store.removeWork(jobId);
      await store.removeUnused();
    },
  };
}
