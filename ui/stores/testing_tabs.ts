// For tests: one device's localStorage as several tabs see it; a change in one is an event in the others.

import { type BrowserStorage, createBrowserStorage } from "./browser_storage.ts";

export function createTabs(): {
  open(): BrowserStorage;
  /** Without an event, as one that is on its way. */
  write(key: string, value: string): void;
} {
  const stored = new Map<string, string>();
  const tabs = new Set<EventTarget>();
  return {
    write: (key, value) => void stored.set(key, value),
    open() {
      const events = new EventTarget();
      tabs.add(events);
      const tell = (key: string) => {
        for (const tab of tabs) {
          if (tab === events) continue;
          queueMicrotask(() => tab.dispatchEvent(Object.assign(new Event("storage"), { key })));
        }
      };
      const storage = {
        getItem: (key: string) => stored.get(key) ?? null,
        setItem(key: string, value: string) {
          stored.set(key, value);
          tell(key);
        },
        removeItem(key: string) {
          stored.delete(key);
          tell(key);
        },
      };
      return createBrowserStorage({ open: () => storage, events });
    },
  };
}
