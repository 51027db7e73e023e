// Who may see a job. Callers: routes, sockets.

import type { Job } from "../../plugins/runtime/contract/job.ts";
import type { Identity } from "./authenticator.ts";

/** One's own, and for who manages models everyone's. */
export function maySeeJob({ id, scopes }: Identity, { createdBy }: Job): boolean {
  return createdBy === id || scopes.allows("models:manage");
}
