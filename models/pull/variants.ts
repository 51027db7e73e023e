// Which files of a repository make a model: one GGUF with its parts, or an ONNX or safetensors model with what goes
// with it. Caller: plan.ts. Knows names alone; what the files are is read when they are here.

import { parseSplitName } from "../gguf.ts";
import { quantOfFileName } from "../gguf/quant_name.ts";
import type { HubFile } from "./hub_repo.ts";

export interface Variant {
  format: "gguf" | "onnx" | "safetensors";
  /** `Q8_0`, `quantized`; undefined where a repository has no more than this one. */
  name: string | undefined;
  /** The weights first, parts in order. */
  files: HubFile[];
  /** Of the weights, bytes. */
  size: number;
}

/** What there is, GGUF first: it needs nothing beside it. */
export function findVariants(files: readonly HubFile[]): Variant[] {
  return [...findGguf(files), ...findOnnx(files), ...findSafetensors(files)];
}

/** The one that `wanted` names: by its name, without regard to case, or by the path of one of its files. */
export function chooseNamed(variants: readonly Variant[], wanted: string): Variant[] {
  const byFile = variants.filter(({ files }) => files.some(({ path }) => path === wanted));
  if (byFile.length > 0) return byFile;
  const isSame = (name: string | undefined) => name?.toLowerCase() === wanted.toLowerCase();
  const named = variants.filter(({ name }) => isSame(name));
  if (named.length > 0) return named;
  // `q4_k_m` may be meant where files say `UD-Q4_K_M`, never the other way round.
  return variants.filter(({ name }) => isSame(name?.replace(/^UD-/, "")));
}

/**
 * What serves most machines: of small models Q8_0, which is twice as fast as Q4 in WebAssembly; of large ones Q4_K_M,
 * which is half as big. Of ONNX the quantized one.
 */
export function chooseDefault(variants: readonly Variant[]): Variant | undefined {
  const [first] = variants;
  if (first === undefined) return undefined;
  const same = variants.filter(({ format }) => format === first.format);
  const named = (name: string) => same.find((variant) => variant.name?.endsWith(name));
  if (first.format === "onnx") return named("quantized") ?? named("int8") ?? first;
  const precise = named("Q8_0");
  if (precise !== undefined && precise.size < smallModelBytes) return precise;
  return named("Q4_K_M") ?? precise ?? first;
}

const smallModelBytes = 1e9;

function findGguf(files: readonly HubFile[]): Variant[] {
  const groups = new Map<string, HubFile[]>();
  for (const file of files) {
    // A projector and a table of importances are no models of their own.
    if (!/\.gguf$/i.test(file.path) || /(?:^|[-_.\/])(?:mmproj|imatrix)/i.test(file.path)) continue;
    const key = parseSplitName(file.path)?.base ?? file.path;
    groups.set(key, [...groups.get(key) ?? [], file]);
  }
  const variants = [...groups].map(([key, parts]) => {
    const sorted = parts.toSorted((a, b) => a.path < b.path ? -1 : 1);
    const stem = key.replace(/\.gguf$/i, "");
    return { stem, quant: quantOfFileName(`${stem}.gguf`), files: sorted };
  }).filter(({ files }) => isComplete(files));
  return variants.map(({ stem, quant, files }) => {
    // Two models of one quantization in one repository are told apart by their files.
    const isOnly = variants.filter((other) => other.quant === quant).length === 1;
    const name = isOnly && quant !== undefined ? quant : baseName(stem);
    return {
      ...{ format: "gguf" as const, files, size: sizeOf(files) },
      name: variants.length === 1 && quant === undefined ? undefined : name,
    };
  });
}

function isComplete(parts: readonly HubFile[]): boolean {
  const split = parseSplitName(parts[0]?.path ?? "");
  return split === undefined || split.count === parts.length;
}

const onnxName = /^(.*?)(?:_(fp16|q4|q4f16|q8|int8|uint8|quantized|bnb4))?\.onnx$/;

function findOnnx(files: readonly HubFile[]): Variant[] {
  const groups = new Map<string, { name: string | undefined; bases: string[]; files: HubFile[] }>();
  for (const file of files) {
    const found = onnxName.exec(file.path);
    if (found === null) continue;
    const [, base = "", name] = found;
    const folder = base.slice(0, base.lastIndexOf("/") + 1);
    // An encoder and a decoder are one model; other names are models of their own.
    const kind = /(?:encoder|decoder)[^\/]*$/.test(base) ? `${folder}encoder-decoder` : base;
    const group = groups.get(`${kind}:${name}`) ?? { name, bases: [], files: [] };
    group.bases.push(base);
    group.files.push(file);
    groups.set(`${kind}:${name}`, group);
  }
  const kinds = new Set([...groups.keys()].map((key) => key.slice(0, key.lastIndexOf(":"))));
  return [...groups].map(([key, { name, files: weights }]) => {
    const kind = key.slice(0, key.lastIndexOf(":"));
    const chosen = withoutTwins(weights);
    const external = files.filter(({ path }) =>
      chosen.some((file) => path.startsWith(`${file.path}_data`) || path === `${file.path}.data`)
    );
    const label = [
      ...(kinds.size > 1 ? [baseName(kind)] : []),
      ...(name === undefined ? [] : [name]),
    ];
    return {
      ...{ format: "onnx" as const, size: sizeOf([...chosen, ...external]) },
      name: label.length === 0 ? undefined : label.join("_"),
      files: [...chosen, ...external, ...findSidecars(files)],
    };
  });
}

/** A merged decoder does what the two others do. */
function withoutTwins(weights: readonly HubFile[]): HubFile[] {
  const isMerged = weights.some(({ path }) => /decoder_model_merged/.test(path));
  if (!isMerged) return [...weights];
  return weights.filter(({ path }) => !/decoder(?:_with_past)?_model(?!_merged)/.test(path));
}

function findSafetensors(files: readonly HubFile[]): Variant[] {
  const weights = files.filter(({ path }) => /^model(?:-\d{5}-of-\d{5})?\.safetensors$/.test(path))
    .toSorted((a, b) => a.path < b.path ? -1 : 1);
  if (weights.length === 0) return [];
  const index = files.filter(({ path }) => path === "model.safetensors.index.json");
  return [{
    ...{ format: "safetensors", name: undefined, size: sizeOf(weights) },
    files: [...weights, ...index, ...findSidecars(files)],
  }];
}

const sidecars = new Set([
  ...["config.json", "generation_config.json", "preprocessor_config.json", "processor_config.json"],
  ...["tokenizer.json", "tokenizer_config.json", "tokenizer.model", "special_tokens_map.json"],
  ...["added_tokens.json", "vocab.json", "vocab.txt", "merges.txt", "chat_template.jinja"],
  ...["modules.json", "sentence_bert_config.json", "1_Pooling/config.json"],
  ...["config_sentence_transformers.json"],
]);
const maxSidecarBytes = 64 * 1024 ** 2;

function findSidecars(files: readonly HubFile[]): HubFile[] {
  return files.filter(({ path, size }) => sidecars.has(path) && size <= maxSidecarBytes);
}

function sizeOf(files: readonly HubFile[]): number {
  return files.reduce((sum, { size }) => sum + size, 0);
}

function baseName(path: string): string {
  return path.slice(path.lastIndexOf("/") + 1);
}
