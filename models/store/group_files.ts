// Which weights are one model: parts of a split one, and the components of one variant of an ONNX model. Neutral.
// Callers: the places. Only names are looked at.

import { parseSplitName } from "../gguf.ts";
import type { ModelFormat } from "../model.ts";
import { quantOfFileName } from "../gguf/quant_name.ts";
import { formatOf } from "./file_kinds.ts";

interface Named {
  /** Relative to the model, with "/". */
  name: string;
}

export interface WeightGroup<F extends Named> {
  format: ModelFormat;
  /** What tells it from the others of its folder; undefined for the one that needs no telling. */
  variant: string | undefined;
  /** In the order of their names. */
  weights: F[];
}

/** GGUF files: each a model, but parts that agree on folder, name and count are one. */
export function groupParts<F extends Named>(files: readonly F[]): { base: string; weights: F[] }[] {
  const groups = new Map<string, { base: string; weights: F[] }>();
  for (const file of sortByName(files)) {
    const [folder, name] = splitPath(file.name);
    const part = parseSplitName(name);
    const key = part === undefined ? file.name : `${folder}\0${part.base}\0${part.count}`;
    const group = groups.get(key) ?? { base: part?.base ?? stemOf(name), weights: [] };
    group.weights.push(file);
    groups.set(key, group);
  }
  return [...groups.values()];
}

/** GGUF files of one repository, told apart by quantisation, or by name where that does not tell. */
export function groupQuants<F extends Named>(files: readonly F[]): WeightGroup<F>[] {
  const groups = groupParts(files);
  const quants = groups.map(({ base }) => quantOfFileName(`${base}.gguf`));
  return groups.map(({ base, weights }, at) => {
    const quant = quants[at];
    const tells = quant !== undefined && quants.indexOf(quant) === quants.lastIndexOf(quant);
    return { format: "gguf", variant: tells ? quant : base, weights };
  });
}

/**
 * ONNX and safetensors files of one folder with a configuration: `model_quantized.onnx` is the variant "quantized",
 * and `encoder_model_fp16.onnx` with `decoder_model_fp16.onnx` are the variant "fp16".
 */
export function groupVariants<F extends Named>(files: readonly F[]): WeightGroup<F>[] {
  const groups = new Map<string, WeightGroup<F>>();
  const hasOnnx = files.some(({ name }) => formatOf(name) === "onnx");
  for (const file of sortByName(files)) {
    const format = formatOf(file.name);
    if (format === undefined || format === "gguf") continue;
    const suffix = format === "onnx" ? suffixOf(stemOf(splitPath(file.name)[1])) : undefined;
    // Engines open ONNX: where both are there, the bare name is that model's.
    const variant = format === "safetensors" && hasOnnx ? "safetensors" : suffix;
    const key = `${format} ${variant ?? ""}`;
    const group = groups.get(key) ?? { format, variant, weights: [] };
    group.weights.push(file);
    groups.set(key, group);
  }
  const found = [...groups.values()];
  const [only] = found;
  if (only !== undefined && found.length === 1) only.variant = undefined;
  return found;
}

export function stemOf(fileName: string): string {
  return fileName.slice(0, fileName.lastIndexOf("."));
}

function suffixOf(stem: string): string | undefined {
  return /^model_(.+)$/.exec(stem)?.[1] ??
    /_(fp16|fp32|bf16|q[248]f?\w*|u?int[48]|bnb4|quantized|qu?int8_\w+)$/.exec(stem)?.[1];
}

function splitPath(name: string): [folder: string, name: string] {
  const at = name.lastIndexOf("/");
  return [name.slice(0, Math.max(at, 0)), name.slice(at + 1)];
}

function sortByName<F extends Named>(files: readonly F[]): F[] {
  return [...files].sort((a, b) => (a.name < b.name ? -1 : 1));
}
