// GET /admin/audit: who did what to which object, as JSON in pages or as CSV as a whole.

import type { Context, Hono } from "hono";
import { z } from "zod";
import { AppError } from "../../../plugins/runtime/contract/error.ts";
import type { AuditLog, AuditQuery, AuditView } from "../../services/audit_log.ts";
import { operation } from "../operation.ts";
import { pageParameters, readPageQuery, readText } from "../page_query.ts";
import { json, plainHeaders } from "../reply.ts";
import type { HttpEnv, RouteDeps } from "../services.ts";

export function auditRoutes(hono: Hono<HttpEnv>, { audit }: RouteDeps): void {
  hono.get(
    "/admin/audit",
    operation({
      id: "listAudit",
      summary: "Who did what to which object, newest first",
      description: "With 'Accept: text/csv' all that there is, as a file",
      tag: "admin",
      scope: "audit:read",
      query: [
        { name: "principal", description: "the id of a user", schema: textSchema },
        { name: "action", description: "such as 'user.create'", schema: textSchema },
        { name: "object", description: "such as 'user:ab12'", schema: textSchema },
        { name: "pluginId", description: "of this plugin's trail alone", schema: textSchema },
        { name: "from", description: "ms since the epoch", schema: timeSchema },
        { name: "to", description: "ms since the epoch; not within", schema: timeSchema },
        ...pageParameters,
      ],
      output: z.object({ entries: z.array(entrySchema), next: z.string().optional() }),
    }),
    async (context) => {
      const query = readQuery(context);
      if (context.req.header("accept")?.includes("text/csv") !== true) {
        return json(context.env, await audit.list({ ...query, ...readPageQuery(context) }));
      }
      return new Response(csvStream(audit, query), {
        headers: {
          ...plainHeaders(context.env, "text/csv; charset=utf-8"),
          "content-disposition": 'attachment; filename="bkg-audit.csv"',
        },
      });
    },
  );
}

const textSchema = z.string().max(1000);
const timeSchema = z.int().min(0);

const entrySchema = z.object({
  id: z.int(),
  atMs: z.int(),
  principal: z.string(),
  principalName: z.string().optional(),
  credential: z.string().meta({ description: "such as 'key:ab12'" }),
  address: z.string(),
  pluginId: z.string(),
  action: z.string(),
  object: z.string(),
  outcome: z.string(),
  count: z.int(),
}).meta({ id: "AuditEntry" });

function readQuery(context: Context<HttpEnv>): AuditQuery {
  return {
    principal: readText(context, "principal", 1000),
    action: readText(context, "action", 1000),
    object: readText(context, "object", 1000),
    pluginId: readText(context, "pluginId", 1000),
    fromMs: readTime(context, "from"),
    toMs: readTime(context, "to"),
  };
}

function readTime(context: Context<HttpEnv>, name: string): number | undefined {
  const text = readText(context, name, 16);
  if (text === undefined) return undefined;
  if (/^\d{1,15}$/.test(text)) return Number(text);
  throw new AppError("INVALID_INPUT", `"${name}" must be a time in ms since the epoch`, {
    details: { field: name },
  });
}

const columns = [
  ...["id", "atMs", "principal", "principalName", "credential", "address", "pluginId", "action"],
  ...["object", "outcome", "count"],
] as (keyof AuditView)[];

/** A page is read when the client has taken the one before. */
function csvStream(audit: AuditLog, query: AuditQuery): ReadableStream<Uint8Array> {
  const encoder = new TextEncoder();
  let after: string | undefined;
  let text = columns.join(",") + "\r\n";
  return new ReadableStream({
    async pull(controller) {
      const { entries, next } = await audit.list({ ...query, limit: 200, after });
      for (const entry of entries) {
        text += columns.map((name) => cell(entry[name])).join(",") + "\r\n";
      }
      controller.enqueue(encoder.encode(text));
      text = "";
      after = next;
      if (next === undefined) controller.close();
    },
  }, { highWaterMark: 0 });
}

/** RFC 4180; a sign that spreadsheets take for a formula's is quoted, because others wrote it. */
function cell(value: string | number | undefined): string {
  if (typeof value === "number") return String(value);
  const text = value ?? "";
  const safe = /^[=+\-@\t\r]/.test(text) ? `'${text}` : text;
  return /[",\r\n]/.test(safe) ? `"${safe.replaceAll('"', '""')}"` : safe;
}
