// Which of a model's ONNX files: a model may bring several. Each that is loaded is known by the model's id and its file.

import { PluginError } from "@bkg/plugin";
import type { OpenModel } from "@bkg/plugin";
import type { Context } from "./settings.ts";

/** A model and its file, as one text that messages may show. */
export function keyOfFile(model: string, file: string | undefined): string {
  return file === undefined ? model : `${model}${separator}${file}`;
}

/** `file` is undefined where it was not named. */
export function readFileKey(key: string): { model: string; file: string | undefined } {
  const at = key.indexOf(separator);
  if (at < 0) return { model: key, file: undefined };
  return { model: key.slice(0, at), file: key.slice(at + 1) };
}

/** No model's id has it. */
const separator = "|";

/** Opens models by such keys, and answers with the whole key as their id. */
export function openByFile(models: Context["models"]): Context["models"] {
  return {
    list: () => models.list(),
    async open(key) {
      const { model, file } = readFileKey(key);
      const opened = await models.open(model);
      try {
        return { ...opened, id: keyOfFile(opened.id, chooseFile(opened, file)) };
      } catch (error) {
        opened.close();
        throw error;
      }
    },
  };
}

/** The named file, or the only one. Throws INVALID_INPUT with the names that there are. */
export function chooseFile({ id, format, files }: OpenModel, wanted: string | undefined): string {
  if (format !== "onnx") {
    throw new PluginError(
      "INVALID_INPUT",
      `"${id}" is a model in the format "${format}": this plugin runs ONNX and linear models`,
      { details: { field: "model" } },
    );
  }
  const names = files.map(({ name }) => name).filter((name) => /\.onnx$/i.test(name));
  const found = wanted === undefined && names.length === 1
    ? names[0]
    : names.find((name) => name === wanted);
  if (found !== undefined) return found;
  const known = names.slice(0, 20).map((name) => `"${name}"`).join(", ");
  const problem = wanted === undefined
    ? `has ${names.length} ONNX files, name one: ${known}`
    : `has no ONNX file "${wanted.slice(0, 300)}", but ${known}`;
  throw new PluginError("INVALID_INPUT", `The model "${id}" ${problem}`, {
    details: { field: "file", expected: names.slice(0, 20) },
  });
}

/** Bytes of a graph and of the weights beside it: about what it takes of memory. */
export function sizeOfFile({ files }: OpenModel, file: string): number {
  return files.filter(({ name }) =>
    name === file || /^[._]data/.test(name.slice(file.length)) && name.startsWith(file)
  )
    .reduce((sum, { size }) => sum + size, 0);
}
