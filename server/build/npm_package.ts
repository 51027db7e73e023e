// Shows esbuild the packages in Deno's npm cache, which it does not know: a folder of links, made for one build.

import { basename, dirname, join } from "node:path";

export interface NpmPackages extends AsyncDisposable {
  /** The registry that they came from; undefined where its name does not tell. */
  readonly registry: string | undefined;
  /** For esbuild's `nodePaths`. */
  readonly folder: string;
  /** The folder of one package. */
  find(name: string): string;
}

/** Links every package of deno.lock; downloads, checked against it, what is absent. */
export async function linkNpmPackages(root: string): Promise<NpmPackages> {
  const { imports } = await readJson<{ imports: Record<string, string> }>(
    join(root, "import_map.json"),
  );
  const { npm, specifiers } = await readJson<{ npm: object; specifiers: object }>(
    join(root, "deno.lock"),
  );
  const versions = new Map<string, string>();
  for (const key of Object.keys(npm)) {
    const { name, version } = parseKey(key);
    // Of two versions, the one that bkg itself asked for.
    if (!versions.has(name) || imports[name] === `npm:${name}@${version}`) {
      versions.set(name, version);
    }
  }
  await deno(["cache", "--quiet", "--config", join(root, "deno.json"), ...Object.keys(specifiers)]);
  const { npmCache } = JSON.parse(await deno(["info", "--json"])) as { npmCache: string };
  const registries = [...Deno.readDirSync(npmCache)].map(({ name }) => join(npmCache, name));
  const folder = await Deno.makeTempDir({ prefix: "bkg-packages-" });
  const targets = new Map<string, string>();
  for (const [name, version] of versions) {
    const target = registries.map((registry) => join(registry, name, version)).find(isFolder);
    // A package for another system was never downloaded.
    if (target === undefined) continue;
    targets.set(name, target);
    await Deno.mkdir(dirname(join(folder, name)), { recursive: true });
    await Deno.symlink(target, join(folder, name), { type: "junction" });
  }
  const [used] = targets.values();
  return {
    folder,
    registry: registryOf(registries.find((path) => used?.startsWith(path))),
    find(name) {
      const target = targets.get(name);
      if (target === undefined) throw new Error(`"${name}" is not in the npm cache "${npmCache}"`);
      return target;
    },
    [Symbol.asyncDispose]: () => Deno.remove(folder, { recursive: true }),
  };
}

/** Deno names a registry's folder after its host, with a port behind "_". */
function registryOf(folder: string | undefined): string | undefined {
  if (folder === undefined) return undefined;
  const url = `https://${basename(folder).replace(/_(\d+)$/, ":$1")}`;
  return URL.canParse(url) ? url : undefined;
}

/** `@scope/name@1.2.3_peer@4.5.6` */
function parseKey(key: string): { name: string; version: string } {
  const at = key.indexOf("@", 1);
  return { name: key.slice(0, at), version: key.slice(at + 1).split("_", 1)[0] ?? "" };
}

function isFolder(path: string): boolean {
  try {
    return Deno.statSync(path).isDirectory;
  } catch {
    return false;
  }
}

async function readJson<T>(path: string): Promise<T> {
  return JSON.parse(await Deno.readTextFile(path)) as T;
}

async function deno(args: string[]): Promise<string> {
  const command = new Deno.Command(Deno.execPath(), { args, stderr: "piped" });
  const { success, stdout, stderr } = await command.output();
  const decoder = new TextDecoder();
  if (!success) throw new Error(`deno ${args.join(" ")}: ${decoder.decode(stderr).trim()}`);
  return decoder.decode(stdout);
}
