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
