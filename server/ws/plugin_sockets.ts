// /ws/plugins and /ws/plugins/:id: upgrades what the gate let through, and keeps count.
// Caller: app.ts, whose gate has checked host, origin and key before.
//
// Deno's WebSocket reads a frame of up to 64 MiB, and fragments without any limit, before it shows a message;
// there is no option for either. So 16 MiB is judged when a message is whole, and a key is asked for first.

import type { Context, Hono } from "hono";
import { AppError } from "../../plugins/runtime/contract/error.ts";
import { socketClose } from "../../plugins/runtime/host/socket_message.ts";
import { withRule } from "../http/route_rules.ts";
import type { HttpEnv, RequestScope, Services, SocketLimits } from "../http/services.ts";
import { createEventFanOut } from "./event_fan_out.ts";
import { createJobFanOut } from "./job_fan_out.ts";
import { readOffer } from "./offer.ts";
import { PluginSocket } from "./plugin_socket.ts";

export interface PluginSockets {
  /** Connections, those included that are asked to close and have not yet. */
  readonly open: number;
  /** Ends all, and takes no new ones. */
  end(): void;
  close(): void;
}

export function servePluginSockets(hono: Hono<HttpEnv>, services: Services): PluginSockets {
  const { host, bus, auth, jobs, config, log, metrics, now = () => performance.now() } = services;
  const limits: SocketLimits = { ...defaultLimits, ...config.sockets };
  const fanOut = createEventFanOut(host);
  const jobFanOut = createJobFanOut({ jobs, host });
  const live = new Set<PluginSocket>();
  let open = 0;
  let ending = false;
  let sweep: ReturnType<typeof setInterval> | undefined;

  hono.get(
    "/ws/plugins",
    withRule("any", ({ req, env }: Context<HttpEnv>) => upgrade(req.raw, env, undefined)),
  );
  hono.get(
    "/ws/plugins/:id",
    withRule("any", ({ req, env }: Context<HttpEnv>) => {
      const id = req.param("id") ?? "";
      // Who may not see plugins is not told which there are.
      return upgrade(
        req.raw,
        env,
        env.principal?.scopes.allows("plugins:read") ? host.get(id).id : id,
      );
    }),
  );

  function upgrade(request: Request, scope: RequestScope, pluginId: string | undefined): Response {
    checkHandshake(request);
    if (ending) throw new AppError("UNAVAILABLE", "The server is shutting down");
    if (open >= limits.maxSockets) {
      throw new AppError("UNAVAILABLE", `This server keeps ${limits.maxSockets} sockets at most`, {
        details: { limit: limits.maxSockets, retryAfterMs: 5000 },
      });
    }
    const { principal, bearer, requestId } = scope;
    if (principal === undefined || bearer === undefined) throw new Error("the gate asks for a key");
    const { socket, response } = accept(request, limits.idleTimeoutMs);
    const startedAtMs = now();
    const connection = new PluginSocket(socket, {
      host,
      bus,
      fanOut,
      jobFanOut,
      principal,
      pluginId,
      version: config.version,
      limits,
      log,
      now,
      onEnd() {
        live.delete(connection);
        unwatch();
        const { endedWith: reason } = connection;
        if (reason === socketClose.tooSlow || reason === socketClose.malformed) {
          log.warn("socket ended", { requestId, principal: principal.id, ...reason });
        }
      },
    });
    let unwatch = () => {};
    let isGone = false;
    const gone = () => {
      if (isGone) return;
      isGone = true;
      connection.end("client");
      if (--open === 0) clearInterval(sweep);
      metrics.setSockets(open);
      log.debug("socket closed", {
        requestId,
        principal: principal.id,
        ms: Math.round(now() - startedAtMs),
      });
    };
    socket.onclose = gone;
    // One that never opened gets an error alone.
    socket.onerror = gone;
    live.add(connection);
    if (open++ === 0) sweep = setInterval(checkProgress, limits.stallTimeoutMs);
    metrics.setSockets(open);
    unwatch = auth.watch(bearer, () => connection.end(socketClose.sessionEnded));
    if (connection.endedWith !== undefined) unwatch();
    return response;
  }

  function checkProgress(): void {
    for (const connection of live) connection.checkProgress();
  }

  return {
    get open() {
      return open;
    },
    end() {
      ending = true;
      for (const connection of live) connection.end(socketClose.shutdown);
    },
    close() {
      clearInterval(sweep);
      fanOut.close();
      jobFanOut.close();
    },
  };
}

const defaultLimits: SocketLimits = {
  maxSockets: 4096,
  maxSubscriptions: 1000,
  maxRunning: 64,
  maxMessageBytes: 16 * 1024 * 1024,
  maxQueuedBytes: 8 * 1024 * 1024,
  idleTimeoutMs: 30_000,
  stallTimeoutMs: 30_000,
};

function checkHandshake({ method, headers }: Request): void {
  // Hono routes HEAD to GET, and a socket cannot be opened by it.
  if (method !== "GET" || headers.get("upgrade")?.toLowerCase() !== "websocket") {
    throw new AppError("INVALID_INPUT", "This path speaks WebSocket: send 'Upgrade: websocket'");
  }
  if (headers.get("sec-websocket-version") !== "13") {
    throw new AppError("INVALID_INPUT", '"Sec-WebSocket-Version" must be 13');
  }
  const { protocols } = readOffer(headers);
  // A browser ends a connection that selects none of what it offered, without saying why.
  if (protocols.length > 0 && !protocols.includes("bkg")) {
    throw new AppError("INVALID_INPUT", 'Offer the subprotocol "bkg" beside the key\'s');
  }
}

function accept(request: Request, idleTimeoutMs: number): Deno.WebSocketUpgrade {
  const { protocols } = readOffer(request.headers);
  try {
    return Deno.upgradeWebSocket(request, {
      idleTimeout: idleTimeoutMs / 1000,
      ...(protocols.length === 0 ? undefined : { protocol: "bkg" }),
    });
  } catch (cause) {
    // Deno splits the header at ", " alone, and its message would repeat the key.
    throw new AppError(
      "INVALID_INPUT",
      "The WebSocket handshake is not valid; subprotocols are separated by a comma and a space",
      { cause: new TypeError("Deno.upgradeWebSocket refused", { cause: nameOf(cause) }) },
    );
  }
}

function nameOf(cause: unknown): string {
  return cause instanceof Error ? cause.name : typeof cause;
}
