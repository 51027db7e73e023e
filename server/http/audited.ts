// What a person did through a route, noted with its outcome. Callers: routes of users, roles and keys.

import { toAppError } from "../../plugins/runtime/contract/error.ts";
import type { AuditLog } from "../services/audit_log.ts";
import type { RequestScope } from "./services.ts";

export interface AuditedDeed<Result> {
  /** Such as "user.create". */
  action: string;
  /** Such as "user:ab12"; with a result, what it made. */
  object: (result: Result | undefined) => string;
  run: () => Promise<Result>;
  /** Of whose trail it is a part. */
  pluginId?: string;
}

export async function audited<Result>(
  { principal, clientAddress: address }: RequestScope,
  audit: AuditLog,
  { run, object, ...deed }: AuditedDeed<Result>,
): Promise<Result> {
  const note = (outcome: "ok" | "denied" | "failed", result?: Result) =>
    audit.record({ ...deed, principal, address, object: object(result), outcome });
  try {
    const result = await run();
    note("ok", result);
    return result;
  } catch (error) {
    note(toAppError(error).code === "FORBIDDEN" ? "denied" : "failed");
    throw error;
  }
}
