// What clients of /v1 name in `model`: a model, or a preset that they may use. A model goes first, so that no preset
// takes a name away from those who mean the model.

import { AppError } from "../../../plugins/runtime/contract/error.ts";
import { encodesText, writesText } from "../../../plugins/runtime/contract/model_summary.ts";
import type { ModelRecord } from "../../../models/model.ts";
import type { Preset } from "../../services/preset_store.ts";
import type { RouteDeps } from "../services.ts";
import type { ChatInput } from "./request.ts";

export type NamedModel =
  | { model: ModelRecord; preset?: undefined }
  /** `model`: the one that it builds on. */
  | { model: ModelRecord; preset: Preset };

type Deps = Pick<RouteDeps, "models" | "presets">;

/** Throws NOT_FOUND as OpenAI's "model_not_found", also for a preset that somebody else keeps to himself. */
export async function findNamedModel(
  { models, presets }: Deps,
  { name, userId }: { name: string; userId: string },
): Promise<NamedModel> {
  try {
    return { model: await models.get(name) };
  } catch (error) {
    if (!isNotFound(error)) throw error;
    const preset = await presets?.find(userId, name);
    if (preset === undefined) throw unknownModel(error.message, error);
    return { preset, model: await baseOf(models, preset) };
  }
}

/** OpenAI's model objects: models to chat with, presets whose names no model has, then what embeds and re-ranks. */
export async function listNamedModels(
  { models, presets }: Deps,
  { userId }: { userId: string },
): Promise<OpenAiModel[]> {
  const [records, known] = await Promise.all([models.list(), presets?.list(userId) ?? []]);
  const named = new Map<string, OpenAiModel>();
  for (const model of records.filter(writesText)) named.set(model.id, openAiModel({ model }));
  for (const preset of known) {
    if (!named.has(preset.name)) named.set(preset.name, openAiPreset(preset));
  }
  // Last: clients take the first one to chat with.
  for (const model of records.filter(encodesText)) {
    named.delete(model.id);
    named.set(model.id, openAiModel({ model }));
  }
  return [...named.values()];
}

export interface OpenAiModel {
  id: string;
  object: "model";
  /** Seconds since the epoch. */
  created: number;
  owned_by: string;
}

export function openAiModel({ model, preset }: NamedModel): OpenAiModel {
  if (preset !== undefined) return openAiPreset(preset);
  return { ...modelObject(model.id, model.createdAtMs), owned_by: ownerOf(model.id) };
}

/** The preset's system prompt comes before all messages; what the request says wins over its parameters. */
export function withPreset(
  { messages, ...asked }: ChatInput,
  { model, systemPrompt, parameters }: Preset,
): ChatInput {
  const system = { role: "system" as const, content: systemPrompt };
  const given = Object.fromEntries(
    Object.entries(parameters).filter(([, value]) => value !== undefined),
  );
  return {
    ...given,
    ...asked,
    model,
    messages: systemPrompt === "" ? messages : [system, ...messages],
  };
}

function openAiPreset({ name, createdAtMs }: Preset): OpenAiModel {
  return { ...modelObject(name, createdAtMs), owned_by: "preset" };
}

/** Who put the model on its hub. */
function ownerOf(id: string): string {
  const slash = id.indexOf("/");
  return slash < 0 ? "bkg" : id.slice(0, slash);
}

function modelObject(id: string, createdAtMs: number) {
  return { id, object: "model" as const, created: Math.floor(createdAtMs / 1000) };
}

async function baseOf(models: Deps["models"], { name, model }: Preset): Promise<ModelRecord> {
  try {
    return await models.get(model);
  } catch (error) {
    if (!isNotFound(error)) throw error;
    throw unknownModel(
      `The preset "${name}" builds on a model that is gone: ${error.message}`,
      error,
    );
  }
}

function isNotFound(error: unknown): error is AppError {
  return error instanceof AppError && error.code === "NOT_FOUND";
}

function unknownModel(message: string, cause: unknown): AppError {
  return new AppError("NOT_FOUND", `${message}; GET /v1/models lists what there is`, {
    details: { param: "model", openAiCode: "model_not_found" },
    cause,
  });
}
