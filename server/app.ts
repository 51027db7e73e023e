// The HTTP application: one gate (host, origin, key) before every route, one finish (metrics, access log) after.
// Nothing is opened or read when this module is imported or the app is created.

import { Hono } from "hono";
import { AppError, toAppError } from "../plugins/runtime/contract/error.ts";
import { createBodyReader } from "./http/body.ts";
import { createHostCheck } from "./http/middleware/host_check.ts";
import {
  createOriginCheck,
  isPreflight,
  preflight,
  shareWith,
} from "./http/middleware/origin_check.ts";
import { failure } from "./http/reply.ts";
import { createRouteNames, unmatched } from "./http/route_names.ts";
import { authRoutes } from "./http/routes/auth.ts";
import { backupRoutes } from "./http/routes/backup.ts";
import { capabilityRoutes } from "./http/routes/capabilities.ts";
import { docsRoutes } from "./http/routes/docs.ts";
import { healthRoutes } from "./http/routes/health.ts";
import { metricsRoutes } from "./http/routes/metrics.ts";
import { modelFileRoutes } from "./http/routes/model_files.ts";
import { modelRoutes } from "./http/routes/models.ts";
import { openAiRoutes } from "./http/routes/openai.ts";
import { pluginConfigRoutes } from "./http/routes/plugin_config.ts";
import { pluginFileRoutes } from "./http/routes/plugin_files.ts";
import { pluginRoutes } from "./http/routes/plugins.ts";
import { isPagePath, lostPage, uiRoutes, wantsPage } from "./http/routes/ui.ts";
import type { HttpEnv, RequestScope, RouteDeps, Services } from "./http/services.ts";
import { readOffer } from "./ws/offer.ts";
import { servePluginSockets } from "./ws/plugin_sockets.ts";

export interface App {
  /** `peerAddress`: the IP address at the connection's other end, which may be a proxy's. */
  fetch(request: Request, peerAddress?: string): Promise<Response>;
  /** From now on /readyz answers 503; ends every socket. */
  drain(): void;
  /** Ends every stream with an error. */
  cut(): void;
  /** Requests without an answer yet; a stream counts until its headers are sent. */
  readonly active: number;
  close(): void;
}

export function createApp(services: Services): App {
  const { auth, config, log, metrics, now = () => performance.now() } = services;
  const body = createBodyReader({
    maxBytes: config.maxBodyBytes,
    timeoutMs: config.bodyTimeoutMs,
    now,
  });
  const streams = new Set<() => void>();
  let draining = false;
  let active = 0;
  const hono = createRoutes({ ...services, body, streams, draining: () => draining });
  const sockets = servePluginSockets(hono, services);
  const nameRoute = createRouteNames(hono);
  const checkHost = createHostCheck(config);
  const checkOrigin = createOriginCheck(config);
  const prefix = config.publicUrl === undefined
    ? ""
    : new URL(config.publicUrl).pathname.replace(/\/$/, "");
  const nextRequestId = createRequestIds();

  const finish = (request: Request, scope: RequestScope, status: number, startedAtMs: number) => {
    const { method } = request;
    const elapsedMs = now() - startedAtMs;
    const route = nameRoute(method, scope.path);
    metrics.observe(method, route, status, elapsedMs / 1000);
    const level = status >= 500 ? "warn" : "debug";
    if (!log.enabled(level)) return;
    log[level]("request", {
      requestId: scope.requestId,
      method,
      path: scope.path,
      status,
      ms: Math.round(elapsedMs * 1000) / 1000,
      principal: scope.principal?.id,
      code: scope.failure?.code,
      error: status >= 500 ? scope.failure : undefined,
    });
  };

  const answer = async (request: Request, scope: RequestScope): Promise<Response> => {
    let shared: string | undefined;
    let response: Response;
    try {
      const { headers } = request;
      const host = headers.get("host") ?? new URL(request.url).host;
      checkHost(host);
      const origin = headers.get("origin");
      const isLost = wantsPage(request) && nameRoute("GET", scope.path) === unmatched;
      const access = isLost ? "page" : accessOf(scope.path);
      // The page's files are the same for everyone, and the frame of strangers' plugins has an opaque origin.
      if (origin !== null && access !== "page" && checkOrigin(origin, host) === "allowed") {
        shared = origin;
      }
      if (origin !== null && isPreflight(request)) {
        response = preflight(scope, request);
      } else {
        if (access === "key" || access === "optional") {
          const bearer = bearerOf(headers.get("authorization")) ??
            (scope.path.startsWith("/ws/") ? readOffer(headers).bearer : undefined);
          if (access === "key" || bearer !== undefined) {
            scope.principal = auth.authenticate(bearer);
            scope.bearer = bearer;
          }
        }
        response = await hono.fetch(request, scope);
      }
    } catch (error) {
      response = failure(scope, publicError(error));
    }
    // A socket's answer is Deno's own, and may not be changed.
    if (shared !== undefined && response.status !== 101) shareWith(shared, response);
    return response;
  };

  return {
    async fetch(request, peerAddress = "unknown") {
      const startedAtMs = now();
      const scope: RequestScope = {
        requestId: nextRequestId(request.headers.get("x-request-id")),
        path: pathOf(request.url, prefix),
        clientAddress: peerAddress,
        origin: new URL(request.url).origin,
        principal: undefined,
        bearer: undefined,
        failure: undefined,
      };
      active++;
      const response = await answer(request, scope);
      active--;
      finish(request, scope, response.status, startedAtMs);
      return response;
    },
    drain() {
      draining = true;
      sockets.end();
    },
    cut() {
      for (const end of [...streams]) end();
    },
    get active() {
      return active;
    },
    close() {
      body.close();
      sockets.close();
    },
  };
}

