// Lists that the server answers in pages, as one.

import type { Client } from "./client.ts";

/** All items of `field` in the answers to `path`, page by page. */
export async function* everyItem<Item>(
  client: Client,
  { path, field, query = {} }: { path: string; field: string; query?: Record<string, string> },
): AsyncGenerator<Item> {
  let after: string | undefined;
  do {
    const parameters = new URLSearchParams({ ...query, limit: "200", ...(after && { after }) });
    const page = await client.get<Record<string, unknown>>(`${path}?${parameters}`);
    yield* page[field] as Item[];
    after = page["next"] as string | undefined;
  } while (after !== undefined);
}
