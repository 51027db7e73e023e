// Sessions of a version without a database: `<data folder>/sessions.json`, which holds hashes alone. Caller:
// session_store.ts, which takes them over once.
// A file that others could have written, or that cannot be read, signs nobody in.

import { z } from "zod";
import type { StoredSession } from "./session_store.ts";

/** Undefined without a file; no sessions, and a sentence in `warnings`, when the file cannot be trusted. */
export async function readSessionFile(
  path: string,
): Promise<{ sessions: StoredSession[]; warnings: string[] } | undefined> {
  const none = (reason: string) => ({
    sessions: [],
    warnings: [`"${path}" ${reason}, so everyone must sign in again`],
  });
  let info: Deno.FileInfo;
  try {
    info = await Deno.lstat(path);
  } catch (error) {
    if (error instanceof Deno.errors.NotFound) return undefined;
    throw error;
  }
  if (!info.isFile) return none("is not a plain file");
  if (info.size > maxFileBytes) return none(`has more than ${maxFileBytes} bytes`);
  const warnings: string[] = [];
  if (Deno.build.os !== "windows" && info.mode !== null) {
    const mode = (info.mode & 0o777).toString(8);
    if ((info.mode & 0o022) !== 0) return none(`could be written by other users (mode ${mode})`);
    if (info.uid !== Deno.uid()) return none("belongs to another user");
    if ((info.mode & 0o077) !== 0) {
      await Deno.chmod(path, 0o600);
      warnings.push(`"${path}" was open to other users (mode ${mode}); it is now 600`);
    }
  }
  try {
    const { sessions } = fileSchema.parse(JSON.parse(await Deno.readTextFile(path)));
    return { sessions, warnings };
  } catch {
    return none("is damaged");
  }
}

const maxFileBytes = 1024 * 1024;

const fileSchema = z.strictObject({
  sessions: z.array(z.strictObject({
    hash: z.string().regex(/^[A-Za-z0-9_-]{43}$/),
    principal: z.strictObject({
      id: z.string().min(1).max(200),
      role: z.enum(["admin", "operator", "user"]),
    }),
    createdAtMs: z.int().min(0),
    expiresAtMs: z.int().min(0),
  })),
});
