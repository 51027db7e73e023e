// Validates the files of found models: once for each state of a file, or for each digest of a blob.
// Caller: model_index. Whatever the files are, the answer is a verdict on each; nothing is thrown.

import { createHash } from "node:crypto";
import { dirname, relative } from "node:path/posix";
import { AppError } from "../../plugins/runtime/contract/error.ts";
import type { ByteReader } from "../format/cursor.ts";
import { quote } from "../format/text.ts";
import type { ModelFormat } from "../model.ts";
import { formatOf } from "./file_kinds.ts";
import { type FoundFile, type FoundModel, isSettled } from "./found.ts";
import type { HeaderCache, Verdict } from "./header_cache.ts";
import { openUnchanged } from "./open_unchanged.ts";
import { readHeader } from "./read_header.ts";

export interface JudgedFile {
  file: FoundFile;
  kind: ModelFormat | "config";
  verdict: Verdict;
  /** False when the file must be read again: it could not be, or was just written. */
  settled: boolean;
}

export interface Headers {
  /** Weights in their order, then configurations; of the sidecars also those that are weights themselves. */
  judge(model: FoundModel): Promise<JudgedFile[]>;
}

export function createHeaders(
  { cache, now }: { cache: HeaderCache; now: () => number },
): Headers {
  const listDataFiles = createDataLists();

  async function judgeFile(
    file: FoundFile,
    kind: JudgedFile["kind"],
    model: FoundModel,
  ): Promise<JudgedFile> {
    const { sizes, marks } = kind === "onnx" ? listDataFiles(file, model) : noData;
    const isBlob = model.origin === "store" && file.expected !== undefined;
    const state = isBlob ? file.expected : file.fingerprint;
    const key = [kind, state, ...marks].join(" ");
    const known = cache.get(key);
    if (known !== undefined) return { file, kind, verdict: known, settled: true };
    const { verdict, isFinal } = await readVerdict(file, kind, sizes);
    const settled = isFinal && (isBlob || isSettled(file, now()));
    if (settled) cache.set(key, verdict);
    return { file, kind, verdict, settled };
  }

  return {
    async judge(model) {
      const judged: JudgedFile[] = [];
      for (const file of model.weights) judged.push(await judgeFile(file, model.format, model));
      for (const file of model.sidecars) {
        const kind = configNames.has(file.name) ? "config" : formatOf(file.name);
        if (kind !== undefined) judged.push(await judgeFile(file, kind, model));
      }
      return judged;
    },
  };
}

const configNames: ReadonlySet<string> = new Set(["config.json", "tokenizer_config.json"]);

interface DataList {
  /** Bytes by the name that the weights would use. */
  sizes: ReadonlyMap<string, number>;
  /** What of a cached verdict's key comes from them: none for most weights. */
  marks: readonly string[];
}

const noData: DataList = { sizes: new Map(), marks: [] };

/**
 * The files in the weights' own folder and below, which they may name as their data. Made once for all models that
 * were found with them: a folder may hold thousands of both.
 */
function createDataLists(): (file: FoundFile, model: FoundModel) => DataList {
  const known = new WeakMap<readonly FoundFile[], KnownLists>();
  return ({ name }, { sidecars, beside }) => {
    let lists = known.get(beside);
    if (lists?.sidecars !== sidecars) known.set(beside, lists = { sidecars, byFolder: new Map() });
    const folder = dirname(name);
    const list = lists.byFolder.get(folder) ?? listFolder(folder, [...sidecars, ...beside]);
    lists.byFolder.set(folder, list);
    return list;
  };
}

interface KnownLists {
  sidecars: readonly FoundFile[];
  byFolder: Map<string, DataList>;
}

function listFolder(folder: string, files: readonly FoundFile[]): DataList {
  const sizes = new Map(
    files.filter(({ name }) => folder === "." || name.startsWith(`${folder}/`))
      .filter(({ name }) => !/\.(?:json|txt|md|onnx|gguf|safetensors)$/.test(name))
      .map(({ name, size }) => [folder === "." ? name : relative(folder, name), size]),
  );
  if (sizes.size === 0) return noData;
  const text = JSON.stringify([...sizes].sort());
  return { sizes, marks: [createHash("sha256").update(text).digest("hex")] };
}

async function readVerdict(
  found: FoundFile,
  kind: JudgedFile["kind"],
  dataFiles: ReadonlyMap<string, number>,
): Promise<{ verdict: Verdict; isFinal: boolean }> {
  try {
    using file = await openUnchanged(found, found.fingerprint);
    const facts = await readHeader(createReader(file, found.size), { kind, dataFiles });
    return { verdict: { facts }, isFinal: true };
  } catch (error) {
    if (error instanceof AppError && error.code === "INVALID_MODEL") {
      return { verdict: { error }, isFinal: true };
    }
    const reason = error instanceof AppError
      ? error.message
      : `${quote(found.name)} cannot be read`;
    return {
      verdict: { error: new AppError("INVALID_MODEL", reason, { cause: error }) },
      isFinal: false,
    };
  }
}

/** Reads anywhere in an open file; one read at a time. */
export function createReader(file: Deno.FsFile, size: number): ByteReader {
  return {
    size,
    async read(offset, length) {
      await file.seek(offset, Deno.SeekMode.Start);
      const bytes = new Uint8Array(length);
      let filled = 0;
      while (filled < length) {
        const count = await file.read(bytes.subarray(filled));
        if (count === null) break;
        filled += count;
      }
      return bytes.subarray(0, filled);
    },
  };
}
