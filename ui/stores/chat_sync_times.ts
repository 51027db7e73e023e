// When conversations are brought together with the server: at the start, some moments after a change, when the page
// is looked at again, and when the server or the network is back.

import type { Live } from "../api/live.ts";
import type { PagePresence } from "../api/page_presence.ts";
import type { ChatSync } from "./chat_sync.ts";
import type { SyncStorage } from "./chat_storage.ts";

export interface SyncTimes {
  sync: Pick<ChatSync, "run" | "state">;
  storage: Pick<SyncStorage, "subscribe">;
  page: PagePresence;
  live: Pick<Live, "state" | "subscribe">;
  /** Quiet after the last change, ms. An answer is stored more often than this while it is made. */
  quietMs?: number;
  /** After a run that failed although something waits, ms. */
  retryMs?: number;
}

/** Runs it at once, and from then on; the answer ends that. */
export function startSyncing(times: SyncTimes): () => void {
  const { sync, storage, page, live, quietMs = 1500, retryMs = 30_000 } = times;
  let timer: ReturnType<typeof setTimeout> | undefined;
  let wasOpen = live.state.kind === "open";
  let stopped = false;

  const later = (delayMs: number) => {
    clearTimeout(timer);
    timer = setTimeout(run, delayMs);
  };
  const run = async () => {
    clearTimeout(timer);
    timer = undefined;
    await sync.run();
    if (
      !stopped && timer === undefined && sync.state.error?.retryable === true &&
      sync.state.unsent > 0
    ) {
      later(retryMs);
    }
  };
  const stops = [
    storage.subscribe(() => later(quietMs)),
    page.watch(() => void run()),
    live.subscribe(() => {
      const isOpen = live.state.kind === "open";
      if (isOpen && !wasOpen) void run();
      wasOpen = isOpen;
    }),
    () => clearTimeout(timer),
  ];
  void run();
  return () => {
    stopped = true;
    for (const stop of stops) stop();
  };
}
