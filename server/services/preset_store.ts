// Presets of users, in the database: a model under another name, with a system prompt and parameters.
// A name is one's own first, then the one that somebody shares. Models go before presets: who calls asks for them first.

import { z } from "zod";
import { AppError } from "../../plugins/runtime/contract/error.ts";
import type { ModelStore } from "../../models/model.ts";
import { type Db, json, type Row, type Sql } from "../db/db.ts";
import { toStorableText } from "./storable_text.ts";

const penalty = z.number().min(-2).max(2);

/** What `llm.chat` takes beside model and messages, in its own limits. */
export const presetParametersSchema = z.strictObject({
  maxTokens: z.int().min(1).max(1_048_576),
  temperature: z.number().min(0).max(2),
  topP: z.number().min(0).max(1),
  topK: z.int().min(0).max(1_048_576),
  minP: z.number().min(0).max(1),
  frequencyPenalty: penalty,
  presencePenalty: penalty,
  repeatPenalty: z.number().min(0).max(2),
  seed: z.int(),
  stop: z.array(z.string().min(1).max(500)).max(16),
}).partial();

export const presetInputSchema = z.strictObject({
  name: z.string().min(1).max(100).regex(/^[A-Za-z0-9._:-]+$/, "may hold A-Z a-z 0-9 . _ : -"),
  /** Id of a model. */
  model: z.string().min(1).max(300),
  systemPrompt: z.string().max(100_000).default(""),
  parameters: presetParametersSchema.default({}),
  shared: z.boolean().default(false),
});

export type PresetInput = z.infer<typeof presetInputSchema>;

export interface Preset extends PresetInput {
  id: string;
  /** Whether it is of who asks. */
  own: boolean;
  createdAtMs: number;
  updatedAtMs: number;
}

/** Another's preset, and one that is not there, is NOT_FOUND to whoever would change it. */
export interface PresetStore {
  /** The user's own and those that others share, by name. */
  list(userId: string): Promise<Preset[]>;
  /** What the name means to the user. */
  find(userId: string, name: string): Promise<Preset | undefined>;
  /** CONFLICT for the name of a model, a name in use, or the 201st; INVALID_INPUT for an unknown model. */
  create(userId: string, preset: PresetInput): Promise<Preset>;
  change(userId: string, id: string, preset: PresetInput): Promise<Preset>;
  delete(userId: string, id: string): Promise<void>;
}

export interface PresetStoreOptions {
  db: Db;
  models: Pick<ModelStore, "get">;
  /** Ms since the epoch. */
  now?: () => number;
  /** Of one user. */
  maxPresets?: number;
}

export function createPresetStore(options: PresetStoreOptions): PresetStore {
  const { db, models, now = Date.now, maxPresets = 200 } = options;

  async function requireFree(name: string): Promise<void> {
    try {
      await models.get(name);
    } catch (error) {
      if (error instanceof AppError && error.code === "NOT_FOUND") return;
      // A broken file has the name all the same.
      if (!(error instanceof AppError) || error.code !== "INVALID_MODEL") throw error;
    }
    throw new AppError("CONFLICT", `"${name}" is the name of a model: choose another one`, {
      details: { field: "name" },
    });
  }

  async function requireModel(id: string): Promise<void> {
    try {
      await models.get(id);
    } catch (cause) {
      if (!(cause instanceof AppError) || cause.code !== "NOT_FOUND") throw cause;
      throw new AppError("INVALID_INPUT", `There is no model "${id}" to build on`, {
        details: { field: "model" },
        cause,
      });
    }
  }

  return {
    async list(userId) {
      const rows = await db.sql`
        select * from presets where user_id = ${userId} or shared
        order by name, user_id = ${userId} desc, id`;
      return rows.map((row) => readPreset(row, userId));
    },

    async find(userId, name) {
      const [row] = await db.sql`
        select * from presets where name = ${name} and (user_id = ${userId} or shared)
        order by user_id = ${userId} desc limit 1`;
      return row === undefined ? undefined : readPreset(row, userId);
    },

    async create(userId, preset) {
      await requireFree(preset.name);
      await requireModel(preset.model);
      const id = crypto.randomUUID();
      const at = now();
      return await naming(preset, () =>
        db.transaction(async ({ sql }) => {
          await requireRoom(sql, { userId, maxPresets });
          const [row] = await sql`
            insert into presets (id, user_id, name, shared, model, system_prompt, parameters,
              created_at_ms, updated_at_ms)
            values (${id}, ${userId}, ${preset.name}, ${preset.shared}, ${
            toStorableText(preset.model)
          },
              ${toStorableText(preset.systemPrompt)}, ${storedParameters(preset)}, ${at}, ${at})
            returning *`;
          return readPreset(row!, userId);
        }));
    },

    async change(userId, id, preset) {
      const [before] = await db.sql`
        select name, model from presets where user_id = ${userId} and id = ${id}`;
      // A model that came or went since is no reason to refuse the rest of a preset.
      if (before?.["name"] !== preset.name) await requireFree(preset.name);
      if (before?.["model"] !== preset.model) await requireModel(preset.model);
      const [row] = await naming(preset, () =>
        db.sql`
          update presets set name = ${preset.name}, shared = ${preset.shared},
            model = ${toStorableText(preset.model)}, system_prompt = ${
          toStorableText(preset.systemPrompt)
        },
            parameters = ${storedParameters(preset)}, updated_at_ms = ${now()}
          where user_id = ${userId} and id = ${id} returning *`);
      if (row === undefined) throw notFound();
      return readPreset(row, userId);
    },

    async delete(userId, id) {
      const rows = await db.sql`
        delete from presets where user_id = ${userId} and id = ${id} returning id`;
      if (rows.length === 0) throw notFound();
    },
  };
}

async function requireRoom(
  sql: Sql,
  { userId, maxPresets }: { userId: string; maxPresets: number },
): Promise<void> {
  // One at a time, so that the count holds.
  await sql`select id from users where id = ${userId} for no key update`;
  const [row] = await sql`select count(*) as count from presets where user_id = ${userId}`;
  if (Number(row?.["count"]) < maxPresets) return;
  throw new AppError("CONFLICT", `There are ${maxPresets} presets already, which is the most`, {
    details: { field: "presets", limit: maxPresets },
  });
}

/** Says whose name it is that is in use. */
async function naming<Value>(
  { name, shared }: PresetInput,
  write: () => Promise<Value>,
): Promise<Value> {
  try {
    return await write();
  } catch (cause) {
    // A full list is told already.
    if (!(cause instanceof AppError) || cause.code !== "CONFLICT" || cause.details !== undefined) {
      throw cause;
    }
    const whose = shared ? `you have a preset "${name}", or somebody shares one` : `you have one`;
    throw new AppError("CONFLICT", `The name is in use: ${whose}`, {
      details: { field: "name" },
      cause,
    });
  }
}

function notFound(): AppError {
  return new AppError("NOT_FOUND", "There is no such preset of yours");
}

function readPreset(row: Row, userId: string): Preset {
  return {
    id: String(row["id"]),
    name: String(row["name"]),
    model: String(row["model"]),
    systemPrompt: String(row["system_prompt"]),
    parameters: presetParametersSchema.parse(row["parameters"]),
    shared: row["shared"] === true,
    own: row["user_id"] === userId,
    createdAtMs: Number(row["created_at_ms"]),
    updatedAtMs: Number(row["updated_at_ms"]),
  };
}

function storedParameters({ parameters }: PresetInput) {
  const { stop, ...numbers } = parameters;
  return json({ ...numbers, ...(stop === undefined ? {} : { stop: stop.map(toStorableText) }) });
}
