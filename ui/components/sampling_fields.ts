// The numbers of a chat's sampling: what they are called, and between what they lie. The limits are llm.chat's.

import type { Sampling } from "../stores/chat.ts";

export interface NumberField {
  key: Exclude<keyof Sampling, "system">;
  label: string;
  hint: string;
  min: number;
  max: number;
  /** 1 takes whole numbers alone. */
  step: number;
}

export const fields: readonly NumberField[] = [
  {
    key: "temperature",
    label: "Temperature",
    hint: "0 is the likeliest answer, higher is more varied",
    min: 0,
    max: 2,
    step: 0.05,
  },
  {
    key: "maxTokens",
    label: "Max tokens",
    hint: "Ends the answer after so many",
    min: 1,
    max: 1_048_576,
    step: 1,
  },
  {
    key: "topP",
    label: "Top P",
    hint: "Likeliest tokens up to this probability; 1 is all",
    min: 0,
    max: 1,
    step: 0.01,
  },
  {
    key: "topK",
    label: "Top K",
    hint: "So many of the likeliest tokens; 0 is all",
    min: 0,
    max: 1_048_576,
    step: 1,
  },
  {
    key: "minP",
    label: "Min P",
    hint: "Drops tokens less likely than this share of the likeliest",
    min: 0,
    max: 1,
    step: 0.01,
  },
  {
    key: "repeatPenalty",
    label: "Repeat penalty",
    hint: "Makes used tokens less likely; 1 is none",
    min: 0,
    max: 2,
    step: 0.05,
  },
  {
    key: "seed",
    label: "Seed",
    hint: "Equal seeds repeat an answer",
    min: Number.MIN_SAFE_INTEGER,
    max: Number.MAX_SAFE_INTEGER,
    step: 1,
  },
];

/** The value of a field's text; empty is none. */
export function readField(
  field: NumberField,
  text: string,
): { value: number | undefined } | { problem: string } {
  if (text.trim() === "") return { value: undefined };
  const value = Number(text);
  if (!Number.isFinite(value)) return { problem: "Not a number" };
  if (value < field.min) return { problem: `At least ${field.min}` };
  if (value > field.max) return { problem: `At most ${field.max}` };
  if (field.step === 1 && !Number.isInteger(value)) return { problem: "A whole number" };
  return { value };
}
