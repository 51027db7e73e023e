// Names that somebody may have meant, by edit distance (Levenshtein 1966).

/** Up to three of `known` that hold `name` or are close to it, closest first. */
export function closeNames(name: string, known: Iterable<string>): string[] {
  if (name.length > maxChars) return [];
  const limit = Math.max(2, Math.floor(name.length / 3));
  const holds = (candidate: string) => name.length >= minHeldChars && candidate.includes(name);
  return [...known]
    .filter((candidate) =>
      candidate.length <= maxChars &&
      (Math.abs(candidate.length - name.length) <= limit || holds(candidate))
    )
    .map((candidate) => ({ candidate, distance: distance(name, candidate) }))
    .filter((entry) => entry.distance <= limit || holds(entry.candidate))
    .sort((one, other) => one.distance - other.distance)
    .slice(0, 3)
    .map(({ candidate }) => candidate);
}

const maxChars = 200;
const minHeldChars = 3;

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
