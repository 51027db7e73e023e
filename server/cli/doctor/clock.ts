// The clock: certificates, sessions and keys expire by it. Caller: `bkg doctor`.

import { join } from "node:path";
import type { Finding } from "./finding.ts";

/** Without a network: no file of the data folder may be from the future, and today is not before this program. */
export async function checkClock(dataDir: string, nowMs: number): Promise<Finding> {
  const what = "clock";
  const now = new Date(nowMs).toISOString();
  if (nowMs < madeAtMs) {
    return { state: "fail", what, message: `says ${now}, which is long ago: set it (NTP)` };
  }
  for (const name of ["admin-token", "database", "logs"]) {
    const changedMs = await Deno.stat(join(dataDir, name)).then(({ mtime }) => mtime?.getTime())
      .catch(() => undefined);
    if (changedMs !== undefined && changedMs > nowMs + toleranceMs) {
      const message = `says ${now}, but "${name}" was changed later: set the clock (NTP)`;
      return { state: "warn", what, message };
    }
  }
  return { state: "ok", what, message: now };
}

const madeAtMs = Date.UTC(2025, 0, 1);
const toleranceMs = 60_000;
