// The page's files from dist/page, as files.json describes them. Read when asked for: the largest is the
// engine's WASM, and the system's cache keeps what is in use.

import { createHash } from "node:crypto";
import { join } from "node:path";
import { AppError } from "../../plugins/runtime/contract/error.ts";
import type { PageFile } from "../build/page.ts";
import type { StaticFile, StaticFiles } from "../http/static_files.ts";

export function openPageFiles(folder: string): StaticFiles {
  const files = JSON.parse(Deno.readTextFileSync(join(folder, "files.json"))) as Record<
    string,
    PageFile
  >;
  const open = (path: string): StaticFile | undefined => {
    const file = Object.hasOwn(files, path) ? files[path] : undefined;
    if (file === undefined) return undefined;
    const read = (ending = "") => readCurrent(join(folder, path + ending));
    const policy = policies[path]?.(() => new TextDecoder().decode(read()));
    return {
      contentType: file.contentType,
      etag: file.etag,
      immutable: file.immutable,
      get bytes() {
        return read();
      },
      ...(file.brotliSize === undefined ? {} : {
        get brotli() {
          return read(".br");
        },
        get gzip() {
          return read(".gz");
        },
      }),
      ...(policy === undefined ? {} : { contentSecurityPolicy: policy }),
    };
  };
  const page = open("/index.html");
  if (page === undefined) throw new Error(`"${folder}" has no index.html`);
  return { get: (path) => path === "/index.html" ? undefined : open(path), page };
}

/** A build in the meantime took away what belongs to the one that this server began with. */
function readCurrent(path: string): Uint8Array<ArrayBuffer> {
  try {
    return Deno.readFileSync(path);
  } catch (cause) {
    if (!(cause instanceof Deno.errors.NotFound)) throw cause;
    throw new AppError("NOT_FOUND", "The page was built anew; start the server again", { cause });
  }
}

/**
 * A Worker lives under the policy of the script that it was started from. Plugins' Workers come from the keeper's
 * blobs, or from the strangers' frame: they may run WASM and blobs, and fetch nothing at all, not even from here.
 */
const confined = "default-src 'none'; worker-src blob:; script-src blob: 'wasm-unsafe-eval'";
const policies: Record<string, (text: () => string) => string> = {
  "/assets/keeper.js": () => confined,
  "/assets/model_writer.js": () => "default-src 'none'",
  "/assets/stranger.html": (text) =>
    `${confined} '${hashOfScript(text())}'; frame-ancestors 'self'; sandbox allow-scripts`,
};

/** A script inside a document, as a policy names it (CSP 3). */
function hashOfScript(html: string): string {
  const script = /<script>([^]*?)<\/script>/.exec(html)?.[1] ?? "";
  return `sha256-${createHash("sha256").update(script).digest("base64")}`;
}
