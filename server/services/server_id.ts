// Which server a data folder is: a random id in `server-id`, made once. Several servers on one database tell by it
// what works on their own disk.

import { join } from "node:path";

export async function readServerId(dataDir: string): Promise<string> {
  const path = join(dataDir, "server-id");
  const known = (await Deno.readTextFile(path).catch(missing)).trim();
  if (/^[\w-]{8,64}$/.test(known)) return known;
  const id = crypto.randomUUID();
  const draft = `${path}.partial`;
  await Deno.writeTextFile(draft, `${id}\n`);
  await Deno.rename(draft, path);
  return id;
}

function missing(error: unknown): string {
  if (error instanceof Deno.errors.NotFound) return "";
  throw error;
}
