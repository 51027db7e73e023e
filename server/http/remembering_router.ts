// Hono's router, which remembers what it found: a path that is asked for again costs two looks into maps, however many
// routes there are and whatever their patterns. Callers: app (every request), route_table (the gate, before it).

import type { Result, Router } from "hono/router";
import { RegExpRouter } from "hono/router/reg-exp-router";
import { SmartRouter } from "hono/router/smart-router";
import { TrieRouter } from "hono/router/trie-router";

/** What it answers is shared by requests: nobody may change it. */
export class RememberingRouter<Handler> implements Router<Handler> {
  readonly name = "RememberingRouter";
  readonly #router = new SmartRouter<Handler>({
    // The first that takes all patterns.
    routers: [new RegExpRouter(), new TrieRouter()],
  });
  readonly #known = new Map<string, Map<string, Result<Handler>>>();

  add(method: string, path: string, handler: Handler): void {
    this.#router.add(method, path, handler);
  }

  match(method: string, path: string): Result<Handler> {
    const known = this.#known.get(method)?.get(path);
    if (known !== undefined) return known;
    const found = this.#router.match(method, path);
    // Paths are the clients' text; what no route serves is not worth a place.
    if (found[0].length > 0 && path.length <= maxPathChars) this.#remember(method, path, found);
    return found;
  }

  #remember(method: string, path: string, found: Result<Handler>): void {
    let ofMethod = this.#known.get(method);
    // Only methods of routes find anything, so there are few.
    if (ofMethod === undefined) this.#known.set(method, ofMethod = new Map());
    if (ofMethod.size >= maxKnown) ofMethod.clear();
    ofMethod.set(path, found);
  }
}

const maxKnown = 1024;
const maxPathChars = 300;
