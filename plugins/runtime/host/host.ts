// The face of the host: what HTTP, the CLI and a page see of plugins. `createPluginHost` wires the parts.

import type { Capability } from "../contract/capability.ts";
import type { WireError } from "../contract/error.ts";
import type { Grant, Permissions } from "../contract/grant.ts";
import type { Limits, Manifest } from "../contract/manifest.ts";
import type { CellUsage, Enforcement } from "./cell.ts";

/** Who calls. What he may do is decided before the host is asked. */
export interface Principal {
  /** Opaque and stable, such as "operator". */
  readonly id: string;
  /** "admin", "operator", "user", or one of the server's own. */
  readonly role: string;
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
  /**
   * It asks for what no administrator has looked at: it does not start, and calls answer CONSENT_REQUIRED. Of a plugin
   * that runs: a newer version of it does, and is not taken up.
   */
  needsConsent: boolean;
  browser: boolean;
  engines: Manifest["engines"];
  /** The metrics that the manifest declares; their values come with the telemetry. */
  metrics: Manifest["metrics"];
  /** `sha256:<hex>` of the bundle that runs; undefined while none does. */
  bundleDigest: string | undefined;
  /** Whether it is started with the host and not by its first call. */
  autostart: boolean;
  /** What the last healthcheck said; undefined while none has. */
  healthy: boolean | undefined;
}

/** What the operator set of a plugin. */
export interface PluginConfig {
  enabled: boolean;
  autostart: boolean;
  /** JSON Schema of the settings. */
  settingsSchema: Manifest["settings"];
  /** With the schema's defaults filled in; values that the schema marks `writeOnly` are left out. */
  settings: Record<string, unknown>;
  /** Names of `writeOnly` settings that have a value. */
  secretsSet: string[];
  limits: Limits;
  /** What the manifest asks for. */
  defaultLimits: Limits;
}

/** Only what is given is changed. */
export interface PluginConfigChange {
  enabled?: boolean | undefined;
  autostart?: boolean | undefined;
  /** Replaces all settings that are no secrets. */
  settings?: Record<string, unknown> | undefined;
  limits?: Partial<Limits> | undefined;
  /** Sets `writeOnly` settings by name; null deletes one. */
  secrets?: Record<string, string | null> | undefined;
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
  /** The `seq` of its event. */
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
  /** `invoke`, `service`, `start`, `stop`, `restart`, `grant`, `configure`. */
  action: string;
  /** The capability, the service call, what was given (+) and taken (-), or the names of what was configured. */
  object: string;
  outcome: "ok" | "denied" | "failed" | "cancelled";
}

/** What a plugin asks for, and what was decided about that. */
export interface PluginGrants {
  /** The version that was found last: it may wait for consent while an older one runs. */
  version: string;
  /** What that version asks for. */
  requested: Permissions;
  granted: Grant;
  /** Asked for and not granted, such as `models: *`. */
  missing: string[];
  /** What was asked for when somebody last decided; undefined while nobody has. */
  consented: Permissions | undefined;
  consent: "given" | "needed" | "none-needed";
}

export interface GrantDecision {
  /** What was looked at; default: what is asked for now. What it does not cover still needs consent. */
  requested?: Permissions | undefined;
  /** False: what is given changes, and what is asked for stays as undecided as it was. */
  consents?: boolean | undefined;
}

export const eventTopics = ["status", "logs", "telemetry"] as const;
export type EventTopic = typeof eventTopics[number];

/**
 * What happens to plugins, for subscribers. `seq` counts up over all topics and never goes back, not even when the
 * host is started again: who remembers the last one he saw can ask for what came after it.
 */
export type HostEvent =
  & { seq: number; atMs: number; pluginId: string }
  & (
    | { topic: "status"; plugin: PluginView }
    | { topic: "logs"; line: LogLine }
    | { topic: "telemetry"; telemetry: PluginTelemetry }
  );

/** Events that are still kept, oldest first. */
export interface EventHistory {
  events: HostEvent[];
  /** Whether events after the asked `seq` have been dropped already. */
  gap: boolean;
}

export interface HistoryQuery {
  topic: EventTopic;
  /** Absent: of every plugin. */
  pluginId?: string | undefined;
  /** Only events with a higher `seq`. */
  after?: number | undefined;
}

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
  /**
   * Hot swap: reads the plugin anew and starts it beside the old one, which goes on until the new one answers, then
   * drains. When the new one does not start, the old one stays, and this throws why.
   */
  restart(pluginId: string, principal: Principal): Promise<PluginView>;
  /** plugin.json as it was read. */
  manifest(pluginId: string): Manifest;
  /** The bundle as it is now, for another home to run; throws why the plugin may not start, if it may not. */
  loadCode(pluginId: string): Promise<string>;
  config(pluginId: string): PluginConfig;
  /** Checked, stored, and in force: a running plugin is swapped when its settings or limits changed. */
  configure(
    pluginId: string,
    change: PluginConfigChange,
    principal: Principal,
  ): Promise<PluginConfig>;
  telemetry(pluginId: string): Promise<PluginTelemetry>;
  /** The last `lines` lines, oldest first. */
  logs(pluginId: string, lines: number): LogLine[];
  /** Newest last. */
  audit(pluginId: string, limit: number): AuditEntry[];
  grants(pluginId: string): PluginGrants;
  /**
   * In force at once, also for what runs. A consent that a plugin waited for starts it when it is wanted: when it
   * starts with the host, or a start was refused.
   */
  setGrants(
    pluginId: string,
    granted: Grant,
    principal: Principal,
    decision?: GrantDecision,
  ): Promise<void>;
  /** The newest `seq`. */
  readonly lastSeq: number;
  /** Retained: about 1,000 log lines, 100 changes of status and 300 samples of telemetry of each plugin. */
  history(query: HistoryQuery): EventHistory;
  /** Calls `listener` for each event, in order of `seq`, until the returned function is called. */
  subscribe(listener: (event: HostEvent) => void): () => void;
}
