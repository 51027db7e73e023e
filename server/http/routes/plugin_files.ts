// A plugin's manifest and its bundle, for another home to run it: the page. The bundle that goes out is the file
// that a cell would load, and its digest tells so.

import type { Hono } from "hono";
import { z } from "zod";
import { AppError } from "../../../plugins/runtime/contract/error.ts";
import { operation } from "../operation.ts";
import { isKnownTag } from "../range.ts";
import { json, plainHeaders } from "../reply.ts";
import type { HttpEnv, RouteDeps } from "../services.ts";

export function pluginFileRoutes(hono: Hono<HttpEnv>, { host }: RouteDeps): void {
  hono.get(
    "/api/plugins/:id/manifest",
    operation({
      id: "getPluginManifest",
      summary: "A plugin's plugin.json",
      tag: "plugins",
      scope: "plugins:read",
      output: z.looseObject({ id: z.string(), version: z.string(), browser: z.boolean() }),
    }),
    (context) => json(context.env, host.manifest(context.req.param("id") ?? "")),
  );
  hono.get(
    "/api/plugins/:id/bundle",
    operation({
      id: "getPluginBundle",
      summary: "The bundle of a plugin that runs in browsers; 'x-bkg-digest' is its SHA-256",
      tag: "plugins",
      scope: "plugins:read",
      outputType: "text/javascript",
    }),
    async (context) => {
      const { id, browser } = host.manifest(context.req.param("id") ?? "");
      if (!browser) {
        throw new AppError(
          "FORBIDDEN",
          `Plugin "${id}" does not run in browsers: its plugin.json does not say "browser": true`,
        );
      }
      const code = new TextEncoder().encode(await host.loadCode(id));
      const digest = await digestOf(code);
      const etag = `"${digest}"`;
      const headers = plainHeaders(context.env, "text/javascript; charset=utf-8");
      headers["cache-control"] = "private, no-cache";
      headers["etag"] = etag;
      headers["x-bkg-digest"] = digest;
      return isKnownTag(context.req.header("if-none-match") ?? null, etag)
        ? new Response(null, { status: 304, headers })
        : new Response(code, { headers });
    },
  );
}

async function digestOf(bytes: Uint8Array<ArrayBuffer>): Promise<string> {
  const hash = new Uint8Array(await crypto.subtle.digest("SHA-256", bytes));
  return `sha256:${hash.toHex()}`;
}
