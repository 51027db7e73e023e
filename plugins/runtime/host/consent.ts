// What follows from what an administrator decided about a plugin's permissions: what it is granted, and whether it
// may start. Pure; HostedPlugin keeps the decision. What a stranger's manifest asks for is made plain and cut.

import { AppError } from "../contract/error.ts";
import { type Consent, consentSchema, type Grant, noPermissions } from "../contract/grant.ts";
import { missingPermissions } from "../contract/permission_list.ts";
import { toPlainText } from "../contract/plain_text.ts";
import type { PluginState } from "./plugin_config.ts";
import type { KnownPlugin } from "./registry.ts";

/** Undefined while nobody decided; what is stored and cannot be read gives nothing. */
export function readConsent({ consent }: PluginState): Consent | undefined {
  if (consent === undefined) return undefined;
  const stored = consentSchema.safeParse(consent);
  return stored.success ? stored.data : { requested: noPermissions, granted: noPermissions };
}

/** Our own plugins get what they ask for, until somebody decides; others nothing. */
export function grantOf({ origin, manifest }: KnownPlugin, consent: Consent | undefined): Grant {
  return consent?.granted ?? (origin === "builtin" ? manifest.permissions : noPermissions);
}

/** CONSENT_REQUIRED for a stranger's plugin that asks for what nobody has looked at; at what ours ask for, we have. */
export function withoutConsent(
  { origin, manifest }: KnownPlugin,
  consent: Consent | undefined,
): AppError | undefined {
  if (origin === "builtin") return undefined;
  const looked = consent?.requested ?? noPermissions;
  const undecided = missingPermissions(manifest.permissions, looked);
  if (undecided.length === 0) return undefined;
  const { id, version } = manifest;
  const names = undecided.map((name) => toPlainText(name, 80));
  const shown = names.slice(0, 5).map((name) => `"${name}"`).join(", ");
  const more = names.length > 5 ? ` and ${names.length - 5} more` : "";
  return new AppError(
    "CONSENT_REQUIRED",
    `Plugin "${id}" ${version} asks for what no administrator has allowed yet (${shown}${more}): ` +
      `decide on its page, "plugins/${id}#permissions", or run "bkg plugin grant ${id}"`,
    { details: { pluginId: id, version, permissions: names.slice(0, 50) } },
  );
}

/** What was given (+) and taken (-), such as `+"models: *", -"services: kv"`. */
export function describeGrantChange(before: Grant, after: Grant): string {
  const changes = [
    ...missingPermissions(after, before).map((name) => `+${quote(name)}`),
    ...missingPermissions(before, after).map((name) => `-${quote(name)}`),
  ];
  if (changes.length === 0) return "nothing given, nothing taken";
  let text = "";
  for (const [index, change] of changes.entries()) {
    const next = text === "" ? change : `${text}, ${change}`;
    if (next.length > maxTextChars) return `${text} and ${changes.length - index} more`;
    text = next;
  }
  return text;
}

/** As JSON has it: a name cannot end its quotes and go on as another change. */
function quote(name: string): string {
  return JSON.stringify(toPlainText(name, 200));
}

/** The audit trail keeps 1,000 characters. */
const maxTextChars = 900;
