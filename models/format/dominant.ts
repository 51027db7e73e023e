// What a model is quantised to, where its file has no word for it: the type that most of it has.

/** The type that holds most elements; undefined when none holds any. */
export function findDominant(elementsByType: ReadonlyMap<string, bigint>): string | undefined {
  let dominant: string | undefined;
  let most = 0n;
  for (const [name, elements] of elementsByType) {
    if (elements > most) [dominant, most] = [name, elements];
  }
  return dominant;
}
