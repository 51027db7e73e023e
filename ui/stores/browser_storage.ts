// What this device remembers, by key. Where the browser blocks storage, or it is full, the page remembers as long
// as it lives. Callers: session.ts, homes.ts.

export interface BrowserStorage {
  get(key: string): string | undefined;
  /** `undefined` removes it. */
  set(key: string, value: string | undefined): void;
  /** Calls `listener` when another tab changed `key`, until the returned function is called. */
  watch(key: string, listener: () => void): () => void;
}

export interface BrowserStorageDeps {
  /** Opens the storage; asking for it throws where it is blocked. */
  open: () => Pick<Storage, "getItem" | "setItem" | "removeItem">;
  /** Where `storage` events arrive: the window. */
  events: Pick<EventTarget, "addEventListener" | "removeEventListener">;
}

export function createBrowserStorage({ open, events }: BrowserStorageDeps): BrowserStorage {
  /** What could not be stored, or removed; it wins over what is there. */
  const memory = new Map<string, string | undefined>();
  return {
    get(key) {
      if (memory.has(key)) return memory.get(key);
      try {
        return open().getItem(key) ?? undefined;
      } catch {
        return undefined;
      }
    },
    set(key, value) {
      try {
        if (value === undefined) open().removeItem(key);
        else open().setItem(key, value);
        memory.delete(key);
      } catch {
        memory.set(key, value);
      }
    },
    watch(key, listener) {
      const changed = (event: Event) => {
        const { key: changedKey } = event as Event & { key: string | null };
        // Without a key: everything was cleared.
        if (changedKey !== key && changedKey !== null) return;
        memory.delete(key);
        listener();
      };
      events.addEventListener("storage", changed);
      return () => events.removeEventListener("storage", changed);
    },
  };
}
