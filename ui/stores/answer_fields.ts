// Reads fields out of what a plugin answered, which may be anything. Callers: stores of plugins' answers.

/** None of what is no object. */
export function fieldsOf(value: unknown): Record<string, unknown> {
  return typeof value === "object" && value !== null ? value as Record<string, unknown> : {};
}

export function isAmount(value: unknown): value is number {
  return typeof value === "number" && Number.isFinite(value) && value >= 0;
}

export function textOf(value: unknown): string {
  return typeof value === "string" ? value : "";
}

/** Those of `names` that are amounts. */
export function amountsOf<Name extends string>(
  fields: Record<string, unknown>,
  names: readonly Name[],
): Partial<Record<Name, number>> {
  const known: Partial<Record<Name, number>> = {};
  for (const name of names) {
    const value = fields[name];
    if (isAmount(value)) known[name] = value;
  }
  return known;
}
