// The HTTP application: one gate (host, origin, credential, scope) before every route, one finish (metrics,
// access log) after.
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
import type { RouteRule } from "./http/route_rules.ts";
import { RememberingRouter } from "./http/remembering_router.ts";
import { createRouteTable, type Route, type RouteTable } from "./http/route_table.ts";
import { auditRoutes } from "./http/routes/audit.ts";
import { authRoutes } from "./http/routes/auth.ts";
import { backupRoutes } from "./http/routes/backup.ts";
import { capabilityRoutes } from "./http/routes/capabilities.ts";
import { chatRoutes } from "./http/routes/chats.ts";
import { docsRoutes } from "./http/routes/docs.ts";
import { engineRoutes } from "./http/routes/engines.ts";
import { healthRoutes } from "./http/routes/health.ts";
import { jobRoutes } from "./http/routes/jobs.ts";
import { keyRoutes } from "./http/routes/keys.ts";
import { machineRoutes } from "./http/routes/machine.ts";
import { metricsRoutes } from "./http/routes/metrics.ts";
import { modelFileRoutes } from "./http/routes/model_files.ts";
import { modelUpkeepRoutes } from "./http/routes/model_upkeep.ts";
import { modelRoutes } from "./http/routes/models.ts";
import { openAiRoutes } from "./http/routes/openai.ts";
import { openAiEncoderRoutes } from "./http/routes/openai_encoders.ts";
import { pluginConfigRoutes } from "./http/routes/plugin_config.ts";
import { pluginFileRoutes } from "./http/routes/plugin_files.ts";
import { pluginRoutes } from "./http/routes/plugins.ts";
import { presetRoutes } from "./http/routes/presets.ts";
import { roleRoutes } from "./http/routes/roles.ts";
import { settingsRoutes } from "./http/routes/settings.ts";
import { usageRoutes } from "./http/routes/usage.ts";
import { isPagePath, lostPage, uiRoutes, wantsPage } from "./http/routes/ui.ts";
import { userRoutes } from "./http/routes/users.ts";
import { requireScope } from "./http/require_scope.ts";
import type { HttpEnv, RequestScope, RouteDeps, Services } from "./http/services.ts";
import { createReadClient } from "./http/trusted_proxies.ts";
import { readOffer } from "./ws/offer.ts";
import { servePluginSockets } from "./ws/plugin_sockets.ts";

export interface App {
  /** `peerAddress`: the IP address at the connection's other end, which may be a proxy's. */
  fetch(request: Request, peerAddress?: string): Promise<Response>;
  /** From now on /readyz answers 503; ends every socket, and lets go of jobs. */
  drain(): void;
  /** Ends every stream with an error. */
  cut(): void;
  /** Requests without an answer yet; a stream counts until its headers are sent. */
  readonly active: number;
  close(): void;
  /** What is served, and what each route asks of who calls it. */
  readonly routes: RouteTable["all"];
}

