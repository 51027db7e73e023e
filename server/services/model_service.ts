// What the broker offers plugins of models: a list, and the files to open. Paths stay with the host, and what is open
// stays in the library.

import type { ModelLibrary } from "../../models/model.ts";
import { summarizeModel } from "../../plugins/runtime/contract/model_summary.ts";
import type { ModelService } from "../../plugins/runtime/host/broker.ts";

export function createModelService(library: Pick<ModelLibrary, "list" | "open">): ModelService {
  return {
    list: async () => (await library.list()).map(summarizeModel),
    async open(id) {
      const { model, release } = await library.open(id);
      return { ...summarizeModel(model), files: model.files, release };
    },
  };
}
