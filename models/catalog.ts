// The models that bkg recommends, by task: names and what they are good for, as the hub's own pages had them.
// Callers: the catalogue's route, the page. What was not verified here is null; the first pull fills it in.

import { z } from "zod";
import entries from "./catalog.json" with { type: "json" };
import { maxModelIdChars, modelIdPattern, modelTasks } from "./model.ts";

const catalogModelSchema = z.strictObject({
  /** Of the entry; of a GGUF model also the one that it has once it is pulled. */
  id: z.string().max(maxModelIdChars).regex(modelIdPattern),
  name: z.string().min(1).max(60),
  /** One plain sentence or two: what it is good for, and what not. */
  description: z.string().min(1).max(200),
  task: z.enum(modelTasks),
  engine: z.enum(["wllama", "onnx"]),
  /** For a pull: `owner/name:Q8_0`, or `owner/name:onnx/model_quantized.onnx`. */
  source: z.string().regex(/^[\w.-]+\/[\w.-]+:[\w./-]+$/),
  /** As the model's name says: "0.5B". */
  parameters: z.string().regex(/^\d+(?:\.\d+)?[MB]$/).optional(),
  /** Bytes of all files. */
  size: z.int().positive().nullable(),
  digest: z.string().regex(/^sha256:[0-9a-f]{64}$/).nullable(),
  license: z.string().min(1).max(60).nullable(),
  /** Tokens. */
  contextLength: z.int().positive().nullable(),
  /** Whether it is among the first to be shown for its task. */
  recommended: z.boolean(),
});

export type CatalogModel = z.infer<typeof catalogModelSchema>;

export const catalog: readonly CatalogModel[] = z.array(catalogModelSchema).parse(entries);
