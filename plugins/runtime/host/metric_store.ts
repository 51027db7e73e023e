// One cell's own metrics: only names that its manifest declares, only finite numbers.

export interface MetricStore {
  /** Takes what the plugin notified, untrusted. */
  receive(value: unknown): void;
  snapshot(): Record<string, number>;
}

export function createMetricStore(declared: readonly string[]): MetricStore {
  const known = new Set(declared);
  const values = new Map<string, number>();
  return {
    receive(notified) {
      const { name, value } = (notified ?? {}) as { name?: unknown; value?: unknown };
      if (typeof name !== "string" || !known.has(name)) return;
      if (typeof value === "number" && Number.isFinite(value)) values.set(name, value);
    },
    snapshot: () => Object.fromEntries(values),
  };
}
