// The operator's decisions about plugins, in one JSON file in the data folder, until there is a database.

import { z } from "zod";
import { AppError } from "../../plugins/runtime/contract/error.ts";
import { permissionsSchema } from "../../plugins/runtime/contract/grant.ts";
import { limitsSchema, pluginId } from "../../plugins/runtime/contract/manifest.ts";
import type { PluginState } from "../../plugins/runtime/host/plugin_config.ts";
import type { PluginStateStore } from "../../plugins/runtime/host/plugin_host.ts";

type States = Record<string, PluginState>;

const stateSchema = z.record(
  pluginId,
  z.strictObject({
    enabled: z.boolean(),
    autostart: z.boolean().optional(),
    grants: permissionsSchema.optional(),
    settings: z.record(z.string(), z.unknown()).optional(),
    secrets: z.record(z.string(), z.string()).optional(),
    // Not `limitsSchema.partial()`: that fills in its defaults, and they would win over the manifest's.
    limits: z.partialRecord(limitsSchema.keyof(), z.int()).optional(),
  }),
);

/** Reads the file, if there is one; throws CONFLICT when somebody broke it, so that no grant is lost. */
export function openPluginState(path: string): PluginStateStore {
  const states = readStates(path);
  let writing: Promise<void> = Promise.resolve();
  return {
    load: (id) => states[id],
    save(id, state) {
      states[id] = state;
      // One after the other: the last decision must be the one that stays.
      const saved = writing.then(() => writeWhole(path, JSON.stringify(states, null, 2) + "\n"));
      writing = saved.catch(() => {});
      return saved;
    },
  };
}

function readStates(path: string): States {
  let text: string;
  try {
    text = Deno.readTextFileSync(path);
  } catch (error) {
    if (error instanceof Deno.errors.NotFound) return {};
    throw error;
  }
  try {
    return stateSchema.parse(JSON.parse(text)) as States;
  } catch (cause) {
    throw new AppError("CONFLICT", `"${path}" is damaged: mend it, or move it away`, { cause });
  }
}

async function writeWhole(path: string, text: string): Promise<void> {
  const partial = `${path}.partial`;
  await Deno.writeTextFile(partial, text, { mode: 0o600 });
  await Deno.rename(partial, path);
}
