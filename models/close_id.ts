// Which ids somebody who typed a wrong one may have meant.

/** At most three of `ids` that share enough pairs of letters with `wanted`, closest first. */
export function findCloseIds(wanted: string, ids: Iterable<string>): string[] {
  const pairs = letterPairs(wanted);
  const close: { id: string; likeness: number }[] = [];
  for (const id of ids) {
    const others = letterPairs(id);
    const shared = [...pairs].filter((pair) => others.has(pair)).length;
    const likeness = 2 * shared / (pairs.size + others.size || 1);
    if (likeness >= minLikeness) close.push({ id, likeness });
  }
  close.sort((a, b) => b.likeness - a.likeness || (a.id < b.id ? -1 : 1));
  return close.slice(0, maxClose).map(({ id }) => id);
}

function letterPairs(text: string): Set<string> {
  const letters = text.slice(0, maxChars).toLowerCase();
  const pairs = new Set<string>();
  for (let at = 0; at + 1 < letters.length; at++) pairs.add(letters.slice(at, at + 2));
  return pairs;
}

/** Sørensen-Dice: 0 nothing in common, 1 the same pairs. */
const minLikeness = 0.4;
const maxClose = 3;
const maxChars = 200;
