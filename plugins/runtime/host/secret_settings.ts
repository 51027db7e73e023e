// Which settings are secrets, told by `writeOnly` in the manifest's schema of them. A secret is a whole
// top-level setting. Invariant: when in doubt, such as behind a `$ref`, a setting is a secret.

/** Tells whether the setting `name` is a secret by this schema. */
export function createSecretTest(schema: Readonly<Record<string, unknown>>) {
  const declared = new Set<string>();
  const secret = new Set<string>();
  const definitions = [schema["$defs"], schema["definitions"]];
  const hidesBehindRef = definitions.some(isWriteOnly);
  let othersAreSecret = false;

  function isSecret(property: unknown): boolean {
    return isWriteOnly(property) || (hidesBehindRef && hasRef(property));
  }

  /** A schema of the settings themselves: the root, and what it applies in place. */
  function visit(node: unknown): void {
    if (!isRecord(node)) return;
    for (const [name, property] of Object.entries(asRecord(node["properties"]))) {
      declared.add(name);
      if (isSecret(property)) secret.add(name);
    }
    othersAreSecret ||= others.some((keyword) => isSecret(node[keyword]));
    for (const keyword of inPlace) {
      const inner = node[keyword];
      if (Array.isArray(inner)) inner.forEach(visit);
      else visit(inner);
    }
    Object.values(asRecord(node["dependentSchemas"])).forEach(visit);
  }

  visit(schema);
  for (const defined of definitions) Object.values(asRecord(defined)).forEach(visit);
  return (name: string) => secret.has(name) || (othersAreSecret && !declared.has(name));
}

const inPlace = ["allOf", "anyOf", "oneOf", "if", "then", "else", "not"];
const others = ["additionalProperties", "patternProperties", "unevaluatedProperties"];

function isWriteOnly(schema: unknown): boolean {
  return some(schema, (node) => node["writeOnly"] === true);
}

function hasRef(schema: unknown): boolean {
  return some(schema, (node) => "$ref" in node || "$dynamicRef" in node);
}

function some(value: unknown, holds: (node: Record<string, unknown>) => boolean): boolean {
  if (typeof value !== "object" || value === null) return false;
  if (isRecord(value) && holds(value)) return true;
  return Object.values(value).some((inner) => some(inner, holds));
}

function asRecord(value: unknown): Record<string, unknown> {
  return isRecord(value) ? value : {};
}

function isRecord(value: unknown): value is Record<string, unknown> {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}
