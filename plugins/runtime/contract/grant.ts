// Permissions that a manifest asks for and grants that an operator gives: one shape, deny by default.

import { z } from "zod";

/** The services that a host can offer through the broker. */
export const serviceNames = [
  "models",
  "vectors",
  "kv",
  "fetch",
  "files",
  "commands",
  "auth",
  "capabilities",
  "log",
] as const;

export type ServiceName = typeof serviceNames[number];

const entries = (max: number) => z.array(z.string().min(1).max(500)).max(max).default([]);

export const permissionsSchema = z.strictObject({
  /** Model ids that the plugin may open; "*" is every model of this host. */
  models: entries(200),
  services: z.array(z.enum(serviceNames)).max(serviceNames.length).default([]),
  /** Hosts that the plugin may fetch from. */
  fetch: entries(200),
  files: z.strictObject({ read: entries(50), write: entries(50) }).default({ read: [], write: [] }),
  /** Exact argv of commands that may run. */
  commands: z.array(z.array(z.string().max(500)).min(1).max(50)).max(50).default([]),
  /** Capabilities of other plugins. */
  capabilities: entries(200),
});

/** What a plugin asks for (manifest) or was given (grant). */
export type Permissions = z.infer<typeof permissionsSchema>;
export type Grant = Permissions;

export const noPermissions: Grant = Object.freeze(permissionsSchema.parse({}));

/** What an administrator decided: the request that was looked at, and the part of it that was given. */
export interface Consent {
  requested: Permissions;
  granted: Grant;
}

export const consentSchema = z.strictObject({
  requested: permissionsSchema,
  granted: permissionsSchema,
});
