// GET /admin/backup: the database in one file. It holds secrets, and everyone's data.

import type { Hono } from "hono";
import { audited } from "../audited.ts";
import { operation } from "../operation.ts";
import { plainHeaders } from "../reply.ts";
import type { HttpEnv, RouteDeps } from "../services.ts";

export function backupRoutes(hono: Hono<HttpEnv>, { backups, audit }: RouteDeps): void {
  if (backups === undefined) return;
  hono.get(
    "/admin/backup",
    operation({
      id: "getBackup",
      summary: "The database in one file, for `bkg restore`",
      description: "Holds secrets of plugins. Models, logs and the operator's key are not in it.",
      tag: "system",
      scope: "backups:read",
      outputType: "application/gzip",
    }),
    async (context) => {
      const file = await audited(context.env, audit, {
        action: "backup.take",
        object: () => "database",
        run: () => backups.open(),
      });
      return new Response(file, {
        headers: {
          ...plainHeaders(context.env, "application/gzip"),
          "content-disposition": 'attachment; filename="bkg-backup.bkg"',
        },
      });
    },
  );
}
