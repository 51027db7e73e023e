// A plugin on disk: its manifest, and its one bundle, made from plugin.ts where there is no plugin.js.
// A stranger wrote what is in the folder: no links, capped sizes, nothing from outside.

import { basename, join } from "node:path";
import { AppError, toAppError } from "../../plugins/runtime/contract/error.ts";
import { maxManifestBytes } from "../../plugins/runtime/contract/manifest.ts";
import type { InstalledPlugin } from "../../plugins/runtime/host/registry.ts";
import { bundleStamp } from "../build/bundle_stamp.ts";
import { loadBundler } from "../build/bundles.ts";

const maxBundleBytes = 64 * 1024 * 1024;
const maxFolderFiles = 10_000;

/** One of our own plugins, whose bundle the build made. */
export async function readBuiltinPlugin(
  folder: string,
  bundles: string,
): Promise<InstalledPlugin> {
  return {
    source: basename(folder),
    origin: "builtin",
    manifest: await readManifest(folder),
    loadCode: () => readText(join(bundles, `${basename(folder)}.js`), maxBundleBytes),
    reread: () => readBuiltinPlugin(folder, bundles),
  };
}

/** A stranger's plugin; `cacheFolder` keeps what is bundled from its plugin.ts. */
export async function readExternalPlugin(
  folder: string,
  cacheFolder: string,
): Promise<InstalledPlugin> {
  return {
    source: basename(folder),
    origin: "external",
    manifest: await readManifest(folder),
    async loadCode() {
      await refuseLinks(folder);
      const ready = join(folder, "plugin.js");
      if (await isFile(ready)) return readText(ready, maxBundleBytes);
      return readText(await bundleFromSource(folder, cacheFolder), maxBundleBytes);
    },
    reread: () => readExternalPlugin(folder, cacheFolder),
  };
}

/**
 * The plugin folders that `path` names: itself when it holds a plugin.json, else its direct
 * subfolders that do, sorted. A missing path has none.
 */
export async function findPluginFolders(path: string): Promise<string[]> {
  if (await isFile(join(path, "plugin.json"))) return [path];
  const found: string[] = [];
  try {
    for await (const entry of Deno.readDir(path)) {
      const folder = join(path, entry.name);
      if (entry.isDirectory && await isFile(join(folder, "plugin.json"))) found.push(folder);
    }
  } catch (error) {
    if (!(error instanceof Deno.errors.NotFound)) throw error;
  }
  return found.sort();
}

/** plugin.json's value; the error, as a value, when it cannot be read: the host lists such a plugin too. */
async function readManifest(folder: string): Promise<unknown> {
  try {
    const text = await readText(join(folder, "plugin.json"), maxManifestBytes);
    try {
      return JSON.parse(text);
    } catch (cause) {
      const reason = cause instanceof Error ? cause.message : String(cause);
      return new AppError("INVALID_MANIFEST", `plugin.json is no valid JSON: ${reason}`, { cause });
    }
  } catch (error) {
    return toAppError(error, "INVALID_MANIFEST");
  }
}

async function readText(path: string, maxBytes: number): Promise<string> {
  const name = basename(path);
  const info = await Deno.lstat(path).catch((cause) => {
    throw new AppError("INVALID_MANIFEST", `The plugin has no readable "${name}"`, { cause });
  });
  if (!info.isFile) {
    throw new AppError("INVALID_MANIFEST", `The plugin's "${name}" is not a plain file`);
  }
  if (info.size > maxBytes) {
    throw new AppError(
      "INVALID_MANIFEST",
      `The plugin's "${name}" has ${info.size} bytes, allowed are ${maxBytes}`,
    );
  }
  return await Deno.readTextFile(path);
}

/** A link would lead the host, which may read more, out of the plugin's folder. */
async function refuseLinks(folder: string, seen = { files: 0 }): Promise<void> {
  for await (const entry of Deno.readDir(folder)) {
    if (entry.isSymlink) {
      throw new AppError("INVALID_MANIFEST", `The plugin's folder holds a link: "${entry.name}"`);
    }
    if (++seen.files > maxFolderFiles) {
      throw new AppError(
        "INVALID_MANIFEST",
        `The plugin's folder has more than ${maxFolderFiles} files`,
      );
    }
    if (entry.isDirectory) await refuseLinks(join(folder, entry.name), seen);
  }
}

async function bundleFromSource(folder: string, cacheFolder: string): Promise<string> {
  const stamp = await bundleStamp(folder);
  const target = join(cacheFolder, `${stamp}.js`);
  if (await isFile(target)) return target;
  await Deno.mkdir(cacheFolder, { recursive: true });
  const { bundlePlugin } = await loadBundler();
  try {
    await bundlePlugin(folder, target);
  } catch (cause) {
    const reason = cause instanceof Error ? cause.message : String(cause);
    throw new AppError("INVALID_MANIFEST", `The plugin does not bundle: ${reason}`, { cause });
  }
  return target;
}

async function isFile(path: string): Promise<boolean> {
  const info = await Deno.lstat(path).catch(() => undefined);
  return info?.isFile ?? false;
}
