// plugin.json: parsed once, with messages that name the field. What it says is untrusted text.

import { z } from "zod";
import { capabilitySchema } from "./capability.ts";
import { AppError } from "./error.ts";
import { permissionsSchema } from "./grant.ts";
import { contractVersion } from "./message.ts";

export const pluginId = z.string().max(64).regex(
  /^[a-z][a-z0-9]*(?:-[a-z0-9]+)*$/,
  "must be lower-case letters, digits and single hyphens, such as 'my-plugin'",
);

export const limitsSchema = z.strictObject({
  /** Resident memory of the whole cell, MiB. */
  memoryMb: z.int().min(128).max(1_048_576).default(512),
  /** 100 is one core. */
  cpuPercent: z.int().min(1).max(100_000).default(100),
  /** Longest silence of one call, ms. */
  timeoutMs: z.int().min(100).max(3_600_000).default(60_000),
  /** Calls that run at once. */
  concurrency: z.int().min(1).max(1024).default(16),
  /** Calls that wait for a slot; one more is answered QUEUE_FULL. */
  queue: z.int().min(0).max(100_000).default(256),
  /** Stops the cell after this long without a call, ms; 0 never. */
  idleTimeoutMs: z.int().min(0).max(86_400_000).default(600_000),
});

export type Limits = z.infer<typeof limitsSchema>;

export const engineNames = ["wllama", "onnx", "transformers", "webllm"] as const;
export type EngineName = typeof engineNames[number];

export const manifestSchema = z.strictObject({
  contract: z.literal(contractVersion, { error: `must be "${contractVersion}"` }),
  id: pluginId,
  name: z.string().min(1).max(100),
  version: z.string().max(100).regex(/^\d+\.\d+\.\d+(?:[-+][0-9A-Za-z.+-]+)?$/, "must be SemVer"),
  description: z.string().max(2000).default(""),
  author: z.string().max(200).default(""),
  license: z.string().max(100).default(""),
  capabilities: z.array(capabilitySchema).min(1).max(200),
  permissions: permissionsSchema.default(() => permissionsSchema.parse({})),
  limits: limitsSchema.default(() => limitsSchema.parse({})),
  /** JSON Schema of the plugin's settings; `default` fills, `writeOnly` marks secrets. */
  settings: z.record(z.string(), z.unknown()).default({}),
  metrics: z.array(z.strictObject({
    name: z.string().max(100).regex(/^[a-z][a-z0-9_]*$/, "must be snake_case"),
    type: z.enum(["gauge", "counter"]),
    description: z.string().max(500).default(""),
    unit: z.string().max(30).default(""),
  })).max(100).default([]),
  healthcheck: z.strictObject({ intervalMs: z.int().min(1000).max(3_600_000) }).optional(),
  browser: z.boolean().default(false),
  engines: z.array(z.enum(engineNames)).max(engineNames.length).default([]),
});

export type Manifest = z.infer<typeof manifestSchema>;

/** The most bytes that a plugin.json may have. */
export const maxManifestBytes = 1_048_576;

/** Parses plugin.json's value; throws INVALID_MANIFEST whose message and details name each bad field. */
export function parseManifest(value: unknown): Manifest {
  const parsed = manifestSchema.safeParse(value);
  if (!parsed.success) {
    const issues = parsed.error.issues.slice(0, 20).map((issue) => ({
      field: issue.path.map(String).join(".") || "(root)",
      message: issue.message,
    }));
    const first = issues.map((issue) => `${issue.field}: ${issue.message}`).join("; ");
    throw new AppError("INVALID_MANIFEST", `plugin.json is not valid: ${first}`, {
      details: { issues },
    });
  }
  const seen = new Set<string>();
  for (const { id } of parsed.data.capabilities) {
    if (seen.has(id)) {
      throw new AppError("INVALID_MANIFEST", `plugin.json is not valid: capability "${id}" twice`);
    }
    seen.add(id);
  }
  return parsed.data;
}