function createRoutes(deps: RouteDeps): Hono<HttpEnv> {
  // The gate has cut the path out of the URL already.
  const hono = new Hono<HttpEnv>({ getPath: (_request, options) => scopePath(options) });
  capabilityRoutes(hono, deps);
  openAiRoutes(hono, deps);
  pluginRoutes(hono, deps);
  pluginConfigRoutes(hono, deps);
  pluginFileRoutes(hono, deps);
  modelRoutes(hono, deps);
  modelFileRoutes(hono, deps);
  authRoutes(hono, deps);
  backupRoutes(hono, deps);
  uiRoutes(hono, deps);
  healthRoutes(hono, deps);
  metricsRoutes(hono, deps);
  docsRoutes(hono, deps);
  hono.onError((error, context) => failure(context.env, publicError(error)));
  hono.notFound((context) => {
    const { path } = context.env;
    if (deps.ui !== undefined && wantsPage(context.req.raw)) return lostPage(context, deps);
    const allow = methods.filter((method) => hono.router.match(method, path)[0].length > 0);
    return failure(
      context.env,
      allow.length > 0
        ? new AppError("METHOD_NOT_ALLOWED", `"${path}" takes ${allow.join(", ")}`, {
          details: { allow: allow.join(", ") },
        })
        : new AppError("NOT_FOUND", `Nothing is served at "${path}"`),
    );
  });
  return hono;
}

const methods = ["GET", "POST", "PUT", "PATCH", "DELETE"];

function scopePath(options: { env?: unknown } | undefined): string {
  return (options?.env as RequestScope).path;
}

/** `optional`: the answer tells more to who has a key; `page`: the same for everyone, and holds nothing. */
function accessOf(path: string): "open" | "page" | "optional" | "key" {
  switch (path) {
    case "/healthz":
    case "/readyz":
    case "/auth/login":
      return "open";
    case "/openapi.json":
    case "/docs":
      return "optional";
    default:
      return isPagePath(path) ? "page" : "key";
  }
}

/** RFC 6750: the scheme in any case, one space, the credential. */
function bearerOf(header: string | null): string | undefined {
  if (header === null) return undefined;
  if (header.startsWith("Bearer ")) return header.slice(7);
  return /^bearer +/i.test(header) ? header.replace(/^bearer +/i, "") : "";
}

/** The path as it was sent; parsing a whole URL costs more than the route. */
function pathOf(url: string, prefix: string): string {
  const start = url.indexOf("/", url.indexOf("://") + 3);
  let end = url.indexOf("?", start);
  if (end === -1) end = url.length;
  const path = start === -1 ? "/" : url.slice(start, end);
  return prefix !== "" && path.startsWith(prefix + "/") ? path.slice(prefix.length) : path;
}

/** What was not meant for clients stays in the log, under the request's id. */
function publicError(thrown: unknown): AppError {
  if (thrown instanceof AppError) return thrown;
  const error = toAppError(thrown);
  if (error.code !== "INTERNAL") return error;
  return new AppError("INTERNAL", "Something failed inside the server; its log tells what", {
    cause: thrown,
  });
}

function createRequestIds(): (given: string | null) => string {
  const run = crypto.randomUUID().slice(0, 8);
  let count = 0;
  return (given) =>
    given !== null && /^[\w.-]{1,64}$/.test(given) ? given : `${run}-${(++count).toString(36)}`;
}
