// Bundles the page: hashed names, one chunk a page, compressed once here and not at every request.
// files.json says what is served and how; server/services/page_files.ts reads it.

import * as esbuild from "esbuild";
import { createHash } from "node:crypto";
import { dirname, join, relative } from "node:path";
import { brotliCompressSync, constants, gzipSync } from "node:zlib";

/** A file of the page, as files.json has it. */
export interface PageFile {
  contentType: string;
  etag: string;
  immutable: boolean;
  /** Bytes: as it is, and compressed where that was worth it. */
  size: number;
  brotliSize?: number;
  gzipSize?: number;
}

export interface PageSizes {
  /** Compressed bytes of the scripts that every visit loads before a page's own chunk. */
  firstLoad: number;
  /** Compressed bytes of each lazy page with what it alone brings along. */
  pages: Record<string, number>;
}

export interface BundlePageOptions {
  root: string;
  /** dist/page */
  folder: string;
  /** esbuild's `nodePaths`. */
  packages: string;
  /** Bundles that the page takes in as well, by the name under which it asks for them, such as "boot.js". */
  runtime: Record<string, string>;
}

/** Made beside `folder` and moved into its place, so that nobody reads half a page. */
export async function bundlePage(options: BundlePageOptions): Promise<PageSizes> {
  const draft = `${options.folder}.${crypto.randomUUID()}.partial`;
  try {
    const sizes = await bundleInto({ ...options, folder: draft });
    await Deno.remove(options.folder, { recursive: true }).catch(() => {});
    await Deno.rename(draft, options.folder);
    return sizes;
  } catch (error) {
    await Deno.remove(draft, { recursive: true }).catch(() => {});
    throw error;
  }
}

async function bundleInto(options: BundlePageOptions): Promise<PageSizes> {
  const { root, folder, packages, runtime } = options;
  const assets = join(folder, "assets");
  await Deno.mkdir(assets, { recursive: true });
  const common = {
    bundle: true,
    platform: "browser",
    target: "es2023",
    minify: true,
    nodePaths: [packages],
    // Licences of what is bundled go beside it, as their terms ask.
    legalComments: "external",
    logLevel: "silent",
    tsconfigRaw: "{}",
    absWorkingDir: root,
    metafile: true,
  } satisfies esbuild.BuildOptions;
  const { metafile } = await esbuild.build({
    ...common,
    entryPoints: { main: join(root, "ui/main.ts"), styles: join(root, "ui/theme/main.css") },
    format: "esm",
    splitting: true,
    outdir: assets,
    entryNames: "[name]-[hash]",
    chunkNames: "[name]-[hash]",
  });
  const scripts = await esbuild.build({
    ...common,
    entryPoints: {
      theme: join(root, "ui/theme/theme.ts"),
      keeper: join(root, "ui/local/keeper.ts"),
      model_writer: join(root, "ui/local/model_writer.ts"),
      stranger_frame: join(root, "ui/local/stranger_frame.ts"),
    },
    format: "iife",
    outdir: assets,
  });
  await Deno.copyFile(join(root, "ui/icon.svg"), join(assets, "icon.svg"));
  await inlineFrame(join(root, "ui/local/stranger.html"), assets);
  for (const [name, source] of Object.entries(runtime)) {
    await Deno.mkdir(dirname(join(assets, name)), { recursive: true });
    await Deno.copyFile(source, join(assets, name));
  }

  const outputs = describeOutputs({ ...metafile.outputs, ...scripts.metafile.outputs }, {
    root,
    folder,
  });
  const template = await Deno.readTextFile(join(root, "ui/index.html"));
  await Deno.writeTextFile(join(folder, "index.html"), fillIn(template, outputs));
  const files: Record<string, PageFile> = {};
  for (const path of listFiles(folder)) {
    files[`/${path}`] = compress(join(folder, path), isHashed(path));
  }
  await Deno.writeTextFile(join(folder, "files.json"), JSON.stringify(files, null, 1));
  return measure(outputs, files);
}

interface Output {
  path: string;
  entryPoint: string | undefined;
  /** Paths of chunks that are loaded with it, and of those that may come later. */
  imports: { path: string; lazy: boolean }[];
}

function describeOutputs(
  outputs: esbuild.Metafile["outputs"],
  { root, folder }: { root: string; folder: string },
): Output[] {
  const pathOf = (name: string) => relative(folder, join(root, name)).replaceAll("\\", "/");
  return Object.entries(outputs).map(([name, output]) => ({
    path: pathOf(name),
    entryPoint: output.entryPoint,
    imports: output.imports.filter(({ external }) => !external).map(({ path, kind }) => ({
      path: pathOf(path),
      lazy: kind === "dynamic-import",
    })),
  }));
}

