// What a host tells a plugin of a model: never a path.

export interface ModelSummary {
  id: string;
  /** Bytes of all files. */
  size: number;
  /** Such as "gguf". */
  format: string;
  name?: string;
  description?: string;
  /** What it is for: "chat", "embedding"; absent where its files do not say. */
  task?: string;
  /** As the files name it: "llama", "bert". */
  architecture?: string;
  /** Tokens. */
  contextLength?: number;
  /** Whether the model brings a chat template. */
  chatTemplate?: boolean;
  /** Whether the operator lets native engines open it: of the catalogue, came with bkg, or marked so. */
  trusted?: boolean;
}

/** What a host knows of a model, and more. */
export type KnownModel = { [Key in keyof ModelSummary]: ModelSummary[Key] | undefined } & {
  id: string;
  size: number;
  format: string;
};

/** Picks what a plugin is told. */
export function summarizeModel(model: KnownModel): ModelSummary {
  const { id, size, format } = model;
  return {
    id,
    size,
    format,
    ...known("name", model.name),
    ...known("description", model.description),
    ...known("task", model.task),
    ...known("architecture", model.architecture),
    ...known("contextLength", model.contextLength),
    ...known("chatTemplate", model.chatTemplate),
    ...known("trusted", model.trusted),
  };
}

/** Whether it is one to chat with: a language model in a format that bkg runs. */
export function writesText(
  { format, task, chatTemplate }: Pick<KnownModel, "format" | "task" | "chatTemplate">,
): boolean {
  return format === "gguf" && (task === undefined ? chatTemplate === true : task === "chat");
}

/** Whether it makes vectors of texts or scores them: such a model is no one to chat with. */
export function encodesText({ format, task }: Pick<KnownModel, "format" | "task">): boolean {
  return task === "embedding" && (format === "gguf" || format === "onnx") ||
    task === "rerank" && format === "onnx";
}

function known<Name extends string, Value>(
  name: Name,
  value: Value | undefined,
): { [Key in Name]?: Value } {
  return (value === undefined ? {} : { [name]: value }) as { [Key in Name]?: Value };
}
