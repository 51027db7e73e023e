// The only caller of esbuild. Loaded when something must be built, so that a warm start never pays for it.

import * as esbuild from "esbuild";
import { join } from "node:path";
import { preludeSource } from "../../plugins/runtime/boot/prelude.ts";
import { linkNpmPackages } from "./npm_package.ts";
import { confinedTo } from "./confine.ts";
import { databaseFiles } from "./database.ts";
import { mendedPostgres } from "./postgres_driver.ts";
import { bundlePage, type PageSizes } from "./page.ts";

export interface BundleSizes {
  /** Bytes of each bundle, by its path in the folder. */
  bundles: Record<string, number>;
  page: PageSizes;
}

/** Bundles bkg's own parts into `folder`. */
export async function bundleOwn(
  { root, folder }: { root: string; folder: string },
): Promise<BundleSizes> {
  await using packages = await linkNpmPackages(root);
  await Deno.mkdir(join(folder, "database"), { recursive: true });
  await Deno.mkdir(join(folder, "engines/asyncify"), { recursive: true });
  await Deno.mkdir(join(folder, "plugins"), { recursive: true });
  const wllama = packages.find("@wllama/wllama");
  const onnxruntime = join(packages.find("onnxruntime-web"), "dist");
  const sizes: Record<string, number> = {};
  const add = async (name: string, options: esbuild.BuildOptions) => {
    sizes[name] = await bundle(join(folder, name), options);
  };
  const copy = async (name: string, bytes: Uint8Array) => {
    await put(join(folder, name), bytes);
    sizes[name] = bytes.length;
  };
  try {
    await copy(
      "registry.json",
      new TextEncoder().encode(JSON.stringify({ registry: packages.registry })),
    );
    await copy("prelude.js", new TextEncoder().encode(preludeSource));
    await add("cell.js", {
      entryPoints: [join(root, "server/cells/cell_main.ts")],
      platform: "node",
    });
    await add("boot.js", { entryPoints: [join(root, "plugins/runtime/boot/main.ts")] });
    await add("engines/wllama.js", {
      entryPoints: [join(root, "plugins/runtime/engines/wllama/mod.ts")],
      alias: { "@wllama/wllama": join(wllama, "esm/index.js") },
    });
    await add("engines/chat_template.js", {
      entryPoints: [join(root, "plugins/runtime/engines/wllama/chat_template_worker.ts")],
      nodePaths: [packages.folder],
    });
    await copy("engines/wllama.wasm", await Deno.readFile(join(wllama, "esm/wasm/wllama.wasm")));
    await add("engines/onnx.js", {
      entryPoints: [join(root, "plugins/runtime/engines/onnx/mod.ts")],
    });
    await add("engines/transformers.js", {
      entryPoints: [join(root, "plugins/runtime/engines/transformers/mod.ts")],
      nodePaths: [packages.folder],
    });
    const onnxWorker = (module: string): esbuild.BuildOptions => ({
      entryPoints: [join(root, "plugins/runtime/engines/onnx/worker.ts")],
      alias: { "onnxruntime-web": join(onnxruntime, module) },
      // A stranger's page runs it as a classic script, which knows no import.meta.
      define: { "import.meta.url": "globalThis.location.href" },
    });
    await add("engines/onnx_worker.js", onnxWorker("ort.jspi.min.mjs"));
    await add("engines/asyncify/onnx_worker.js", onnxWorker("ort.webgpu.min.mjs"));
    for (const ending of ["mjs", "wasm"]) {
      const source = join(onnxruntime, `ort-wasm-simd-threaded.jspi.${ending}`);
      await copy(`engines/ort.${ending}`, await Deno.readFile(source));
    }
    await add("password_worker.js", {
      entryPoints: [join(root, "server/auth/password_worker.ts")],
      nodePaths: [packages.folder],
    });
    await add("onnxruntime_worker.js", {
      entryPoints: [join(root, "server/cells/native/onnxruntime_worker.ts")],
      platform: "node",
    });
    await add("hash_worker.js", {
      entryPoints: [join(root, "models/pull/hash_worker.ts")],
      platform: "node",
    });
    for (const name of ["main", "worker"]) {
      await add(`database/${name}.js`, {
        entryPoints: [join(root, `server/db/pglite_${name}.ts`)],
        platform: "node",
        alias: Object.fromEntries(nodeModules.map((name) => [name, `node:${name}`])),
        nodePaths: [packages.folder],
      });
    }
    await add("database/postgres.js", {
      entryPoints: [join(packages.find("postgres"), "src/index.js")],
      platform: "node",
      alias: Object.fromEntries(nodeModules.map((name) => [name, `node:${name}`])),
      plugins: [mendedPostgres()],
    });
    for (
      const [name, bytes] of Object.entries(
        await databaseFiles(packages, {
          folder: join(folder, "database"),
          migrations: join(root, "server/db/migrations"),
        }),
      )
    ) {
      await copy(`database/${name}`, bytes);
    }
    for (const plugin of await builtinPlugins(root)) {
      await add(`plugins/${plugin}.js`, pluginOptions(join(root, "plugins", plugin)));
    }
    const runtime = [
      "boot.js",
      ...Object.keys(sizes).filter((name) => name.startsWith("engines/")),
    ];
    const asyncify = join(onnxruntime, "ort-wasm-simd-threaded.asyncify");
    const page = await bundlePage({
      root,
      folder: join(folder, "page"),
      packages: packages.folder,
      runtime: {
        ...Object.fromEntries(runtime.map((name) => [name, join(folder, name)])),
        // For browsers alone: straight out of the package.
        "engines/asyncify/ort.mjs": `${asyncify}.mjs`,
        "engines/asyncify/ort.wasm": `${asyncify}.wasm`,
      },
    });
    return { bundles: sizes, page };
  } finally {
    await esbuild.stop();
  }
}

