// What a person did through a route, noted with its outcome. Callers: routes.

import { type AuditedDeed, type AuditLog, recordOutcome } from "../services/audit_log.ts";
import type { RequestScope } from "./services.ts";

export function audited<Result>(
  { principal, clientAddress: address }: RequestScope,
  audit: AuditLog,
  deed: AuditedDeed<Result>,
): Promise<Result> {
  return recordOutcome(audit, { principal, address }, deed);
}
