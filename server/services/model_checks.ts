// Reads every byte of a model again, as a job, and may mark it as trusted then. Caller: open_models.ts.

import { setTimeout as delay } from "node:timers/promises";
import { z } from "zod";
import { quote } from "../../models/format/text.ts";
import type { VerifiedFile } from "../../models/model.ts";
import { AppError } from "../../plugins/runtime/contract/error.ts";
import type { JobWork } from "./jobs.ts";
import type { TrustedLibrary } from "./trusted_models.ts";

export const checkInputSchema = z.object({
  modelId: z.string(),
  /** Whether the model is marked as what was read. */
  trust: z.boolean().default(false),
});

export type CheckInput = z.infer<typeof checkInputSchema>;

/** Its result is `{files}`; files that are damaged do not fail it, unless they were to be trusted. */
export function createModelChecks(
  { library }: { library: Pick<TrustedLibrary, "verify" | "get" | "trust"> },
): JobWork {
  return {
    // It is as fast as the disk, or as SHA-256.
    concurrency: 1,
    async run({ input, signal, tell }): Promise<{ files: VerifiedFile[] }> {
      const { modelId, trust } = checkInputSchema.parse(input);
      tell({ step: "Reading" });
      const read = () =>
        library.verify(modelId, {
          signal,
          progress: (doneBytes, totalBytes) => tell({ doneBytes, totalBytes }),
        });
      let files = await read();
      if (!trust) return { files };
      if (!await isKept(modelId)) {
        await delay(settleMs, undefined, { signal });
        files = await read();
      }
      const damaged = files.find(({ ok }) => !ok);
      if (damaged !== undefined) {
        const reason = `${quote(damaged.name)} is not what it should be`;
        throw new AppError("INVALID_MODEL", `The model is not trusted: ${reason}`);
      }
      signal.throwIfAborted();
      await library.trust(modelId, files.map(({ digest }) => digest));
      return { files };
    },
  };

  /** What was read of a file that was just written is not: by its dates alone it might change unseen. */
  async function isKept(modelId: string): Promise<boolean> {
    return (await library.get(modelId)).files.every(({ digest }) => digest !== undefined);
  }
}

/** More than what a file must be left alone for. */
const settleMs = 2000;
