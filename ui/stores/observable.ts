// What every store is: a state, and a way to hear that it changed. Elements follow one by StoreController.

export interface Observable {
  /** Calls `listener` after each change until the returned function is called. */
  subscribe(listener: () => void): () => void;
}

/** Changes within one task are told once. */
export function createNotifier(): Observable & { notify(): void } {
  const listeners = new Set<{ listener: () => void }>();
  let told = true;
  return {
    subscribe(listener) {
      const entry = { listener };
      listeners.add(entry);
      return () => void listeners.delete(entry);
    },
    notify() {
      if (!told) return;
      told = false;
      queueMicrotask(() => {
        told = true;
        for (const { listener } of [...listeners]) listener();
      });
    },
  };
}
