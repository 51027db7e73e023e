// GET /admin/backup: the database in one file. It holds secrets, so it is the operator's alone.

import type { Hono } from "hono";
import { AppError } from "../../../plugins/runtime/contract/error.ts";
import { operation } from "../operation.ts";
import { plainHeaders } from "../reply.ts";
import type { HttpEnv, RouteDeps } from "../services.ts";

export function backupRoutes(hono: Hono<HttpEnv>, { backups }: RouteDeps): void {
  if (backups === undefined) return;
  hono.get(
    "/admin/backup",
    operation({
      id: "getBackup",
      summary: "The database in one file, for `bkg restore`",
      description: "Holds secrets of plugins. Models, logs and the operator's key are not in it.",
      tag: "system",
      outputType: "application/gzip",
    }),
    async (context) => {
      if (context.env.principal?.role === "user") {
        throw new AppError("FORBIDDEN", "Only an operator may take a backup");
      }
      return new Response(await backups.open(), {
        headers: {
          ...plainHeaders(context.env, "application/gzip"),
          "content-disposition": 'attachment; filename="bkg-backup.bkg"',
        },
      });
    },
  );
}
