// What a host tells a plugin of a model: never a path.

export interface ModelSummary {
  id: string;
  /** Bytes of all files. */
  size: number;
  /** Such as "gguf". */
  format: string;
  name?: string;
  description?: string;
  /** Tokens. */
  contextLength?: number;
  /** Whether the model brings a chat template. */
  chatTemplate?: boolean;
}

/** What a host knows of a model, and more. */
export interface KnownModel {
  id: string;
  size: number;
  format: string;
  chatTemplate: boolean;
  name?: string | undefined;
  description?: string | undefined;
  contextLength?: number | undefined;
}

/** Picks what a plugin is told. */
export function summarizeModel(model: KnownModel): ModelSummary {
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
