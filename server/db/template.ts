// An empty database, made once when bkg is built: a first start unpacks it instead of running initdb (2 to 9 s).
// Format, gzip: one line of JSON, the list of entries, then the files' bytes in that order.

import { dirname, join, relative } from "node:path";

interface Entry {
  path: string;
  /** Bytes; absent for a folder. */
  size?: number;
}

/** The folder's content as one compressed file. */
export async function packTemplate(folder: string): Promise<Uint8Array> {
  const entries: Entry[] = [];
  const contents: BlobPart[] = [];
  const visit = async (path: string) => {
    for (const { name, isDirectory } of sortedEntries(path)) {
      const inner = join(path, name);
      if (isDirectory) {
        entries.push({ path: relative(folder, inner) });
        await visit(inner);
      } else {
        const bytes = await Deno.readFile(inner);
        entries.push({ path: relative(folder, inner), size: bytes.length });
        contents.push(bytes);
      }
    }
  };
  await visit(folder);
  const whole = new Blob([JSON.stringify(entries) + "\n", ...contents]);
  const packed = new Response(whole.stream().pipeThrough(new CompressionStream("gzip")));
  return new Uint8Array(await packed.arrayBuffer());
}

/** Fills `target` whole or not at all; one that is there is left alone. */
export async function unpackTemplate(template: string, target: string): Promise<void> {
  if (await exists(target)) return;
  const { body } = new Response((await Deno.open(template)).readable);
  const unpacked = new Response(body!.pipeThrough(new DecompressionStream("gzip")));
  const bytes = await unpacked.bytes();
  const end = bytes.indexOf(lineBreak);
  const entries = JSON.parse(new TextDecoder().decode(bytes.subarray(0, end))) as Entry[];
  // A kill in the middle leaves only what the next start throws away.
  const draft = join(dirname(target), "unpacking");
  await Deno.remove(draft, { recursive: true }).catch(() => {});
  Deno.mkdirSync(draft, { mode: 0o700 });
  let at = end + 1;
  for (const { path, size } of entries) {
    const inner = join(draft, path);
    if (size === undefined) {
      Deno.mkdirSync(inner, { mode: 0o700 });
      continue;
    }
    Deno.writeFileSync(inner, bytes.subarray(at, at + size), { mode: 0o600 });
    at += size;
  }
  await Deno.rename(draft, target);
  // Now, and not when garbage is next collected.
  bytes.buffer.transfer(0);
}

const lineBreak = 10;

function sortedEntries(path: string): Deno.DirEntry[] {
  return [...Deno.readDirSync(path)].sort((a, b) => a.name < b.name ? -1 : 1);
}

async function exists(path: string): Promise<boolean> {
  try {
    await Deno.stat(path);
    return true;
  } catch (error) {
    if (error instanceof Deno.errors.NotFound) return false;
    throw error;
  }
}
