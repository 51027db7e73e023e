// Scopes in plain words, in the groups that a person chooses them from. Callers: the scope picker, chips, the
// forbidden page.

import type { PluginView } from "../../plugins/runtime/host/host.ts";
import { capText } from "./format.ts";

export interface ScopeChoice {
  scope: string;
  /** Of a capability: plugin-authored. */
  title: string;
}

export interface ScopeGroup {
  title: string;
  choices: readonly ScopeChoice[];
}

const serverGroups: readonly ScopeGroup[] = [
  {
    title: "Own account",
    choices: [
      { scope: "account", title: "Own keys, usage, chats, presets, sessions and password" },
    ],
  },
  {
    title: "Plugins",
    choices: [
      { scope: "plugins:read", title: "See plugins and how they run" },
      { scope: "plugins:manage", title: "Start, stop and configure plugins" },
      { scope: "plugins:consent", title: "Decide what a plugin may do" },
      { scope: "logs:read", title: "Read the logs and the audit of plugins" },
    ],
  },
  {
    title: "Models",
    choices: [
      { scope: "models:read", title: "See and download models" },
      { scope: "models:manage", title: "Add and remove models" },
    ],
  },
  {
    title: "Server",
    choices: [
      { scope: "metrics:read", title: "Read metrics" },
      { scope: "users:manage", title: "Manage users and roles" },
      { scope: "keys:manage", title: "Manage everyone's API keys" },
      { scope: "audit:read", title: "Read the audit" },
      { scope: "usage:read", title: "See everyone's usage" },
      { scope: "settings:manage", title: "Change the server's settings" },
      { scope: "backups:read", title: "Take backups, which hold secrets" },
    ],
  },
];

const words = new Map<string, string>([
  ["*", "Everything"],
  ["invoke:*", "Call every capability"],
  ["invoke", "Call capabilities"],
  ...serverGroups.flatMap(({ choices }) =>
    choices.map(({ scope, title }) => [scope, title] as const)
  ),
]);

/** "Manage users and roles"; a scope without words of its own says itself. */
export function describeScope(scope: string): string {
  const known = words.get(scope);
  if (known !== undefined) return known;
  if (scope.startsWith("invoke:")) return `Call ${capText(scope.slice("invoke:".length), 100)}`;
  return capText(scope, 100);
}

/** The server's scopes, and the capabilities of its plugins. */
export function scopeGroups(plugins: readonly PluginView[]): ScopeGroup[] {
  return [
    {
      title: "Capabilities",
      choices: [
        { scope: "invoke:*", title: "Call every capability, those of later plugins too" },
      ],
    },
    ...plugins.map((plugin) => ({
      title: capText(plugin.name, 80),
      choices: [
        ...familiesOf(plugin).map((family) => ({
          scope: `invoke:${family}.*`,
          title: `Call all that begins with "${family}."`,
        })),
        ...plugin.capabilities.map(({ id, title }) => ({
          scope: `invoke:${id}`,
          title: `Call ${capText(title, 80)}`,
        })),
      ],
    })),
    ...serverGroups,
  ].filter(({ choices }) => choices.length > 0);
}

/** First words that more than one capability of the plugin has: "llm". */
function familiesOf({ capabilities }: PluginView): string[] {
  const counts = new Map<string, number>();
  for (const { id } of capabilities) {
    const family = id.split(".")[0] ?? id;
    if (family !== id) counts.set(family, (counts.get(family) ?? 0) + 1);
  }
  return [...counts].filter(([, count]) => count > 1).map(([family]) => family);
}
