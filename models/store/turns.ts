// Ways to order work on one thread: one after the other, once for all who wait, and with pauses for the others.

/** Runs what it is given one at a time, in the order of the calls. */
export function createTurns(): <T>(work: () => Promise<T>) => Promise<T> {
  let last: Promise<unknown> = Promise.resolve();
  return (work) => {
    const run = last.then(work);
    last = run.catch(() => {});
    return run;
  };
}

/** Runs `work` one at a time; callers that arrive before a run begins share it, as those of one turn do. */
export function coalesce<T>(work: () => Promise<T>): () => Promise<T> {
  const inTurn = createTurns();
  let waiting: Promise<T> | undefined;
  return () =>
    waiting ??= inTurn(() => {
      waiting = undefined;
      return work();
    });
}

/** Awaited between steps of synchronous work, lets others run when it took longer than a few milliseconds. */
export function createPauses(): () => Promise<void> {
  let began = performance.now();
  return async () => {
    if (performance.now() - began < maxBlockMs) return;
    await new Promise((resolve) => setTimeout(resolve));
    began = performance.now();
  };
}

const maxBlockMs = 4;
