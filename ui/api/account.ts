// What is one's own: password, sessions, usage and quotas.

import type { Api } from "./client.ts";
import { withQuery } from "./paging.ts";

export interface SessionView {
  id: string;
  /** User-Agent. */
  client: string;
  address: string;
  createdAtMs: number;
  refreshedAtMs: number;
  expiresAtMs: number;
  /** Whether it is this one. */
  current: boolean;
}

export interface UsageDay {
  /** UTC, such as "2026-01-31". */
  day: string;
  capability: string;
  pluginId: string;
  /** Empty: not by an API key. */
  keyId: string;
  calls: number;
  errors: number;
  promptTokens: number;
  completionTokens: number;
  busyMs: number;
}

export interface QuotaView {
  /** Such as "user:operator" or "key:ab12". */
  subject: string;
  /** Such as "requests", "tokens-day" or "tokens-month". */
  policy: string;
  limit: number;
  used: number;
  remaining: number;
  /** Until it is whole again, ms. */
  resetMs: number;
}

export interface Usage {
  from: string;
  to: string;
  days: UsageDay[];
  quotas: QuotaView[];
}

export async function listSessions(api: Api): Promise<SessionView[]> {
  return (await api.get<{ sessions: SessionView[] }>("/auth/sessions")).sessions;
}

export async function endSession(api: Api, id: string): Promise<void> {
  await api.send("DELETE", `/auth/sessions/${encodeURIComponent(id)}`);
}

/** `current` is needed when there is a password. Ends the other sessions. */
export async function changePassword(
  api: Api,
  change: { current?: string; next: string },
): Promise<void> {
  await api.send("POST", "/auth/password", { body: change });
}

/** All of its pages, up to a bound. Days are UTC's, such as "2026-01-31". */
export async function readUsage(
  api: Api,
  { from, to }: { from: string; to: string },
): Promise<Usage> {
  const days: UsageDay[] = [];
  let after: string | undefined;
  for (let page = 1;; page++) {
    const path = withQuery("/api/usage", { from, to, after });
    const usage = await api.get<Usage & { next?: string }>(path);
    days.push(...usage.days);
    after = usage.next;
    if (after === undefined || page === maxUsagePages) return { ...usage, days };
  }
}

const maxUsagePages = 50;

/** `password`: somebody can sign in with one; `signedUp`: an admin can. */
export interface SignUp {
  password: boolean;
  signedUp: boolean;
}

export function readSignUp(api: Api, signal?: AbortSignal): Promise<SignUp> {
  return api.get("/auth/status", signal && { signal });
}
