// A list that comes in pages, for the element that shows it: the first page, further ones, and what went wrong.
// What a superseded request brings is dropped.

import type { ReactiveController, ReactiveControllerHost } from "lit";
import type { PageOf, PageRequest } from "../api/paging.ts";

export class PagedList<Item> implements ReactiveController {
  /** Undefined until the first page is there. */
  items: readonly Item[] | undefined;
  /** Why the last page did not come. */
  error: unknown;
  loading = false;
  hasMore = false;

  readonly #host: ReactiveControllerHost;
  readonly #load: (request: PageRequest) => Promise<PageOf<Item>>;
  #next: string | undefined;
  #running: AbortController | undefined;

  constructor(
    host: ReactiveControllerHost,
    load: (request: PageRequest) => Promise<PageOf<Item>>,
  ) {
    this.#host = host;
    this.#load = load;
    host.addController(this);
  }

  hostDisconnected(): void {
    this.#running?.abort();
  }

  /** Begins anew; what is shown stays until the first page is there. */
  reload(): Promise<void> {
    return this.#ask(undefined);
  }

  /** The next page, unless one is on its way. */
  async more(): Promise<void> {
    if (!this.loading && this.hasMore) await this.#ask(this.#next);
  }

  /** Shows another list from now on: what is there goes. */
  async restart(): Promise<void> {
    this.items = undefined;
    this.hasMore = false;
    await this.#ask(undefined);
  }

  /** After a change that the server answered: `change` makes the items that are shown. */
  edit(change: (items: readonly Item[]) => readonly Item[]): void {
    if (this.items !== undefined) this.items = change(this.items);
    this.#host.requestUpdate();
  }

  async #ask(after: string | undefined): Promise<void> {
    this.#running?.abort();
    const running = new AbortController();
    this.#running = running;
    this.loading = true;
    this.error = undefined;
    this.#host.requestUpdate();
    try {
      const { items, next } = await this.#load({ after, signal: running.signal });
      if (this.#running !== running) return;
      this.items = after === undefined ? items : [...this.items ?? [], ...items];
      this.#next = next;
      this.hasMore = next !== undefined;
    } catch (error) {
      if (this.#running !== running || running.signal.aborted) return;
      this.error = error;
    } finally {
      if (this.#running === running) {
        this.loading = false;
        this.#host.requestUpdate();
      }
    }
  }
}
