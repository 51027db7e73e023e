// Finds a package of import_map.json in Deno's npm cache, for esbuild, which does not know that cache.

import { join } from "node:path";

/** The folder of the package that import_map.json pins; downloads it, checked against deno.lock, if absent. */
export async function npmPackageFolder(name: string, root: string): Promise<string> {
  const map = JSON.parse(await Deno.readTextFile(join(root, "import_map.json"))) as {
    imports: Record<string, string>;
  };
  const specifier = map.imports[name];
  const version = specifier?.slice(`npm:${name}@`.length);
  if (specifier === undefined || version === undefined) {
    throw new Error(`import_map.json does not pin "${name}"`);
  }
  await deno(["cache", "--quiet", "--config", join(root, "deno.json"), specifier]);
  const { npmCache } = JSON.parse(await deno(["info", "--json"])) as { npmCache: string };
  for await (const registry of Deno.readDir(npmCache)) {
    const folder = join(npmCache, registry.name, name, version);
    if (await Deno.stat(folder).catch(() => undefined)) return folder;
  }
  throw new Error(`"${specifier}" is not in the npm cache at "${npmCache}"`);
}

async function deno(args: string[]): Promise<string> {
  const command = new Deno.Command(Deno.execPath(), { args, stderr: "piped" });
  const { success, stdout, stderr } = await command.output();
  const decoder = new TextDecoder();
  if (!success) throw new Error(`deno ${args.join(" ")}: ${decoder.decode(stderr).trim()}`);
  return decoder.decode(stdout);
}
