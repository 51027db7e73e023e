// The operator's decisions about plugins, in the database. All are in memory: the host asks for them at once.

import { z } from "zod";
import { AppError } from "../../plugins/runtime/contract/error.ts";
import { consentSchema, permissionsSchema } from "../../plugins/runtime/contract/grant.ts";
import { limitsSchema, pluginId } from "../../plugins/runtime/contract/manifest.ts";
import type { PluginState } from "../../plugins/runtime/host/plugin_config.ts";
import type { PluginStateStore } from "../../plugins/runtime/host/plugin_host.ts";
import { type Db, json, type Sql } from "../db/db.ts";
import { importOnce } from "./imported_file.ts";

export interface PluginStateOptions {
  db: Db;
  /** Where a version without a database kept them. */
  oldPath: string;
}

/** Throws CONFLICT when what is stored was broken by somebody, so that no grant is lost. */
export async function openPluginState(
  { db, oldPath }: PluginStateOptions,
): Promise<PluginStateStore> {
  await importOnce(db, {
    path: oldPath,
    name: "plugins.json",
    take: (text, sql) => takeOver(text, sql),
  });
  const rows = await db.sql`
    select id, enabled, autostart, consent, settings, secrets, limits from plugins`;
  const states = new Map<string, PluginState>();
  for (const { id, ...row } of rows) {
    const present = Object.entries(row).filter(([, value]) => value !== null);
    const state = stateSchema.safeParse(Object.fromEntries(present));
    if (!state.success) {
      throw new AppError(
        "CONFLICT",
        `The stored state of plugin "${id}" is damaged: mend its row`,
        {
          cause: state.error,
        },
      );
    }
    states.set(String(id), state.data as PluginState);
  }
  let writing: Promise<void> = Promise.resolve();
  return {
    load: (id) => states.get(id),
    save(id, state) {
      states.set(id, state);
      // One after the other: the last decision must be the one that stays.
      const saved = writing.then(() => write(db.sql, id, state));
      writing = saved.catch(() => {});
      return saved;
    },
  };

  async function takeOver(text: string, sql: Sql): Promise<void> {
    let old: z.infer<typeof oldFileSchema>;
    try {
      old = oldFileSchema.parse(JSON.parse(text));
    } catch (cause) {
      throw new AppError("CONFLICT", `"${oldPath}" is damaged: mend it, or move it away`, {
        cause,
      });
    }
    for (const [id, { grants, ...state }] of Object.entries(old)) {
      // A grant of that time is a consent to what it covers.
      const consent = grants && { requested: grants, granted: grants };
      await write(sql, id, { ...state, consent } as PluginState);
    }
  }
}

async function write(sql: Sql, id: string, state: PluginState): Promise<void> {
  const { enabled, autostart, consent, settings, secrets, limits } = state;
  await sql`
    insert into plugins (id, enabled, autostart, consent, settings, secrets, limits, updated_at_ms)
    values (${id}, ${enabled}, ${autostart ?? null}, ${json(consent)}::jsonb,
      ${json(settings)}::jsonb, ${json(secrets)}::jsonb, ${json(limits)}::jsonb, ${Date.now()})
    on conflict (id) do update set enabled = excluded.enabled, autostart = excluded.autostart,
      consent = excluded.consent, settings = excluded.settings, secrets = excluded.secrets,
      limits = excluded.limits, updated_at_ms = excluded.updated_at_ms`;
}

const stateSchema = z.strictObject({
  enabled: z.boolean(),
  autostart: z.boolean().optional(),
  consent: consentSchema.optional(),
  settings: z.record(z.string(), z.unknown()).optional(),
  secrets: z.record(z.string(), z.string()).optional(),
  // Not `limitsSchema.partial()`: that fills in its defaults, and they would win over the manifest's.
  limits: z.partialRecord(limitsSchema.keyof(), z.int()).optional(),
});

const oldFileSchema = z.record(
  pluginId,
  stateSchema.omit({ consent: true }).extend({ grants: permissionsSchema.optional() }),
);