/** Bundles a stranger's plugin.ts; refuses inputs outside its folder and packages it may not have. */
export async function bundlePlugin(folder: string, target: string): Promise<void> {
  try {
    await bundle(target, pluginOptions(folder));
  } finally {
    await esbuild.stop();
  }
}

/** Packages import them by names that Deno does not know. */
const nodeModules = [
  ...["crypto", "fs", "fs/promises", "module", "net", "os", "path", "perf_hooks", "stream"],
  ...["stream/promises", "tls", "url", "util", "zlib"],
];

async function bundle(target: string, options: esbuild.BuildOptions): Promise<number> {
  const result = await esbuild.build({
    bundle: true,
    format: "esm",
    platform: "browser",
    target: "es2023",
    minifySyntax: true,
    legalComments: "none",
    write: false,
    logLevel: "silent",
    tsconfigRaw: "{}",
    ...options,
  });
  const bytes = result.outputFiles?.[0]?.contents ?? new Uint8Array();
  await put(target, bytes);
  return bytes.length;
}

/** Renamed into place, so that a reader never sees half a file. */
async function put(target: string, bytes: Uint8Array): Promise<void> {
  const partial = `${target}.${crypto.randomUUID()}.partial`;
  await Deno.writeFile(partial, bytes);
  await Deno.rename(partial, target);
}

function pluginOptions(folder: string): esbuild.BuildOptions {
  return {
    entryPoints: [join(folder, "plugin.ts")],
    absWorkingDir: folder,
    // The boot resolves this name, so that guest and contract come with bkg, not with the plugin.
    external: ["@bkg/plugin"],
    plugins: [confinedTo(folder)],
  };
}

async function builtinPlugins(root: string): Promise<string[]> {
  const found: string[] = [];
  for await (const entry of Deno.readDir(join(root, "plugins"))) {
    if (!entry.isDirectory || entry.name === "runtime") continue;
    const manifest = await Deno.stat(join(root, "plugins", entry.name, "plugin.json"))
      .catch(() => undefined);
    if (manifest?.isFile) found.push(entry.name);
  }
  return found.sort();
}
