// GET /api/machine: what this machine has for models.

import type { Hono } from "hono";
import { z } from "zod";
import { operation } from "../operation.ts";
import { json } from "../reply.ts";
import type { HttpEnv, RouteDeps } from "../services.ts";

export function machineRoutes(hono: Hono<HttpEnv>, { modelKeeper }: RouteDeps): void {
  if (modelKeeper === undefined) return;
  hono.get(
    "/api/machine",
    operation({
      id: "getMachine",
      summary: "Cores, memory, disk and GPU of the server's machine, as far as models need them",
      tag: "system",
      scope: "models:read",
      output: machineSchema,
    }),
    async (context) => json(context.env, await modelKeeper.machine()),
  );
}

export const machineSchema = z.looseObject({
  cores: z.int(),
  memoryBytes: z.int(),
  availableBytes: z.int().meta({ description: "of memory, now" }),
  diskFreeBytes: z.int(),
  diskTotalBytes: z.int(),
  offline: z.boolean().meta({ description: "whether nothing is downloaded" }),
}).meta({ id: "Machine" });
