// What the broker offers plugins of models: a list, and the files to open. Paths stay with the host.

import type { ModelStore } from "../../models/model.ts";
import { summarizeModel } from "../../plugins/runtime/contract/model_summary.ts";
import type { ModelService } from "../../plugins/runtime/host/broker.ts";

export function createModelService(store: ModelStore): ModelService {
  return {
    list: async () => (await store.list()).map(summarizeModel),
    open: (id) => store.get(id),
  };
}
