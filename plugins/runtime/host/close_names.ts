// Names that somebody may have meant, by edit distance (Levenshtein 1966).

/** Up to three of `known` that are close to `name`, closest first. */
export function closeNames(name: string, known: readonly string[]): string[] {
  if (name.length > maxChars) return [];
  const limit = Math.max(2, Math.floor(name.length / 3));
  return known
    .filter((candidate) =>
      Math.abs(candidate.length - name.length) <= limit || candidate.endsWith(`.${name}`)
    )
    .map((candidate) => ({ candidate, distance: distance(name, candidate) }))
    .filter((entry) => entry.distance <= limit || entry.candidate.endsWith(`.${name}`))
    .sort((one, other) => one.distance - other.distance)
    .slice(0, 3)
    .map(({ candidate }) => candidate);
}

const maxChars = 100;

function distance(from: string, to: string): number {
  let row = Array.from({ length: to.length + 1 }, (_, index) => index);
  for (let i = 1; i <= from.length; i++) {
    const next = [i];
    for (let j = 1; j <= to.length; j++) {
      const swap = (row[j - 1] ?? 0) + (from[i - 1] === to[j - 1] ? 0 : 1);
      next.push(Math.min((row[j] ?? 0) + 1, (next[j - 1] ?? 0) + 1, swap));
    }
    row = next;
  }
  return row[to.length] ?? 0;
}
