// The settings of the server: the environment's, what is stored, and defaults. What is stored is in memory: it is asked
// for on the way of requests. Callers: compose, /admin/settings.

import { AppError } from "../../plugins/runtime/contract/error.ts";
import { z } from "zod";
import type { Config } from "../config.ts";
import { type Db, json } from "../db/db.ts";
import {
  type EditableName,
  editableSettings,
  fixedViews,
  isEditable,
  secretViews,
  type SettingValues,
  type SettingView,
} from "./server_settings.ts";

export interface ServerSettings {
  /** In force now. */
  readonly values: SettingValues;
  list(): SettingView[];
  /**
   * All or nothing, and in force when it settles; null goes back to the default. Throws INVALID_INPUT naming the field,
   * CONFLICT for what the environment sets or a restart would need.
   */
  change(changes: Readonly<Record<string, unknown>>, by: string): Promise<void>;
  /** Calls `changed` after each change, until the returned function is called. */
  watch(changed: () => void): () => void;
}

export interface ServerSettingsOptions {
  db: Db;
  config: Config;
  /** Told of what is stored and not valid any more: the default is in force then. */
  warn: (message: string) => void;
}

export async function openServerSettings(
  { db, config, warn }: ServerSettingsOptions,
): Promise<ServerSettings> {
  const stored = new Map<EditableName, unknown>();
  const watchers = new Set<() => void>();
  let values: SettingValues;
  /** One change after the other: what is in memory is what was stored last. */
  let changing: Promise<void> = Promise.resolve();

  for (const { name, value } of await db.sql`select name, value from settings`) {
    if (typeof name !== "string" || !isEditable(name)) continue;
    const parsed = editableSettings[name].schema.safeParse(value);
    if (parsed.success) stored.set(name, parsed.data);
    else warn(`The stored setting "${name}" is not valid, and its default is in force`);
  }
  values = valuesInForce();

  function sourceOf(name: EditableName): SettingView["source"] {
    const { variable } = { variable: undefined, ...editableSettings[name] };
    if (variable !== undefined && config.given.includes(variable)) return "environment";
    return stored.has(name) ? "stored" : "default";
  }

  function valueOf(name: EditableName): unknown {
    switch (sourceOf(name)) {
      case "environment":
        return config[name as keyof Config];
      case "stored":
        return stored.get(name);
      case "default":
        return editableSettings[name].default;
    }
  }

  function valuesInForce(): SettingValues {
    const pairs = editableNames.map((name) => [name, valueOf(name)]);
    return Object.freeze(Object.fromEntries(pairs)) as SettingValues;
  }

  /** What each is set to; undefined: back to the default. */
  function parse(changes: Readonly<Record<string, unknown>>): [EditableName, unknown][] {
    return Object.entries(changes).map(([name, value]) => {
      const refuse = (code: "INVALID_INPUT" | "CONFLICT", message: string) =>
        new AppError(code, message, { details: { field: name } });
      if (!isEditable(name)) {
        throw fixedNames(config).has(name)
          ? refuse("CONFLICT", `"${name}" is set where the server is started`)
          : refuse("INVALID_INPUT", `There is no setting "${name.slice(0, 100)}"`);
      }
      if (sourceOf(name) === "environment") {
        throw refuse("CONFLICT", `"${name}" is set by its environment variable, which wins`);
      }
      if (value === null) return [name, undefined];
      const parsed = editableSettings[name].schema.safeParse(value);
      if (parsed.success && JSON.stringify(parsed.data).length <= maxChars) {
        return [name, parsed.data];
      }
      const [issue] = parsed.error?.issues ?? [];
      throw refuse("INVALID_INPUT", `"${name}": ${issue?.message ?? "too long"}`);
    });
  }

  async function store(parsed: [EditableName, unknown][], by: string): Promise<void> {
    await db.transaction(async ({ sql }) => {
      for (const [name, value] of parsed) {
        if (value === undefined) await sql`delete from settings where name = ${name}`;
        else {
          await sql`
            insert into settings (name, value, updated_at_ms, updated_by)
            values (${name}, ${json(value)}::jsonb, ${Date.now()}, ${by})
            on conflict (name) do update set value = excluded.value,
              updated_at_ms = excluded.updated_at_ms, updated_by = excluded.updated_by`;
        }
      }
    });
    for (const [name, value] of parsed) {
      if (value === undefined) stored.delete(name);
      else stored.set(name, value);
    }
    values = valuesInForce();
    for (const changed of [...watchers]) changed();
  }

  return {
    get values() {
      return values;
    },
    list: () => [
      ...editableNames.map((name): SettingView => {
        const { title, description, schema, variable } = {
          variable: undefined,
          ...editableSettings[name],
        };
        const source = sourceOf(name);
        return {
          name,
          value: valueOf(name),
          source,
          ...(variable === undefined ? {} : { variable }),
          schema: jsonSchemaOf(schema),
          title,
          description,
          restart: false,
          editable: source !== "environment",
        };
      }),
      ...fixedViews(config),
      ...secretViews(config),
    ],
    change(changes, by) {
      const parsed = parse(changes);
      const changed = changing.then(() => store(parsed, by));
      changing = changed.catch(() => {});
      return changed;
    },
    watch(changed) {
      const watcher = () => changed();
      watchers.add(watcher);
      return () => watchers.delete(watcher);
    },
  };
}

const editableNames = Object.keys(editableSettings) as EditableName[];
const maxChars = 20_000;

function fixedNames(config: Config): Set<string> {
  return new Set([...fixedViews(config), ...secretViews(config)].map(({ name }) => name));
}

function jsonSchemaOf(schema: z.ZodType): Record<string, unknown> {
  const { $schema: _, ...plain } = z.toJSONSchema(schema, { io: "input" });
  return plain;
}