function fillIn(template: string, outputs: readonly Output[]): string {
  const main = entry(outputs, "ui/main.ts");
  const preloads = withStaticImports(outputs, main).filter((path) => path !== main);
  const lines = [
    `<script src="assets/theme.js"></script>`,
    `<link rel="stylesheet" href="${entry(outputs, "ui/theme/main.css")}">`,
    ...preloads.map((path) => `<link rel="modulepreload" href="${path}">`),
    `<script type="module" src="${main}"></script>`,
  ];
  return template.replace(/<!-- build:[^>]*-->/, lines.join("\n    "));
}

function entry(outputs: readonly Output[], source: string): string {
  const found = outputs.find(({ entryPoint }) => entryPoint === source);
  if (found === undefined) throw new Error(`the build made nothing of "${source}"`);
  return found.path;
}

function withStaticImports(outputs: readonly Output[], start: string): string[] {
  const seen = new Set<string>();
  const visit = (path: string) => {
    if (seen.has(path)) return;
    seen.add(path);
    const output = outputs.find((one) => one.path === path);
    for (const { path, lazy } of output?.imports ?? []) if (!lazy) visit(path);
  };
  visit(start);
  return [...seen];
}

/** The strangers' frame may load nothing, not even from here: its script is part of its document. */
async function inlineFrame(source: string, assets: string): Promise<void> {
  const script = join(assets, "stranger_frame.js");
  const text = (await Deno.readTextFile(script)).trim();
  await Deno.remove(script);
  const html = (await Deno.readTextFile(source))
    .replace("<!-- build: script -->", () => `<script>${text}</script>`);
  await Deno.writeTextFile(join(assets, "stranger.html"), html);
}

/** esbuild writes eight characters of a hash before the ending. */
function isHashed(path: string): boolean {
  return /-[A-Z0-9]{8}\.(?:js|css)$/.test(path);
}

function* listFiles(folder: string, below = ""): Generator<string> {
  for (const entry of Deno.readDirSync(join(folder, below))) {
    const path = below === "" ? entry.name : `${below}/${entry.name}`;
    if (entry.isDirectory) yield* listFiles(folder, path);
    else yield path;
  }
}

/** Writes `path`.br and `path`.gz, where they are clearly smaller. */
function compress(path: string, immutable: boolean): PageFile {
  const bytes = Deno.readFileSync(path);
  const file: PageFile = {
    contentType: contentTypes[path.slice(path.lastIndexOf(".") + 1)] ?? "application/octet-stream",
    etag: `"${createHash("sha256").update(bytes).digest("hex")}"`,
    immutable,
    size: bytes.length,
  };
  // The best compression of megabytes takes longer than a person waits for a start.
  const quality = bytes.length > 12 * 2 ** 20 ? 3 : bytes.length > 2 ** 20 ? 5 : 11;
  const brotli = brotliCompressSync(bytes, {
    params: { [constants.BROTLI_PARAM_QUALITY]: quality },
  });
  if (brotli.length > bytes.length * 0.9) return file;
  const gzip = gzipSync(bytes, { level: Math.min(quality, 6) });
  Deno.writeFileSync(`${path}.br`, brotli);
  Deno.writeFileSync(`${path}.gz`, gzip);
  return { ...file, brotliSize: brotli.length, gzipSize: gzip.length };
}

const contentTypes: Record<string, string> = {
  html: "text/html; charset=utf-8",
  css: "text/css; charset=utf-8",
  js: "text/javascript; charset=utf-8",
  mjs: "text/javascript; charset=utf-8",
  json: "application/json",
  svg: "image/svg+xml",
  wasm: "application/wasm",
  txt: "text/plain; charset=utf-8",
};

function measure(outputs: readonly Output[], files: Record<string, PageFile>): PageSizes {
  const sizeOf = (paths: Iterable<string>) =>
    [...paths].reduce((sum, path) => {
      const file = files[`/${path}`];
      return sum + (file?.gzipSize ?? file?.size ?? 0);
    }, 0);
  const first = new Set(withStaticImports(outputs, entry(outputs, "ui/main.ts")));
  const pages = outputs.flatMap(({ path, entryPoint }) => {
    if (entryPoint === undefined || !/^ui\/(?:pages\/|local\/create_)/.test(entryPoint)) return [];
    const own = withStaticImports(outputs, path).filter((chunk) => !first.has(chunk));
    return [[entryPoint, sizeOf(own)] as const];
  });
  return { firstLoad: sizeOf(first), pages: Object.fromEntries(pages) };
}
