// The form of a plugin's limits: the ranges of the manifest's own schema (a test compares them), in plain words.

import type { JsonSchema } from "../../plugins/runtime/contract/capability.ts";
import type { Limits } from "../../plugins/runtime/contract/manifest.ts";

/** `defaults` are what the manifest asks for. */
export function limitsSchema(defaults: Limits): JsonSchema {
  return {
    type: "object",
    additionalProperties: false,
    properties: Object.fromEntries(
      Object.entries(fields).map(([name, field]) => [
        name,
        { type: "integer", ...field, default: defaults[name as keyof Limits] },
      ]),
    ),
  };
}

interface LimitField {
  title: string;
  description: string;
  minimum: number;
  maximum: number;
}

const fields: Readonly<Record<keyof Limits, LimitField>> = {
  memoryMb: {
    title: "Memory (MiB)",
    description: "All that the plugin's process may hold. Above it the plugin is ended.",
    minimum: 128,
    maximum: 1_048_576,
  },
  cpuPercent: {
    title: "CPU (%)",
    description: "100 is one core.",
    minimum: 1,
    maximum: 100_000,
  },
  timeoutMs: {
    title: "Longest silence of a call (ms)",
    description:
      "A call that says nothing for so long is taken for stuck, and the plugin is ended.",
    minimum: 100,
    maximum: 3_600_000,
  },
  concurrency: {
    title: "Calls at once",
    description: "Further calls wait.",
    minimum: 1,
    maximum: 1024,
  },
  queue: {
    title: "Calls that may wait",
    description: "One more is refused with QUEUE_FULL.",
    minimum: 0,
    maximum: 100_000,
  },
  idleTimeoutMs: {
    title: "Stop when idle (ms)",
    description: "Without a call for so long the plugin stops, until the next call. 0 is never.",
    minimum: 0,
    maximum: 86_400_000,
  },
};
