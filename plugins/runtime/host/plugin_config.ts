// What the operator decided about a plugin: what of it may be seen, what a cell gets of it, and what a change
// makes of it. Pure; HostedPlugin keeps the state. Invariant: a secret leaves only to the plugin's own cell.

import { AppError } from "../contract/error.ts";
import type { Consent } from "../contract/grant.ts";
import { type Limits, limitsSchema } from "../contract/manifest.ts";
import { toPlainText } from "../contract/plain_text.ts";
import { fillDefaults, type SchemaIssue } from "../contract/schema.ts";
import { canonical } from "../contract/schema_value.ts";
import type { PluginConfig, PluginConfigChange } from "./host.ts";
import type { KnownPlugin } from "./registry.ts";
import { createSecretTest } from "./secret_settings.ts";

/** What the operator decided about a plugin; kept across restarts of the host. */
export interface PluginState {
  enabled: boolean;
  /** Absent: it is started by its first call. */
  autostart?: boolean | undefined;
  /** Absent: our own plugins get what they ask for, others nothing. */
  consent?: Consent | undefined;
  /** Without secrets. */
  settings?: Record<string, unknown> | undefined;
  /** Apart from the settings: whatever a later version's schema says, they stay secrets. */
  secrets?: Record<string, string> | undefined;
  /** Only what differs from the manifest. */
  limits?: Partial<Limits> | undefined;
}

export interface ConfigDecision {
  state: PluginState;
  /** Names, such as `settings.threads`; never values. */
  changed: string[];
  /** Whether a cell that runs has other settings or limits than the next one will have. */
  concernsCell: boolean;
}

export function describeConfig(known: KnownPlugin, state: PluginState): PluginConfig {
  const { manifest, problem } = known;
  const isSecret = createSecretTest(manifest.settings);
  // Nobody knows which settings are secrets while the manifest cannot be read.
  const filled = problem === undefined ? fillSettings(known, state) : {};
  const settings = Object.fromEntries(Object.entries(filled).filter(([name]) => !isSecret(name)));
  return {
    enabled: state.enabled,
    autostart: state.autostart ?? false,
    settingsSchema: manifest.settings,
    settings,
    secretsSet: Object.keys(state.secrets ?? {}).filter(isSecret),
    limits: limitsOf(known, state),
    defaultLimits: manifest.limits,
  };
}

/** What the plugin is given; throws UNAVAILABLE when what is stored does not match the schema. */
export function settingsOf(known: KnownPlugin, state: PluginState): Record<string, unknown> {
  const settings = fillSettings(known, state);
  const [issue] = known.checkSettings(settings);
  if (issue === undefined) return settings;
  throw new AppError(
    "UNAVAILABLE",
    `The settings of plugin "${known.id}" do not match their schema at "${issue.path}": ${issue.message}`,
    { retryable: false },
  );
}

/** The manifest's, with what the operator set. */
export function limitsOf({ manifest: { limits } }: KnownPlugin, state: PluginState): Limits {
  const merged = limitsSchema.safeParse({ ...limits, ...state.limits });
  return merged.success ? merged.data : limits;
}

/** Throws INVALID_INPUT with `details.issues`, or the plugin's own problem when nothing can be checked. */
export function decideConfig(
  change: PluginConfigChange,
  { known, state }: { known: KnownPlugin; state: PluginState },
): ConfigDecision {
  const { enabled, autostart, settings, secrets, limits } = change;
  const next = { ...state };
  if (enabled !== undefined) next.enabled = enabled;
  if (autostart !== undefined) next.autostart = autostart;
  const concerns = settings !== undefined || secrets !== undefined || limits !== undefined;
  if (concerns && known.problem !== undefined) throw known.problem;
  const issues: SchemaIssue[] = [];
  if (settings !== undefined || secrets !== undefined) {
    const isSecret = createSecretTest(known.manifest.settings);
    for (const name of Object.keys(settings ?? {})) {
      if (isSecret(name)) {
        issues.push({ path: pointer(name), message: 'is a secret: set it by "secrets"' });
      }
    }
    for (const [name, value] of Object.entries(secrets ?? {})) {
      if (value === null || isSecret(name)) continue;
      issues.push({ path: pointer(name), message: "is no secret of this plugin" });
    }
    if (settings !== undefined) next.settings = structuredClone(settings);
    const all = Object.entries({ ...state.secrets, ...secrets });
    next.secrets = Object.fromEntries(
      all.filter((one): one is [string, string] => one[1] !== null),
    );
    if (issues.length === 0) issues.push(...known.checkSettings(fillSettings(known, next)));
  }
  if (limits !== undefined) {
    const given = Object.entries(limits).filter(([, value]) => value !== undefined);
    const asked = known.manifest.limits;
    const merged = { ...asked, ...state.limits, ...Object.fromEntries(given) };
    const parsed = limitsSchema.safeParse(merged);
    for (const { path, message } of parsed.error?.issues ?? []) {
      issues.push({
        path: ["limits", ...path].map((part) => pointer(String(part))).join(""),
        message,
      });
    }
    next.limits = Object.fromEntries(
      Object.entries(merged).filter(([name, value]) => asked[name as keyof Limits] !== value),
    );
  }
  const [first] = issues;
  if (first !== undefined) {
    const more = issues.length > 1 ? ` (and ${issues.length - 1} more)` : "";
    throw new AppError(
      "INVALID_INPUT",
      `The configuration of plugin "${known.id}" is not valid at "${first.path}": ${first.message}${more}`,
      { details: { issues } },
    );
  }
  return {
    state: next,
    changed: changedNames(state, next),
    concernsCell: concerns && cellView(known, state) !== cellView(known, next),
  };
}

/** The names in a change that is refused or not looked at yet. */
export function namesOfChange(change: PluginConfigChange): string[] {
  return Object.entries(change).flatMap(([part, value]) =>
    value === undefined ? [] : namesIn(part, value)
  );
}

function fillSettings(
  { manifest }: KnownPlugin,
  { settings, secrets = {} }: PluginState,
): Record<string, unknown> {
  const isSecret = createSecretTest(manifest.settings);
  const given = Object.entries(secrets).filter(([name]) => isSecret(name));
  const all = { ...settings, ...Object.fromEntries(given) };
  return fillDefaults(manifest.settings, all) as Record<string, unknown>;
}

/** What a cell sees of the state, as text to compare. */
function cellView(known: KnownPlugin, state: PluginState): string {
  return canonical({ settings: fillSettings(known, state), limits: limitsOf(known, state) });
}

function changedNames(before: PluginState, after: PluginState): string[] {
  const none = { enabled: true, autostart: false, settings: {}, limits: {}, secrets: {} };
  const parts = Object.keys(none) as (keyof typeof none)[];
  return parts.flatMap((part) => {
    const [old, now] = [before[part], after[part]];
    if (canonical(old ?? none[part]) === canonical(now ?? none[part])) return [];
    if (typeof now !== "object") return [part];
    const was = (old ?? {}) as Record<string, unknown>;
    const is = now as Record<string, unknown>;
    const names = Object.keys({ ...was, ...is });
    return names.filter((name) => canonical(was[name]) !== canonical(is[name]))
      .map((name) => `${part}.${toPlainText(name, 100)}`);
  });
}

function namesIn(part: string, value: unknown): string[] {
  if (typeof value !== "object" || value === null) return [part];
  return Object.keys(value).map((name) => `${part}.${toPlainText(name, 100)}`);
}

/** One level of a JSON pointer (RFC 6901). */
function pointer(name: string): string {
  return `/${name.replaceAll("~", "~0").replaceAll("/", "~1")}`;
}
