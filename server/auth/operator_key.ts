// The local operator's key: `$BKG_DATA_DIR/admin-token`, made at the first start, readable by its owner alone.
// It is the built-in admin's, database or none. Callers: main and bearer_look_up (server side), the CLI (reads it).

import { createHash, randomBytes, timingSafeEqual } from "node:crypto";
import { join } from "node:path";
import { AppError } from "../../plugins/runtime/contract/error.ts";
import { operatorId } from "./accounts.ts";
import type { Identity } from "./authenticator.ts";
import { createScopes } from "./scopes.ts";

export interface OperatorKey {
  readonly token: string;
  readonly path: string;
  /** Whether this start made it. */
  readonly created: boolean;
  /** What was put right, such as a file that others could read. */
  readonly repaired: readonly string[];
}

export function operatorKeyPath(dataDir: string): string {
  return join(dataDir, "admin-token");
}

/** Reads the key, or makes it; a link is refused, a wider mode is narrowed and named in `repaired`. */
export async function openOperatorKey(dataDir: string): Promise<OperatorKey> {
  const path = operatorKeyPath(dataDir);
  await Deno.mkdir(dataDir, { recursive: true, mode: 0o700 });
  await refuseShared(dataDir);
  const repaired = await narrow(dataDir, 0o700);
  const existing = await readOperatorKey(dataDir);
  if (existing !== undefined) {
    repaired.push(...await narrow(path, 0o600));
    return { token: existing, path, created: false, repaired };
  }
  const token = `bkg_operator_${randomBytes(32).toString("base64url")}`;
  // Linked into place whole: a second start at the same moment sees all of one key or the other.
  const draft = `${path}.${randomBytes(6).toString("hex")}`;
  await Deno.writeTextFile(draft, token + "\n", { mode: 0o600, createNew: true });
  try {
    await Deno.link(draft, path);
  } catch (error) {
    if (!(error instanceof Deno.errors.AlreadyExists)) throw error;
    const winner = await readOperatorKey(dataDir);
    if (winner === undefined) throw error;
    return { token: winner, path, created: false, repaired };
  } finally {
    await Deno.remove(draft);
  }
  return { token, path, created: true, repaired };
}

/** Reads the key; undefined when there is none. Throws FORBIDDEN for a link, INVALID_INPUT for no key inside. */
export async function readOperatorKey(dataDir: string): Promise<string | undefined> {
  const path = operatorKeyPath(dataDir);
  let info: Deno.FileInfo;
  try {
    info = await Deno.lstat(path);
  } catch (error) {
    if (error instanceof Deno.errors.NotFound) return undefined;
    throw error;
  }
  if (!info.isFile) {
    throw new AppError(
      "FORBIDDEN",
      `"${path}" is not a plain file; remove it, and the next start makes a new key`,
    );
  }
  const token = (await Deno.readTextFile(path)).trim();
  if (!tokenShape.test(token)) {
    throw new AppError(
      "INVALID_INPUT",
      `"${path}" holds no operator key; remove it, and the next start makes a new one`,
    );
  }
  return token;
}

/** Whose the operator's key is; undefined for anything else. Takes as long for whatever is wrong. */
export function createOperatorLookUp(token: string): (bearer: string) => Identity | undefined {
  const expected = sha256(token);
  const operator: Identity = Object.freeze({
    id: operatorId,
    name: "admin",
    role: "admin",
    scopes: createScopes(["*"]),
    credential: Object.freeze({ kind: "operator" }),
    allowances: [],
  });
  return (bearer) => timingSafeEqual(sha256(bearer), expected) ? operator : undefined;
}

const tokenShape = /^bkg_[A-Za-z0-9]+_[A-Za-z0-9_-]{43}$/;

function sha256(text: string): Uint8Array {
  return createHash("sha256").update(text).digest();
}

/** Narrowing a folder such as /tmp would break others, so it is refused instead. */
async function refuseShared(folder: string): Promise<void> {
  const { mode, uid } = await Deno.stat(folder);
  const foreign = uid !== null && uid !== Deno.uid();
  if (mode === null || (!foreign && (mode & 0o1000) === 0)) return;
  if (!foreign || (mode & 0o022) !== 0) {
    throw new AppError(
      "FORBIDDEN",
      `"${folder}" is shared with other users; set BKG_DATA_DIR to a folder of its own`,
    );
  }
}

async function narrow(path: string, mode: number): Promise<string[]> {
  if (Deno.build.os === "windows") return [];
  const { mode: found, uid } = await Deno.stat(path);
  if (found === null || (found & 0o077) === 0 || uid !== Deno.uid()) return [];
  await Deno.chmod(path, mode);
  return [
    `"${path}" was open to other users (mode ${(found & 0o777).toString(8)}); it is now ${
      mode.toString(8)
    }`,
  ];
}
