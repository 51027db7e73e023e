// The face of the host: what HTTP, the CLI and a page see of plugins. `createPluginHost` wires the parts.

import type { Capability } from "../contract/capability.ts";
import type { WireError } from "../contract/error.ts";
import type { Grant } from "../contract/grant.ts";
import type { Limits, Manifest } from "../contract/manifest.ts";
import type { CellUsage, Enforcement } from "./cell.ts";

/** Who calls. `scopes` come with accounts; the operator may do everything. */
export interface Principal {
  /** Opaque and stable, such as "operator". */
  readonly id: string;
  readonly role: "admin" | "operator" | "user";
}

export type PluginStatus = "stopped" | "starting" | "running" | "stopping" | "error";

/** Where a plugin comes from: ours are granted what their manifests ask. */
export type PluginOrigin = "builtin" | "external";

export interface PluginView {
  id: string;
  name: string;
  version: string;
  description: string;
  author: string;
  license: string;
  origin: PluginOrigin;
  /** The operator's wish; a call to a disabled plugin answers PLUGIN_DISABLED. */
  enabled: boolean;
  status: PluginStatus;
  /** Why the status is `error`, or why the last cell ended. */
  lastError: WireError | undefined;
  /** When the next start is tried after a crash, ms since the epoch. */
  retryAtMs: number | undefined;
  startedAtMs: number | undefined;
  restarts: number;
  limits: Limits;
  /** Undefined while no cell runs. */
  enforcement: Enforcement | undefined;
  capabilities: Capability[];
  permissions: Manifest["permissions"];
  /** Permissions that are asked for and not granted, such as `models: *`. */
  missingGrants: string[];
  browser: boolean;
  engines: Manifest["engines"];
}

export interface PluginTelemetry {
  pluginId: string;
  status: PluginStatus;
  pid: number | undefined;
  usage: CellUsage | undefined;
  /** CPU of the last sample, percent of one core. */
  cpuPercent: number | undefined;
  uptimeMs: number | undefined;
  requests: number;
  errors: number;
  /** Calls that run now, and calls that wait. */
  active: number;
  queued: number;
  lastError: WireError | undefined;
  /** The plugin's own metrics, as declared in its manifest. */
  metrics: Record<string, number>;
}

export type LogLevel = "debug" | "info" | "warn" | "error";

export interface LogLine {
  /** Counts up per plugin. */
  seq: number;
  atMs: number;
  level: LogLevel;
  source: "plugin" | "stdout" | "stderr" | "host";
  /** Plugin-authored unless `source` is "host": control characters are already replaced. */
  message: string;
  fields?: Record<string, unknown>;
}

export interface AuditEntry {
  atMs: number;
  /** Equal entries in a row within one second are one entry. */
  count: number;
  principal: string;
  /** `invoke`, `service`, `start`, `stop`, `restart`, `grant`. */
  action: string;
  /** The capability, the service call, or what was granted. */
  object: string;
  outcome: "ok" | "denied" | "failed" | "cancelled";
}

/** What happens to plugins, for subscribers. */
export type HostEvent =
  | { type: "status"; pluginId: string; plugin: PluginView }
  | { type: "logs"; pluginId: string; line: LogLine };

export interface InvokeOptions {
  principal: Principal;
  signal?: AbortSignal;
  /** Total time, ms. */
  deadlineMs?: number;
}

/** The one way to a capability, whoever calls. Input and output are checked against its schemas. */
export interface Bus {
  /** One result; for a streaming capability its result, or the list of its items. */
  call(capability: string, input: unknown, options: InvokeOptions): Promise<unknown>;
  /** A stream of items, then the result; a capability that does not stream yields its value once. */
  stream(
    capability: string,
    input: unknown,
    options: InvokeOptions,
  ): AsyncGenerator<unknown, unknown>;
  /** The capability and the plugin that owns it; NOT_FOUND names close ones. */
  find(capability: string): { capability: Capability; pluginId: string };
}

export interface PluginHost extends AsyncDisposable {
  readonly bus: Bus;
  list(): PluginView[];
  /** Throws NOT_FOUND, as all below. */
  get(pluginId: string): PluginView;
  start(pluginId: string, principal: Principal): Promise<PluginView>;
  stop(pluginId: string, principal: Principal): Promise<PluginView>;
  restart(pluginId: string, principal: Principal): Promise<PluginView>;
  telemetry(pluginId: string): Promise<PluginTelemetry>;
  /** The last `lines` lines, oldest first. */
  logs(pluginId: string, lines: number): LogLine[];
  /** Newest last. */
  audit(pluginId: string, limit: number): AuditEntry[];
  grants(pluginId: string): { requested: Grant; granted: Grant; missing: string[] };
  setGrants(pluginId: string, granted: Grant, principal: Principal): Promise<void>;
  /** Calls `listener` for each event until the returned function is called. */
  subscribe(listener: (event: HostEvent) => void): () => void;
}
