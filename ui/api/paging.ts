// Lists that the server answers in pages.

/** One page of a list; `next` is there when there is more. */
export interface PageOf<Item> {
  items: readonly Item[];
  next: string | undefined;
}

export interface PageRequest {
  after: string | undefined;
  signal: AbortSignal;
}

/** `path` with what is given of `query`; empty texts are left out. */
export function withQuery(
  path: string,
  query: Readonly<Record<string, string | number | undefined>>,
): string {
  const parameters = new URLSearchParams();
  for (const [name, value] of Object.entries(query)) {
    if (value !== undefined && value !== "") parameters.set(name, String(value));
  }
  return parameters.size === 0 ? path : `${path}?${parameters}`;
}
