// What the broker offers plugins of models: a list, and the files to open. Paths stay with the host.

import type { ModelRecord, ModelStore } from "../../models/model.ts";
import type { ModelSummary } from "../../plugins/runtime/contract/model_summary.ts";
import type { ModelService } from "../../plugins/runtime/host/broker.ts";

export function createModelService(store: ModelStore): ModelService {
  return {
    list: async () => (await store.list()).map(describe),
    open: (id) => store.get(id),
  };
}

function describe(model: ModelRecord): ModelSummary {
  const { id, size, format, chatTemplate, name, description, contextLength } = model;
  return {
    id,
    size,
    format,
    chatTemplate,
    ...(name === undefined ? {} : { name }),
    ...(description === undefined ? {} : { description }),
    ...(contextLength === undefined ? {} : { contextLength }),
  };
}
