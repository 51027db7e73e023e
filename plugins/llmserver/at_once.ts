// Several streams as one, item by item as they come. Each is asked for its next item once its last one was taken, so a
// slow reader slows them all. The first failure ends all of them, and so does who stops listening.

export type Arrival<Item, Result, News> =
  | { kind: "item"; index: number; item: Item }
  | { kind: "end"; index: number; result: Result }
  | { kind: "news"; news: News };

export interface AtOnceOptions<News> {
  /** Gets the way to put news between the items. */
  listen?(tell: (news: News) => void): void;
  /** Makes what still waits end soon. */
  stop(): void;
}

/** Ends after the last stream's end. */
export async function* runAtOnce<Item, Result, News = never>(
  streams: readonly AsyncGenerator<Item, Result>[],
  { listen, stop }: AtOnceOptions<News>,
): AsyncGenerator<Arrival<Item, Result, News>, void> {
  const arrived: (Arrival<Item, Result, News> | { kind: "failed"; error: unknown })[] = [];
  let wake = () => {};
  const put = (arrival: typeof arrived[number]) => {
    arrived.push(arrival);
    wake();
  };
  const pull = (index: number) =>
    void streams[index]!.next().then(
      ({ done, value }) =>
        put(done ? { kind: "end", index, result: value } : { kind: "item", index, item: value }),
      (error) => put({ kind: "failed", error }),
    );
  listen?.((news) => put({ kind: "news", news }));
  streams.forEach((_, index) => pull(index));
  let running = streams.length;
  try {
    while (running > 0) {
      const arrival = arrived.shift();
      if (arrival === undefined) {
        await new Promise<void>((resolve) => wake = resolve);
        continue;
      }
      if (arrival.kind === "failed") throw arrival.error;
      if (arrival.kind === "end") running--;
      yield arrival;
      if (arrival.kind === "item") pull(arrival.index);
    }
  } finally {
    // Whoever stops listening frees the engine's slots; those that have ended are left alone.
    if (running > 0) {
      stop();
      await Promise.allSettled(streams.map((stream) => stream.return(undefined as never)));
    }
  }
}
