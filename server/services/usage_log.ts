// What was used, as routes read it. Implemented by usage_store.ts.

export interface UsageLog {
  /** Newest day first; what was counted a moment ago is in it. Throws INVALID_INPUT for a cursor that is none. */
  days(query: UsageQuery): Promise<UsagePage>;
}

export interface UsageQuery {
  /** Days of UTC such as "2026-01-31"; both are within. */
  from: string;
  to: string;
  /** Absent: everyone's. */
  userId?: string | undefined;
  /** The `next` of the page before. */
  after?: string | undefined;
}

export interface UsagePage {
  /** At most 5,000. */
  days: UsageDay[];
  /** Only when there is more. */
  next?: string;
}

/** Of one day, user, key, plugin and capability. */
export interface UsageDay {
  day: string;
  userId: string;
  /** As long as there is that user. */
  userName?: string;
  /** Empty: not by an API key. */
  keyId: string;
  pluginId: string;
  capability: string;
  calls: number;
  /** Of the calls; a client that left is none. */
  errors: number;
  promptTokens: number;
  completionTokens: number;
  /** From the beginning of each call to its end. */
  busyMs: number;
}
