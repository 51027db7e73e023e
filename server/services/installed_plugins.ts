// Every plugin that this server knows: ours, and those below BKG_PLUGIN_PATHS.

import { join } from "node:path";
import type { InstalledPlugin } from "../../plugins/runtime/host/registry.ts";
import { projectRoot } from "../build/bundles.ts";
import { findPluginFolders, readBuiltinPlugin, readExternalPlugin } from "./plugin_folder.ts";

export interface InstalledPluginsOptions {
  /** The folder with the bundles of our own plugins. */
  bundles: string;
  /** BKG_PLUGIN_PATHS. */
  pluginPaths: readonly string[];
  /** Where bundles made from a stranger's plugin.ts are kept. */
  cacheFolder: string;
}

export async function findInstalledPlugins(
  { bundles, pluginPaths, cacheFolder }: InstalledPluginsOptions,
): Promise<InstalledPlugin[]> {
  const own = (await findPluginFolders(join(projectRoot, "plugins"))).map((folder) =>
    readBuiltinPlugin(folder, join(bundles, "plugins"))
  );
  const paths = await Promise.all(pluginPaths.map((path) => findPluginFolders(path)));
  const strangers = [...new Set(paths.flat())].map((folder) =>
    readExternalPlugin(folder, cacheFolder)
  );
  return await Promise.all([...own, ...strangers]);
}
