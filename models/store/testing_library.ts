// Folders, small models and a library for the tests of the store.

import { createHash } from "node:crypto";
import { dirname, join } from "node:path";
import {
  encodeHeader,
  type HeaderParts,
  joinBytes,
  padding,
  stringValue,
  u32Value,
} from "../gguf/encode.ts";
import type { ModelManifest } from "../model.ts";
import { type ModelLibraryOptions, type OpenModelLibrary, openModelLibrary } from "./library.ts";

/** A valid GGUF file of 224 bytes or a little more. */
export function makeModel(
  name = "A model",
  metadata: HeaderParts["metadata"] = [],
): Uint8Array<ArrayBuffer> {
  const header = encodeHeader({
    metadata: [
      ["general.architecture", stringValue("llama")],
      ["general.name", stringValue(name)],
      ["llama.context_length", u32Value(64)],
      ...metadata,
    ],
    tensors: [{ name: "w", dims: [8], type: 0, offset: 0 }],
  });
  return joinBytes([header, padding(header.length, 32), new Uint8Array(32)]);
}

export async function inFolder(run: (folder: string) => Promise<void>): Promise<void> {
  const folder = await Deno.realPath(await Deno.makeTempDir({ prefix: "bkg_store_" }));
  try {
    await run(folder);
  } finally {
    await Deno.remove(folder, { recursive: true });
  }
}

/** Writes files below `folder`, and the folders they need. */
export async function write(
  folder: string,
  files: Readonly<Record<string, Uint8Array | string>>,
): Promise<void> {
  for (const [name, content] of Object.entries(files)) {
    const path = join(folder, name);
    await Deno.mkdir(dirname(path), { recursive: true });
    const bytes = typeof content === "string" ? new TextEncoder().encode(content) : content;
    await Deno.writeFile(path, bytes);
  }
}

/** A library whose own store is `<folder>/.own`, where no other place looks. */
export function openLibrary(
  folder: string,
  options: Partial<ModelLibraryOptions> = {},
): Promise<OpenModelLibrary> {
  return openModelLibrary({
    folder: join(folder, ".own/models"),
    modelPaths: [],
    caches: [],
    demoFolder: join(folder, ".own/demo"),
    digestCache: join(folder, ".own/cache/digests.json"),
    ...options,
  });
}

export async function listIds(library: Pick<OpenModelLibrary, "list">): Promise<string[]> {
  return (await library.list()).map(({ id }) => id);
}

export function digestOf(bytes: Uint8Array): string {
  return `sha256:${createHash("sha256").update(bytes).digest("hex")}`;
}

/** What the puller does: the files into `partial/`, from there into the store; answers their manifest. */
export async function adopt(
  { blobs }: Pick<OpenModelLibrary, "blobs">,
  id: string,
  files: Readonly<Record<string, Uint8Array>>,
  more: Partial<ModelManifest> = {},
): Promise<ModelManifest> {
  const manifest = makeManifest(id, files, more);
  const partial = await blobs.openPartial("a-job");
  for (const [at, bytes] of Object.values(files).entries()) {
    const path = join(partial, `${at}`);
    await Deno.writeFile(path, bytes);
    await blobs.adopt(path, digestOf(bytes));
  }
  await blobs.removePartial("a-job");
  return manifest;
}

export function makeManifest(
  id: string,
  files: Readonly<Record<string, Uint8Array>>,
  more: Partial<ModelManifest> = {},
): ModelManifest {
  return {
    version: 1,
    id,
    source: id,
    pinned: false,
    pulledAtMs: 1_700_000_000_000,
    files: Object.entries(files).map(([name, bytes]) => ({
      name,
      size: bytes.length,
      digest: digestOf(bytes),
    })),
    ...more,
  };
}

/** None for a folder that is not there. */
export async function* readNames(path: string): AsyncGenerator<string> {
  try {
    for await (const { name } of Deno.readDir(path)) yield name;
  } catch (error) {
    if (!(error instanceof Deno.errors.NotFound)) throw error;
  }
}
