// Reads every byte of a model again, as a job. Caller: open_models.ts.

import { z } from "zod";
import type { ModelLibrary, VerifiedFile } from "../../models/model.ts";
import type { JobWork } from "./jobs.ts";

export const checkInputSchema = z.object({ modelId: z.string() });

/** Its result is `{files}`; files that are damaged do not fail it. */
export function createModelChecks({ library }: { library: Pick<ModelLibrary, "verify"> }): JobWork {
  return {
    // It is as fast as the disk, or as SHA-256.
    concurrency: 1,
    async run({ input, signal, tell }): Promise<{ files: VerifiedFile[] }> {
      const { modelId } = checkInputSchema.parse(input);
      tell({ step: "Reading" });
      const files = await library.verify(modelId, {
        signal,
        progress: (doneBytes, totalBytes) => tell({ doneBytes, totalBytes }),
      });
      return { files };
    },
  };
}
