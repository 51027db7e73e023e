// Text that a plugin wrote, made fit to be shown: it must not steer a terminal, forge lines or turn around.

/** Control characters become U+FFFD, line breaks U+21B5, tabs spaces; bidi controls go. */
export function toPlainText(text: string, maxBytes: number): string {
  const cut = cutToBytes(text, maxBytes);
  return unsafe.test(cut)
    ? cut.replaceAll(/\r?\n/g, "\u21b5").replaceAll("\t", " ").replaceAll(unsafeAll, "\ufffd")
    : cut;
}

/** The same with line breaks and tabs kept: for text of several lines, such as an error's message. */
export function toPlainLines(text: string): string {
  return text.replaceAll(unsafeInLines, "\ufffd");
}

/** The longest start of `text` that has at most `maxBytes` bytes of UTF-8. */
export function cutToBytes(text: string, maxBytes: number): string {
  if (text.length * 3 <= maxBytes) return text;
  const { read } = new TextEncoder().encodeInto(text, new Uint8Array(maxBytes));
  return read === text.length ? text : `${text.slice(0, read)}…`;
}

/** A copy of `fields` with plain keys and values, cut to about `maxBytes`; undefined when there is none. */
export function toPlainFields(
  fields: unknown,
  maxBytes: number,
): Record<string, unknown> | undefined {
  if (typeof fields !== "object" || fields === null || Array.isArray(fields)) return undefined;
  const budget = { bytes: maxBytes };
  const plain = clean(fields, budget, 0) as Record<string, unknown>;
  return Object.keys(plain).length === 0 ? undefined : plain;
}

// DEL, C1, bidi marks, embeddings, overrides and isolates, line and paragraph separators (UAX #9).
const steering = "\\u007f-\\u009f\\u061c\\u200e\\u200f\\u2028-\\u202e\\u2066-\\u2069\\ufeff";
const unsafe = new RegExp(`[\\u0000-\\u001f${steering}]`);
const unsafeAll = new RegExp(unsafe, "g");
const unsafeInLines = new RegExp(`[\\u0000-\\u0008\\u000b-\\u001f${steering}]`, "g");
const maxFieldDepth = 4;

function clean(value: unknown, budget: { bytes: number }, depth: number): unknown {
  if (budget.bytes <= 0 || depth > maxFieldDepth) return "…";
  switch (typeof value) {
    case "number":
    case "boolean":
      budget.bytes -= 8;
      return value;
    case "string": {
      const text = toPlainText(value, budget.bytes);
      budget.bytes -= text.length + 2;
      return text;
    }
    case "object":
      break;
    default:
      return null;
  }
  if (value === null) return null;
  budget.bytes -= 2;
  if (Array.isArray(value)) {
    const items: unknown[] = [];
    for (const item of value) {
      if (budget.bytes <= 0) break;
      items.push(clean(item, budget, depth + 1));
    }
    return items;
  }
  const plain: Record<string, unknown> = {};
  for (const key in value) {
    if (budget.bytes <= 0) break;
    const name = toPlainText(key, 100);
    budget.bytes -= name.length + 4;
    if (name === "__proto__") continue;
    plain[name] = clean((value as Record<string, unknown>)[key], budget, depth + 1);
  }
  return plain;
}
