// Who did what to which object, as a person sees it: what routes tell, and what they read.
// Callers: routes (record, list); implemented by audit_store.ts.

import { toAppError } from "../../plugins/runtime/contract/error.ts";
import type { Identity } from "../auth/authenticator.ts";

/** What somebody did through the API. Of secrets it holds none: `object` names, and does not quote. */
export interface Deed {
  /** Undefined: nobody was proved, as in a failed sign-in. */
  principal: Identity | undefined;
  /** IP address. */
  address: string;
  /** Noun and verb, such as "user.create", "key.revoke", "session.begin". */
  action: string;
  /** Such as "user:ab12" or "role:family"; of a client's text the first 1,000 characters are kept. */
  object: string;
  outcome: "ok" | "denied" | "failed";
  /** Of whose trail it is a part. */
  pluginId?: string | undefined;
}

export interface AuditLog {
  /** Notes it within half a second; never throws, and never waits. */
  record(deed: Deed): void;
  /** Newest first. Throws INVALID_INPUT for a cursor that is none. */
  list(query: AuditQuery): Promise<AuditPage>;
}

/** All that are given must hold. */
export interface AuditQuery {
  /** The id of a user. */
  principal?: string | undefined;
  action?: string | undefined;
  object?: string | undefined;
  pluginId?: string | undefined;
  /** Ms since the epoch; `to` is not within. */
  fromMs?: number | undefined;
  toMs?: number | undefined;
  /** 1 to 200; default 50. */
  limit?: number | undefined;
  /** The `next` of the page before. */
  after?: string | undefined;
}

export interface AuditPage {
  entries: AuditView[];
  /** Only when there is more. */
  next?: string;
}

export interface AuditView {
  id: number;
  atMs: number;
  /** The id of a user; empty: nobody was proved. */
  principal: string;
  /** As long as there is that user. */
  principalName?: string;
  /** What proved the principal, such as "key:ab12", "session:cd34" or "operator"; empty: nothing did, or a plugin. */
  credential: string;
  address: string;
  /** Of whose trail it is a part; empty: of no plugin's. */
  pluginId: string;
  action: string;
  object: string;
  outcome: string;
  /** Equal entries in a row within a second are one. */
  count: number;
}

/** A deed that is about to be done. */
export interface AuditedDeed<Result> extends Pick<Deed, "action" | "pluginId"> {
  /** As a deed's; with a result, what it made. */
  object: (result: Result | undefined) => string;
  run: () => Promise<Result>;
}

/** Does it, and records what came of it; answers and throws as `run` does. */
export async function recordOutcome<Result>(
  audit: Pick<AuditLog, "record">,
  by: Pick<Deed, "principal" | "address">,
  { run, object, ...deed }: AuditedDeed<Result>,
): Promise<Result> {
  const note = (outcome: Deed["outcome"], result?: Result) =>
    audit.record({ ...deed, ...by, object: object(result), outcome });
  try {
    const result = await run();
    note("ok", result);
    return result;
  } catch (error) {
    note(toAppError(error).code === "FORBIDDEN" ? "denied" : "failed");
    throw error;
  }
}