export function createApp(services: Services): App {
  const { auth, settings, config, log, metrics, now = () => performance.now() } = services;
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
  const routes = createRouteTable(hono);
  const readClient = createReadClient(config.trustedProxies ?? []);
  let checkHost = createHostCheck({ ...config, ...settings?.values });
  let checkOrigin = createOriginCheck({ ...config, ...settings?.values });
  const unwatch = settings?.watch(() => {
    checkHost = createHostCheck({ ...config, ...settings.values });
    checkOrigin = createOriginCheck({ ...config, ...settings.values });
  });
  const prefix = config.publicUrl === undefined
    ? ""
    : new URL(config.publicUrl).pathname.replace(/\/$/, "");
  const nextRequestId = createRequestIds();

  const finish = (
    { method }: Request,
    scope: RequestScope,
    { route, status, startedAtMs }: {
      route: Route | undefined;
      status: number;
      startedAtMs: number;
    },
  ) => {
    const elapsedMs = now() - startedAtMs;
    const pattern = route?.pattern ?? "unmatched";
    metrics.observe(method, pattern, status, elapsedMs / 1000);
    const level = status >= 500 ? "warn" : "debug";
    if (!log.enabled(level)) return;
    log[level]("request", {
      requestId: scope.requestId,
      method,
      path: scope.path,
      status,
      ms: Math.round(elapsedMs * 1000) / 1000,
      principal: scope.principal?.id,
      client: scope.clientAddress,
      code: scope.failure?.code,
      error: status >= 500 ? scope.failure : undefined,
    });
  };

  const answer = async (
    request: Request,
    scope: RequestScope,
    { host, route }: { host: string; route: Route | undefined },
  ): Promise<Response> => {
    let shared: string | undefined;
    let response: Response;
    try {
      const { headers } = request;
      checkHost(host);
      const origin = headers.get("origin");
      const rule = route?.rule ?? unservedRule(request, scope);
      // The page's files are the same for everyone, and the frame of strangers' plugins has an opaque origin.
      if (origin !== null && rule !== "page" && checkOrigin(origin, host) === "allowed") {
        shared = origin;
      }
      if (origin !== null && isPreflight(request)) {
        response = preflight(scope, request);
      } else {
        if (rule !== "open" && rule !== "page") {
          const bearer = bearerOf(headers.get("authorization")) ??
            (scope.path.startsWith("/ws/") ? readOffer(headers).bearer : undefined);
          if (rule !== "optional" || bearer !== undefined) {
            const proved = auth.authenticate(bearer);
            // One that was seen lately is there at once, and costs no turn of the event loop.
            scope.principal = proved instanceof Promise ? await proved : proved;
            scope.bearer = bearer;
            requireScope(scope.principal.scopes, rule);
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
      const client = readClient(request, peerAddress);
      const scope: RequestScope = {
        requestId: nextRequestId(request.headers.get("x-request-id")),
        path: pathOf(request.url, prefix),
        clientAddress: client.address,
        origin: client.origin,
        principal: undefined,
        bearer: undefined,
        limit: undefined,
        failure: undefined,
      };
      active++;
      const route = routes.find(request.method, scope.path);
      const response = await answer(request, scope, { host: client.host, route });
      active--;
      finish(request, scope, { route, status: response.status, startedAtMs });
      return response;
    },
    drain() {
      draining = true;
      sockets.end();
      // Beside the requests, and not after them: a job may need seconds to let go.
      services.jobs?.stop().catch((error) => log.error("jobs could not be stopped", { error }));
    },
    cut() {
      for (const end of [...streams]) end();
    },
    get active() {
      return active;
    },
    routes: routes.all,
    close() {
      unwatch?.();
      body.close();
      sockets.close();
    },
  };
}

function createRoutes(deps: RouteDeps): Hono<HttpEnv> {
  // The gate has cut the path out of the URL already.
  const hono = new Hono<HttpEnv>({
    router: new RememberingRouter(),
    getPath: (_request, options) => scopePath(options),
  });
  capabilityRoutes(hono, deps);
  openAiRoutes(hono, deps);
  openAiEncoderRoutes(hono, deps);
  pluginRoutes(hono, deps);
  pluginConfigRoutes(hono, deps);
  pluginFileRoutes(hono, deps);
  modelRoutes(hono, deps);
  modelFileRoutes(hono, deps);
  modelUpkeepRoutes(hono, deps);
  jobRoutes(hono, deps);
  engineRoutes(hono, deps);
  machineRoutes(hono, deps);
  authRoutes(hono, deps);
  userRoutes(hono, deps);
  roleRoutes(hono, deps);
  keyRoutes(hono, deps);
  chatRoutes(hono, deps);
  presetRoutes(hono, deps);
  usageRoutes(hono, deps);
  auditRoutes(hono, deps);
  settingsRoutes(hono, deps);
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

/** For what no route serves, which tells nobody without a credential what is there. */
function unservedRule(request: Request, { path }: RequestScope): RouteRule {
  return wantsPage(request) || isPagePath(path) ? "page" : "any";
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
