// Whether a person looks at the page, and when it is worth trying the network again. Caller: live.ts.

export interface PagePresence {
  readonly visible: boolean;
  /** Calls `listener` when the page is looked at again or the device is back online. */
  watch(listener: () => void): () => void;
}

export function createPagePresence(
  { document, window }: {
    document: Events & { readonly visibilityState: string };
    window: Events;
  },
): PagePresence {
  const isVisible = () => document.visibilityState === "visible";
  return {
    get visible() {
      return isVisible();
    },
    watch(listener) {
      const shown = () => isVisible() && listener();
      document.addEventListener("visibilitychange", shown);
      window.addEventListener("online", listener);
      // Back from the browser's page cache, which closes sockets.
      window.addEventListener("pageshow", listener);
      return () => {
        document.removeEventListener("visibilitychange", shown);
        window.removeEventListener("online", listener);
        window.removeEventListener("pageshow", listener);
      };
    },
  };
}

type Events = Pick<EventTarget, "addEventListener" | "removeEventListener">;

/** Always looked at; where there is no page. */
export const alwaysPresent: PagePresence = { visible: true, watch: () => () => {} };
