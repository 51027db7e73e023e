// /api/usage, what oneself has used and what is left, and /admin/usage, what everyone has.

import type { Context, Hono } from "hono";
import { z } from "zod";
import { AppError } from "../../../plugins/runtime/contract/error.ts";
import { dayAt, dayMs } from "../../auth/utc_calendar.ts";
import { operation } from "../operation.ts";
import { readText } from "../page_query.ts";
import { json } from "../reply.ts";
import type { HttpEnv, RouteDeps } from "../services.ts";

export function usageRoutes(hono: Hono<HttpEnv>, { usage, bus }: RouteDeps): void {
  hono.get(
    "/api/usage",
    operation({
      id: "getUsage",
      summary: "Your own calls and tokens by day (UTC), newest first, and what your limits leave",
      tag: "own",
      scope: "account",
      query: periodParameters,
      output: z.object({
        ...pageShape,
        days: z.array(daySchema),
        quotas: z.array(quotaSchema).meta({ description: "of the credential that asks" }),
      }),
    }),
    async (context) => {
      const principal = context.env.principal!;
      const period = readPeriod(context);
      const [page, limits] = await Promise.all([
        usage.days({ ...period, userId: principal.id }),
        bus.limits(principal),
      ]);
      const days = page.days.map(({ userId: _id, userName: _name, ...day }) => day);
      const quotas = limits.map(({ subject, policy, limit, remaining, resetMs }) => {
        return { subject, policy, limit, used: Math.max(0, limit - remaining), remaining, resetMs };
      });
      const { from, to } = period;
      return json(context.env, { from, to, ...page, days, quotas });
    },
  );
  hono.get(
    "/admin/usage",
    operation({
      id: "listUsage",
      summary: "Everyone's calls and tokens by day (UTC), newest first",
      tag: "admin",
      scope: "usage:read",
      query: [
        ...periodParameters,
        { name: "userId", description: "of this user alone", schema: z.string().max(64) },
      ],
      output: z.object({
        ...pageShape,
        days: z.array(
          daySchema.extend({ userId: z.string(), userName: z.string().optional() }),
        ),
      }),
    }),
    async (context) => {
      const period = readPeriod(context);
      const { from, to } = period;
      const page = await usage.days({ ...period, userId: readText(context, "userId", 64) });
      return json(context.env, { from, to, ...page });
    },
  );
}

const dayNameSchema = z.iso.date();

const periodParameters = [
  { name: "from", description: "the first day; default 30 days ago", schema: dayNameSchema },
  { name: "to", description: "the last day; default today", schema: dayNameSchema },
  { name: "after", description: "the 'next' of the page before", schema: z.string().max(1000) },
];

const pageShape = { from: dayNameSchema, to: dayNameSchema, next: z.string().optional() };

const daySchema = z.object({
  day: dayNameSchema,
  capability: z.string(),
  pluginId: z.string(),
  keyId: z.string().meta({ description: "empty: not by an API key" }),
  calls: z.int(),
  errors: z.int(),
  promptTokens: z.int(),
  completionTokens: z.int(),
  busyMs: z.int(),
});

const quotaSchema = z.object({
  subject: z.string().meta({ description: "'user:<id>' or 'key:<id>'" }),
  policy: z.string().meta({
    description: "'requests', 'requests:<capability>', 'tokens-day', ...",
  }),
  limit: z.int(),
  used: z.int(),
  remaining: z.int(),
  resetMs: z.number(),
});

function readPeriod(context: Context<HttpEnv>): { from: string; to: string; after?: string } {
  const now = Date.now();
  const from = readDay(context, "from") ?? dayAt(now - 29 * dayMs).name;
  const to = readDay(context, "to") ?? dayAt(now).name;
  const after = readText(context, "after", 1000);
  return { from, to, ...(after === undefined ? {} : { after }) };
}

function readDay(context: Context<HttpEnv>, name: string): string | undefined {
  const text = readText(context, name, 10);
  if (text === undefined || dayNameSchema.safeParse(text).success) return text;
  throw new AppError("INVALID_INPUT", `"${name}" must be a day such as "2026-01-31"`, {
    details: { field: name },
  });
}
