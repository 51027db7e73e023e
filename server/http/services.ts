// What the HTTP layer is given, and what it knows of one request. Built by compose; faked nowhere but in tests.

import type { AppError } from "../../plugins/runtime/contract/error.ts";
import type { PluginHost } from "../../plugins/runtime/host/host.ts";
import type { ModelStore } from "../../models/model.ts";
import type { Accounts } from "../auth/accounts.ts";
import type { ApiKeys } from "../auth/api_keys.ts";
import type { Authenticator, Identity } from "../auth/authenticator.ts";
import type { GuardedBus } from "../auth/guarded_bus.ts";
import type { LimitState } from "../auth/limits.ts";
import type { SignIn } from "../auth/sign_in.ts";
import type { Logger } from "../log.ts";
import type { AuditLog } from "../services/audit_log.ts";
import type { BackupService } from "../services/backup_service.ts";
import type { ChatStore } from "../services/chat_store.ts";
import type { EngineKeeper } from "../services/engine_keeper.ts";
import type { Jobs } from "../services/jobs.ts";
import type { ModelFiles } from "../services/model_files.ts";
import type { ModelKeeper } from "../services/model_keeper.ts";
import type { PresetStore } from "../services/preset_store.ts";
import type { ScheduledBackups } from "../services/scheduled_backups.ts";
import type { ServerSettings } from "../services/server_settings_store.ts";
import type { UsageLog } from "../services/usage_log.ts";
import type { BodyReader } from "./body.ts";
import type { StaticFiles } from "./static_files.ts";

export interface Services {
  host: PluginFace;
  /** The one way to call a plugin. */
  bus: GuardedBus;
  auth: Authenticator;
  audit: AuditLog;
  /** What routes read of it; calls are counted by the bus. */
  usage: UsageLog;
  /** This and those that may be undefined below: without it, its routes are not served. */
  signIn?: SignIn | undefined;
  accounts?: Accounts | undefined;
  /** Needs `accounts`. */
  apiKeys?: ApiKeys | undefined;
  modelFiles?: ModelFiles | undefined;
  modelKeeper?: ModelKeeper | undefined;
  jobs?: Jobs | undefined;
  engines?: EngineKeeper | undefined;
  ui?: StaticFiles | undefined;
  backups?: BackupService | undefined;
  settings?: ServerSettings | undefined;
  scheduledBackups?: Pick<ScheduledBackups, "state"> | undefined;
  chats?: ChatStore | undefined;
  presets?: PresetStore | undefined;
  models: Pick<ModelStore, "list" | "get">;
  config: HttpConfig;
  log: Logger;
  metrics: HttpMetrics;
  /** Asked by /readyz, at most once a second; `health` never throws. */
  database?: { health(): Promise<{ ok: boolean }> } | undefined;
  /** Monotonic clock, ms. */
  now?: () => number;
}

/** The host without its bus: what reaches a plugin from outside is asked for its scope first. */
export type PluginFace = Omit<PluginHost, "bus">;

export interface HttpConfig {
  version: string;
  /** The bind address: on other than loopback, addresses are accepted as Host too. */
  host: string;
  publicUrl?: string | undefined;
  allowedHosts: readonly string[];
  allowedOrigins: readonly string[];
  /** Whose X-Forwarded-* headers are believed; default nobody's. */
  trustedProxies?: readonly string[] | undefined;
  /** Default 16 MiB. */
  maxBodyBytes?: number | undefined;
  /** Longest time until a whole body has come, ms; default 30 s. */
  bodyTimeoutMs?: number | undefined;
  /** Silence after which a stream gets a comment, ms; default 15 s. */
  pingIntervalMs?: number | undefined;
  /** How long a stream waits for an early error before it answers 200, ms; default 1 s. */
  streamGraceMs?: number | undefined;
  sockets?: Partial<SocketLimits> | undefined;
}

/** Of WebSockets; all but the first hold for each. */
export interface SocketLimits {
  /** Default 4,096. */
  maxSockets: number;
  /** Default 1,000. */
  maxSubscriptions: number;
  /** Calls; default 64. */
  maxRunning: number;
  /** Of a message that a client sends; default 16 MiB. */
  maxMessageBytes: number;
  /** That wait for a client which reads slowly; default 8 MiB. */
  maxQueuedBytes: number;
  /** Silence of the other side after which it counts as gone, ms; default 30 s. */
  idleTimeoutMs: number;
  /** How long a client may read nothing of what waits for it, ms; default 30 s. */
  stallTimeoutMs: number;
}

export interface HttpMetrics {
  readonly contentType: string;
  /** `route` is a pattern such as "/api/plugins/:id", never a client's text. */
  observe(method: string, route: string, status: number, seconds: number): void;
  /** WebSockets that are open now. */
  setSockets(count: number): void;
  render(host: PluginFace): Promise<string>;
}

/** What routes are built from. */
export interface RouteDeps extends Services {
  body: BodyReader;
  /** Ends each stream that is open now. */
  streams: Set<() => void>;
  draining(): boolean;
}

/** One request's facts, as Hono's bindings: `c.env`. */
export interface RequestScope {
  readonly requestId: string;
  /** Without the query and the public URL's prefix. */
  readonly path: string;
  /** The client's IP address, behind trusted proxies too; "unknown" where there is no connection. */
  readonly clientAddress: string;
  /** How the client names this server, such as "https://bkg.lan"; not the public URL's path. */
  readonly origin: string;
  /** Undefined on open routes alone. */
  principal: Identity | undefined;
  /** What the principal was proved with: never logged. */
  bearer: string | undefined;
  /** Of the call that the request makes; undefined: nothing is limited. */
  limit: LimitState | undefined;
  /** What the request failed with, for the access log. */
  failure: AppError | undefined;
}

export type HttpEnv = { Bindings: RequestScope };
