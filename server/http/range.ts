// The Range header of one GET (RFC 9110 14.2): one range of bytes; several at once, which a server may ignore,
// and what is no range at all, are answered with the whole.

export type ByteRange =
  | { kind: "whole" }
  /** From `start` to before `end`. */
  | { kind: "part"; start: number; end: number }
  /** 416: it starts where there is nothing. */
  | { kind: "unsatisfiable" };

export function parseRange(
  header: string | null,
  { size, etag, ifRange }: { size: number; etag: string; ifRange: string | null },
): ByteRange {
  const whole: ByteRange = { kind: "whole" };
  // A date is no validator here: there is no Last-Modified. The comparison is the strong one.
  if (header === null || (ifRange !== null && ifRange !== etag)) return whole;
  const match = /^bytes=[ \t]*(?:(\d+)-(\d*)|-(\d+))[ \t]*$/i.exec(header);
  if (match === null) return whole;
  const [, first, last, suffix] = match;
  if (suffix !== undefined) {
    const length = Math.min(Number(suffix), size);
    if (length === 0) return { kind: "unsatisfiable" };
    return { kind: "part", start: size - length, end: size };
  }
  const start = Number(first);
  const end = last === "" ? Infinity : Number(last) + 1;
  if (Number(last || Infinity) < start) return whole;
  if (start >= size) return { kind: "unsatisfiable" };
  return { kind: "part", start, end: Math.min(end, size) };
}

/** Whether If-None-Match names this entity; weak tags count too (RFC 9110 13.1.2). */
export function isKnownTag(ifNoneMatch: string | null, etag: string): boolean {
  if (ifNoneMatch === null) return false;
  if (ifNoneMatch.trim() === "*") return true;
  return ifNoneMatch.split(",").some((tag) => tag.trim().replace(/^W\//, "") === etag);
}
