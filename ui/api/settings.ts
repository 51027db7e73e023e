// What an admin sets for the whole server, and from where each value comes.

import type { JsonSchema } from "../../plugins/runtime/contract/capability.ts";
import type { Api } from "./client.ts";

export interface SettingView {
  name: string;
  /** Of a secret: "set" or null. */
  value: unknown;
  source: "environment" | "stored" | "default";
  /** The environment variable, such as "BKG_PORT". */
  variable?: string;
  secret?: boolean;
  schema?: JsonSchema;
  title: string;
  description: string;
  /** In force after a restart. */
  restart: boolean;
  editable: boolean;
}

export interface Settings {
  settings: SettingView[];
  /** Those that are made by the clock. */
  backups?: {
    lastAtMs?: number;
    failure?: { atMs: number; message: string };
  };
}

export function listSettings(api: Api): Promise<Settings> {
  return api.get("/admin/settings");
}

/** All or nothing; null goes back to the default. */
export function changeSettings(
  api: Api,
  changes: Readonly<Record<string, unknown>>,
): Promise<Settings> {
  return api.send("PATCH", "/admin/settings", { body: changes });
}
