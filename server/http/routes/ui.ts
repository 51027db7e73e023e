// The page and its files, open to everyone: they hold no secret. Headers isolate the page (COOP, COEP), so that it may
// use shared memory, and let it load and reach nothing but this server.

import type { Context, Hono } from "hono";
import { AppError } from "../../../plugins/runtime/contract/error.ts";
import { isKnownTag } from "../range.ts";
import { withRule } from "../route_rules.ts";
import type { HttpConfig, HttpEnv, RouteDeps } from "../services.ts";
import type { StaticFile, StaticFiles } from "../static_files.ts";

/** Whether a path is the page's or one of its files'. */
export function isPagePath(path: string): boolean {
  return path.startsWith("/assets/") || path.startsWith("/plugins/") || pagePaths.has(path);
}

export function uiRoutes(hono: Hono<HttpEnv>, { ui, config }: RouteDeps): void {
  if (ui === undefined) return;
  let page: Promise<StaticFile> | undefined;
  const answerPage = async (context: Context<HttpEnv>) =>
    answer(context, await (page ??= pageFor(ui, config)));
  for (const path of [...pagePaths, "/plugins/*"]) hono.get(path, withRule("page", answerPage));
  const answerFile = (context: Context<HttpEnv>) => {
    const file = ui.get(context.env.path);
    if (file === undefined) throw new AppError("NOT_FOUND", "There is no such file");
    return answer(context, file);
  };
  hono.get("/assets/*", withRule("page", answerFile));
}

/** What a person sees at an address where nothing is: the page, which says so. */
export async function lostPage(
  context: Context<HttpEnv>,
  { ui, config }: RouteDeps,
): Promise<Response> {
  if (ui === undefined) throw new AppError("NOT_FOUND", "This server has no page");
  const { body, headers } = answer(context, await pageFor(ui, config));
  return new Response(body, { status: 404, headers });
}

/** Whether a browser goes to an address, and not a script or a client of the API. */
export function wantsPage(request: Request): boolean {
  return request.method === "GET" && request.headers.get("accept")?.includes("text/html") === true;
}

const pagePaths: ReadonlySet<string> = new Set([
  "/",
  "/dashboard",
  "/plugins",
  "/chats",
  "/models",
  "/welcome",
  "/api-keys",
  "/account",
  "/users",
  "/audit",
  "/settings",
  "/sign-in",
]);

/** 'self' covers WebSockets of this origin in every browser that the page runs in (Safari since 16). */
const pagePolicy = [
  "default-src 'none'",
  "script-src 'self' 'wasm-unsafe-eval'",
  "style-src 'self'",
  "img-src 'self' data:",
  "font-src 'self'",
  // data: is how icons come out of the script; nothing leaves the machine by it.
  "connect-src 'self' data:",
  "worker-src 'self'",
  "frame-src 'self'",
  "manifest-src 'self'",
  "base-uri 'self'",
  "form-action 'none'",
  "frame-ancestors 'none'",
].join("; ");

const permissionsPolicy = [
  "accelerometer",
  "browsing-topics",
  "camera",
  "display-capture",
  "geolocation",
  "gyroscope",
  "magnetometer",
  "microphone",
  "midi",
  "payment",
  "usb",
].map((feature) => `${feature}=()`).join(", ");

function answer(context: Context<HttpEnv>, file: StaticFile): Response {
  const asked = context.req.raw.headers;
  const encoding = chooseEncoding(asked.get("accept-encoding"), file);
  // Each encoding is a representation of its own, and a strong tag names one (RFC 9110 8.8.3).
  const etag = encoding === undefined ? file.etag : file.etag.replace(/"$/, `-${encoding}"`);
  const headers: Record<string, string> = {
    "content-type": file.contentType,
    "x-request-id": context.env.requestId,
    "etag": etag,
    "cache-control": file.immutable ? "public, max-age=31536000, immutable" : "no-cache",
    "content-security-policy": file.contentSecurityPolicy ?? pagePolicy,
    "cross-origin-opener-policy": "same-origin",
    "cross-origin-embedder-policy": "require-corp",
    "cross-origin-resource-policy": "same-origin",
    "permissions-policy": permissionsPolicy,
    "referrer-policy": "no-referrer",
    "x-content-type-options": "nosniff",
  };
  if ("brotli" in file || "gzip" in file) headers["vary"] = "Accept-Encoding";
  if (isKnownTag(asked.get("if-none-match"), etag)) {
    return new Response(null, { status: 304, headers });
  }
  if (encoding !== undefined) headers["content-encoding"] = encoding;
  const bytes = (encoding === "br" ? file.brotli : encoding === "gzip" ? file.gzip : undefined) ??
    file.bytes;
  headers["content-length"] = String(bytes.length);
  return new Response(bytes, { headers });
}

/** "br", "gzip" or none: what there is, and the client takes (RFC 9110 12.5.3). */
function chooseEncoding(accepted: string | null, file: StaticFile): "br" | "gzip" | undefined {
  const takes = (name: string) =>
    (accepted ?? "").split(",").some((part) => {
      const [coding, ...weights] = part.trim().toLowerCase().split(/\s*;\s*/);
      return coding === name && !weights.some((weight) => /^q=0(?:\.0*)?$/.test(weight));
    });
  if ("brotli" in file && takes("br")) return "br";
  if ("gzip" in file && takes("gzip")) return "gzip";
  return undefined;
}

function pageFor(ui: StaticFiles, { publicUrl }: HttpConfig): Promise<StaticFile> {
  return rebase(ui.page, publicUrl === undefined ? "/" : new URL(publicUrl).pathname);
}

/** The page as it is below a proxy's path: every URL in it is relative to its base. */
async function rebase(page: StaticFile, prefix: string): Promise<StaticFile> {
  if (prefix === "/") return page;
  const base = `${prefix.replace(/\/$/, "")}/`.replaceAll("&", "&amp;").replaceAll('"', "&quot;");
  const text = new TextDecoder().decode(page.bytes)
    .replace('<base href="/">', () => `<base href="${base}">`);
  const bytes = new TextEncoder().encode(text);
  const zipped = new Blob([bytes]).stream().pipeThrough(new CompressionStream("gzip"));
  const hash = new Uint8Array(await crypto.subtle.digest("SHA-256", bytes)).toHex();
  return {
    contentType: page.contentType,
    immutable: page.immutable,
    bytes,
    gzip: new Uint8Array(await new Response(zipped).arrayBuffer()),
    etag: `"${hash}"`,
    ...(page.contentSecurityPolicy === undefined
      ? {}
      : { contentSecurityPolicy: page.contentSecurityPolicy }),
  };
}
