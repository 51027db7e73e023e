import assert from "node:assert/strict";
import type { ReactiveControllerHost } from "lit";
import type { PageOf, PageRequest } from "../api/paging.ts";
import { PagedList } from "./paged_list.ts";

interface Asked extends PageRequest {
  answer(page: PageOf<number>): void;
  fail(error: unknown): void;
}

/** A list whose pages come when the test says so. */
function createList() {
  const asked: Asked[] = [];
  const host = { addController() {}, requestUpdate() {} } as Partial<ReactiveControllerHost>;
  const list = new PagedList<number>(host as ReactiveControllerHost, (request) => {
    const { promise, resolve, reject } = Promise.withResolvers<PageOf<number>>();
    asked.push({ ...request, answer: resolve, fail: reject });
    return promise;
  });
  return { list, asked };
}

Deno.test("PagedList drops what a superseded request brings, and ends it", async () => {
  const { list, asked } = createList();
  const first = list.reload();
  const second = list.reload();
  assert.equal(asked[0]!.signal.aborted, true);
  asked[1]!.answer({ items: [2], next: undefined });
  asked[0]!.answer({ items: [1], next: "more" });
  await Promise.all([first, second]);
  assert.deepEqual(list.items, [2]);
  assert.deepEqual([list.loading, list.hasMore, list.error], [false, false, undefined]);
});

Deno.test("PagedList keeps what is shown when a further page fails, and gets it at the next try", async () => {
  const { list, asked } = createList();
  const first = list.reload();
  asked[0]!.answer({ items: [1, 2], next: "two" });
  await first;
  const failing = list.more();
  // One that is on its way is not asked for twice.
  await list.more();
  assert.equal(asked.length, 2);
  asked[1]!.fail(new Error("away"));
  await failing;
  assert.deepEqual([list.items, (list.error as Error).message, list.hasMore], [
    [1, 2],
    "away",
    true,
  ]);
  const again = list.more();
  assert.equal(asked[2]!.after, "two");
  asked[2]!.answer({ items: [3], next: undefined });
  await again;
  assert.deepEqual([list.items, list.error, list.hasMore], [[1, 2, 3], undefined, false]);
  await list.more();
  assert.equal(asked.length, 3);
});

Deno.test("PagedList that left the page asks for nothing more and shows no failure", async () => {
  const { list, asked } = createList();
  const first = list.reload();
  list.hostDisconnected();
  asked[0]!.fail(new Error("aborted"));
  await first;
  assert.deepEqual([list.items, list.error, list.loading], [undefined, undefined, false]);
});
