// Plugins of strangers for tests of the page: names that try to break a layout, permissions that nobody gave,
// a plugin that does not start.

import { join } from "node:path";

export interface ExamplePlugin {
  id: string;
  name?: string;
  description?: string;
  version?: string;
  permissions?: Record<string, unknown>;
  browser?: boolean;
  /** The body of `setup`. */
  setup?: string;
}

/** Writes each as a folder of `folder`, for BKG_PLUGIN_PATHS. */
export async function writeExamplePlugins(
  folder: string,
  plugins: readonly ExamplePlugin[],
): Promise<void> {
  for (const { id, setup = "", name = id, version = "1.0.0", ...rest } of plugins) {
    await Deno.mkdir(join(folder, id));
    await Deno.writeTextFile(
      join(folder, id, "plugin.json"),
      JSON.stringify({
        contract: "1",
        id,
        name,
        version,
        capabilities: [{ id: `${id}.run`, title: "Run", inputSchema: true, outputSchema: true }],
        ...rest,
      }),
    );
    await Deno.writeTextFile(
      join(folder, id, "plugin.js"),
      `import { definePlugin } from "@bkg/plugin";
export default definePlugin({
  async setup(ctx) { ${setup} },
  capabilities: { "${id}.run": () => null },
});
`,
    );
  }
}
