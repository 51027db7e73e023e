// A typed emitter. A listener that throws harms neither the emitter nor the other listeners.

export interface Emitter<Event> {
  emit(event: Event): void;
  /** Calls `listener` for each event until the returned function is called. */
  subscribe(listener: (event: Event) => void): () => void;
}

export function createEmitter<Event>(onError?: (error: unknown) => void): Emitter<Event> {
  // Wrapped, so that one function may be subscribed twice.
  const listeners = new Set<{ listener: (event: Event) => void }>();
  return {
    emit(event) {
      for (const entry of [...listeners]) {
        try {
          entry.listener(event);
        } catch (error) {
          onError?.(error);
        }
      }
    },
    subscribe(listener) {
      const entry = { listener };
      listeners.add(entry);
      return () => void listeners.delete(entry);
    },
  };
}
