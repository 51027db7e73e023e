// Of two pulls of one model the second waits for the first, and then finds it there. Caller: model_pulls.ts.

/** One at a time for each id; who waits may be aborted, and then rejects with the signal's reason. */
export type ModelTurns = <Result>(
  id: string,
  options: { signal: AbortSignal; waits: () => void; run: () => Promise<Result> },
) => Promise<Result>;

export function createModelTurns(): ModelTurns {
  const busy = new Map<string, Promise<void>>();
  return async (id, { signal, waits, run }) => {
    for (let other = busy.get(id); other !== undefined; other = busy.get(id)) {
      waits();
      const { promise: aborted, resolve } = Promise.withResolvers<void>();
      const leave = () => resolve();
      signal.addEventListener("abort", leave);
      if (!signal.aborted) await Promise.race([other, aborted]);
      signal.removeEventListener("abort", leave);
      signal.throwIfAborted();
    }
    const { promise, resolve } = Promise.withResolvers<void>();
    busy.set(id, promise);
    try {
      return await run();
    } finally {
      busy.delete(id);
      resolve();
    }
  };
}
