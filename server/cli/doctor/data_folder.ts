// The data folder: there, private, writable, with room. Caller: `bkg doctor`.

import { statfs } from "node:fs/promises";
import { dirname, join } from "node:path";
import { type Finding, inBinaryUnits } from "./finding.ts";

export async function checkDataFolder(dataDir: string): Promise<Finding[]> {
  const what = "data folder";
  const found = await stat(dataDir);
  if (found === undefined) {
    const parent = await nearest(dirname(dataDir));
    return await isWritable(parent)
      ? [
        { state: "ok", what, message: `"${dataDir}" is made at the first start` },
        ...await checkRoom(parent),
      ]
      : [{
        state: "fail",
        what,
        message:
          `"${dataDir}" cannot be made in "${parent}": set BKG_DATA_DIR to a folder of yours`,
      }];
  }
  if (!found.isDirectory) {
    return [{ state: "fail", what, message: `"${dataDir}" is no folder: set BKG_DATA_DIR to one` }];
  }
  if (!await isWritable(dataDir)) {
    const message = `"${dataDir}" cannot be written by this user: chown it, or set BKG_DATA_DIR`;
    return [{ state: "fail", what, message }, ...await checkRoom(dataDir)];
  }
  const isOpen = Deno.build.os !== "windows" && ((found.mode ?? 0) & 0o077) !== 0;
  return [
    isOpen
      ? { state: "warn", what, message: `others can look into "${dataDir}": chmod 700 it` }
      : { state: "ok", what, message: `"${dataDir}" is private and writable` },
    ...await checkRoom(dataDir),
  ];
}

const roomToRun = 100 * 1_048_576;
const roomToWork = 1024 * 1_048_576;

async function checkRoom(folder: string): Promise<Finding[]> {
  const what = "disk";
  try {
    const { bavail, bsize } = await statfs(folder);
    const free = Number(bavail) * Number(bsize);
    const text = `${inBinaryUnits(free)} free for "${folder}"`;
    if (free < roomToRun) return [{ state: "fail", what, message: `only ${text}: make room` }];
    if (free < roomToWork) {
      return [{ state: "warn", what, message: `only ${text}: few models fit there` }];
    }
    return [{ state: "ok", what, message: text }];
  } catch {
    // Some file systems do not tell.
    return [];
  }
}

/** By writing: rights, mounts and quotas all have a say. */
async function isWritable(folder: string): Promise<boolean> {
  const path = join(folder, `.doctor-${crypto.randomUUID()}`);
  try {
    await Deno.writeTextFile(path, "x", { createNew: true, mode: 0o600 });
    await Deno.remove(path);
    return true;
  } catch {
    return false;
  }
}

async function nearest(folder: string): Promise<string> {
  for (let path = folder;; path = dirname(path)) {
    if (await stat(path) !== undefined || dirname(path) === path) return path;
  }
}

function stat(path: string): Promise<Deno.FileInfo | undefined> {
  return Deno.stat(path).catch(() => undefined);
}
