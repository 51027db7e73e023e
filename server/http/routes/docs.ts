// /openapi.json and /docs. Open, because they describe the interface; what is installed only with a key.

import type { Hono } from "hono";
import { z } from "zod";
import type { Capability } from "../../../plugins/runtime/contract/capability.ts";
import { describeRoutes, type OpenApiDocument, withCapabilities } from "../openapi.ts";
import { operation } from "../operation.ts";
import { json, plainHeaders } from "../reply.ts";
import type { HttpEnv, RequestScope, RouteDeps } from "../services.ts";

export function docsRoutes(hono: Hono<HttpEnv>, deps: RouteDeps): void {
  let routes: Promise<OpenApiDocument> | undefined;
  const documentFor = async (scope: RequestScope) => {
    routes ??= describeRoutes(hono, deps.config);
    const capabilities = scope.principal === undefined ? [] : servedCapabilities(deps);
    return withCapabilities(await routes, capabilities);
  };
  hono.get(
    "/openapi.json",
    operation({
      id: "getOpenApi",
      summary: "This document; with a key, the capabilities of the installed plugins too",
      tag: "system",
      open: "optional",
      output: z.looseObject({ openapi: z.string() }),
    }),
    async (context) => {
      const response = json(context.env, await documentFor(context.env));
      response.headers.set("vary", "Authorization");
      return response;
    },
  );
  hono.get(
    "/docs",
    operation({
      id: "getDocs",
      summary: "The operations as a page",
      tag: "system",
      open: "optional",
      outputType: "text/html",
    }),
    async (context) => {
      const headers = plainHeaders(context.env, "text/html; charset=utf-8");
      headers["content-security-policy"] =
        `default-src 'none'; style-src '${await styleHash}'; frame-ancestors 'none'`;
      return new Response(page(await documentFor(context.env)), { headers });
    },
  );
}

/** Each capability once: of two claimants the bus serves one. */
function servedCapabilities({ host }: RouteDeps): Capability[] {
  const byId = new Map<string, Capability>();
  for (const plugin of host.list()) {
    for (const capability of plugin.capabilities) {
      if (!byId.has(capability.id)) byId.set(capability.id, capability);
    }
  }
  return [...byId.values()];
}

const style =
  "body{font:16px/1.5 system-ui,sans-serif;max-width:60rem;margin:2rem auto;padding:0 1rem;" +
  "color-scheme:light dark}code{font-size:.95em}dt{margin-top:.75rem}dd{margin:0 0 0 1rem}";
const styleHash = crypto.subtle.digest("SHA-256", new TextEncoder().encode(style)).then((digest) =>
  `sha256-${btoa(String.fromCharCode(...new Uint8Array(digest)))}`
);

function page(document: OpenApiDocument): string {
  const groups = new Map<string, string[]>();
  for (const [path, operations] of Object.entries(document.paths)) {
    for (const [method, { tags, summary = "", description = "" }] of Object.entries(operations)) {
      const tag = tags?.[0] ?? "other";
      const group = groups.get(tag) ?? [];
      groups.set(tag, group);
      group.push(
        `<dt><code>${escapeHtml(`${method.toUpperCase()} ${path}`)}</code></dt>` +
          `<dd>${escapeHtml(summary)}${description && ` · ${escapeHtml(description)}`}</dd>`,
      );
    }
  }
  const lists = [...groups].sort().map(([tag, lines]) =>
    `<h2>${escapeHtml(tag)}</h2><dl>${lines.join("")}</dl>`
  );
  return `<!doctype html><html lang="en"><head><meta charset="utf-8"><title>bkg API</title>` +
    `<meta name="viewport" content="width=device-width"><style>${style}</style></head><body>` +
    `<h1>bkg API</h1><p>Machine-readable: <a href="openapi.json">openapi.json</a>. Send the key as ` +
    `<code>Authorization: Bearer</code>; with it, both list the capabilities of the installed plugins ` +
    `too.</p>${lists.join("")}</body></html>`;
}

function escapeHtml(text: string): string {
  return text.replace(/[&<>"']/g, (sign) => `&#${sign.charCodeAt(0)};`);
}
