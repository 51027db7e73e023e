// What a hub, or whoever answers in its name, may do wrong: set on a running hub server by tests.
// A fault holds until it was used `times` times or is cleared; several may hold at once.

export type HubFault = FaultScope & FaultKind;

export interface FaultScope {
  /** A part of the request's path; any when it is missing. */
  path?: string;
  /** Default always. */
  times?: number;
  /** How many such requests are answered well before. */
  after?: number;
}

export type FaultKind =
  /** Refuses: at the hub (its API and its links) unless told to do it where the bytes are. */
  | { kind: "status"; status: number; at?: "hub" | "cdn"; headers?: Record<string, string> }
  /** A file's link leads elsewhere. */
  | { kind: "redirect"; to: string }
  /** The API answers so, whatever was asked. */
  | { kind: "json"; body: string | ReadableStream<Uint8Array>; contentType?: string }
  /** The list of files names this digest. */
  | { kind: "oid"; oid: string }
  /** The list of files names this size. */
  | { kind: "size"; size: number }
  /** One byte of the file is another; the last one unless told. */
  | { kind: "corrupt"; offset?: number }
  /** The body ends, or falls silent, after so many bytes, whatever its length was said to be. */
  | { kind: "short"; bytes: number }
  | { kind: "stall"; bytes: number }
  /** The body never ends: chunked, without a length. */
  | { kind: "endless" }
  /** So many bytes every 20 ms. */
  | { kind: "drip"; bytes: number }
  /** The whole file whatever was asked; `length: false` hides its size as well. */
  | { kind: "noRanges"; length?: boolean }
  /** Headers that lie, of a file's bytes. */
  | { kind: "headers"; headers: Record<string, string> }
  /** Compressed, though nobody asked: 16 MiB of zeros in 16 KiB. */
  | { kind: "gzip" }
  /** The file has other bytes and another ETag. */
  | { kind: "changed" }
  /** Each signed link is refused after so many uses. */
  | { kind: "expired"; uses: number };

/** Which faults hold, counted. */
export class HubFaults {
  readonly #faults: { fault: HubFault; seen: number; used: number }[] = [];

  set(fault: HubFault): void {
    this.#faults.push({ fault, seen: 0, used: 0 });
  }

  clear(): void {
    this.#faults.length = 0;
  }

  /** Takes one use of the first such fault that holds for `path`. */
  take<Kind extends FaultKind["kind"]>(
    kind: Kind,
    { path, fits = () => true }: {
      path: string;
      fits?: (fault: HubFault & { kind: Kind }) => boolean;
    },
  ): HubFault & { kind: Kind } | undefined {
    for (const entry of this.#faults) {
      const { fault } = entry;
      if (!isOfKind(fault, kind) || !fits(fault)) continue;
      if (fault.path !== undefined && !path.includes(fault.path)) continue;
      if (entry.seen++ < (fault.after ?? 0)) continue;
      if (entry.used >= (fault.times ?? Infinity)) continue;
      entry.used++;
      return fault;
    }
    return undefined;
  }
}

function isOfKind<Kind extends FaultKind["kind"]>(
  fault: HubFault,
  kind: Kind,
): fault is HubFault & { kind: Kind } {
  return fault.kind === kind;
}
