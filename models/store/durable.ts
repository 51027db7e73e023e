// Writes that a power cut leaves whole or not done: contents first, then the name, then the folder that has the name.

import { dirname } from "node:path";

/** Replaces a file's text, durably. A crash may leave `<path>.partial` behind. */
export async function writeDurably(path: string, text: string): Promise<void> {
  const draft = `${path}.partial`;
  {
    using file = await Deno.open(draft, { write: true, create: true, truncate: true });
    const bytes = new TextEncoder().encode(text);
    for (let at = 0; at < bytes.length;) at += await file.write(bytes.subarray(at));
    await file.sync();
  }
  await Deno.rename(draft, path);
  await syncFolder(dirname(path));
}

export async function syncFile(path: string): Promise<void> {
  using file = await Deno.open(path, { read: true, write: Deno.build.os === "windows" });
  await file.sync();
}

/** Makes the names in a folder durable, where the system lets a folder be opened. */
export async function syncFolder(path: string): Promise<void> {
  try {
    using folder = await Deno.open(path);
    await folder.sync();
  } catch (error) {
    if (Deno.build.os !== "windows") throw error;
  }
}

/** Makes a folder and those above it, and their names durable. */
export async function makeFolder(path: string): Promise<void> {
  const missing: string[] = [];
  for (let folder = path; !await isFolder(folder); folder = dirname(folder)) missing.push(folder);
  await Deno.mkdir(path, { recursive: true });
  for (const folder of missing) await syncFolder(dirname(folder));
}

async function isFolder(path: string): Promise<boolean> {
  return (await Deno.stat(path).catch(() => undefined))?.isDirectory ?? false;
}
