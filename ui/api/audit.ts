// Who did what to which object, newest first.

import type { Api } from "./client.ts";
import { type PageOf, type PageRequest, withQuery } from "./paging.ts";

export interface AuditEntry {
  id: string | number;
  atMs: number;
  /** Id of the user; empty: nobody was signed in. */
  principal: string;
  principalName?: string | null;
  /** Such as "key:ab12"; empty: none. */
  credential: string;
  address: string;
  /** Empty: of no plugin's trail. */
  pluginId: string;
  action: string;
  object: string;
  outcome: string;
  count: number;
}

/** Empty texts filter nothing. */
export interface AuditFilter {
  principal: string;
  action: string;
  object: string;
  pluginId: string;
  /** Ms since the epoch. */
  from: number | undefined;
  to: number | undefined;
}

export async function listAudit(
  api: Api,
  { filter, limit, after, signal }: PageRequest & { filter: AuditFilter; limit?: number },
): Promise<PageOf<AuditEntry>> {
  const path = withQuery("/admin/audit", { ...filter, limit, after });
  const { entries, next } = await api.get<{ entries: AuditEntry[]; next?: string }>(path, {
    signal,
  });
  return { items: entries, next };
}

/** As text/csv. */
export async function downloadAudit(api: Api, filter: AuditFilter): Promise<Blob> {
  const path = withQuery("/admin/audit", { ...filter });
  return await (await api.fetch(path, { headers: { accept: "text/csv" } })).blob();
}
