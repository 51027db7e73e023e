// Stores what is typed shortly after it was typed, and at once when the page is left. In localStorage, because a page
// that is closed has no time for another one.

import type { ReactiveController, ReactiveControllerHost } from "lit";
import type { BrowserStorage } from "../stores/browser_storage.ts";

export class DraftKeeper implements ReactiveController {
  readonly #storage: BrowserStorage;
  #kept: { key: string; text: string; timer: ReturnType<typeof setTimeout> } | undefined;

  constructor(host: ReactiveControllerHost, storage: BrowserStorage) {
    this.#storage = storage;
    host.addController(this);
  }

  hostConnected(): void {
    addEventListener("pagehide", this.#leave);
    document.addEventListener("visibilitychange", this.#leave);
  }

  hostDisconnected(): void {
    removeEventListener("pagehide", this.#leave);
    document.removeEventListener("visibilitychange", this.#leave);
    this.flush();
  }

  read(key: string): string {
    return this.#storage.get(prefix + key) ?? "";
  }

  keep(key: string, text: string): void {
    if (this.#kept?.key !== key) this.flush();
    clearTimeout(this.#kept?.timer);
    this.#kept = { key, text, timer: setTimeout(() => this.flush(), delayMs) };
  }

  flush(): void {
    const kept = this.#kept;
    if (kept === undefined) return;
    this.#kept = undefined;
    clearTimeout(kept.timer);
    this.#storage.set(prefix + kept.key, kept.text === "" ? undefined : kept.text);
  }

  /** It was sent, or its chat is gone. */
  drop(key: string): void {
    if (this.#kept?.key === key) {
      clearTimeout(this.#kept.timer);
      this.#kept = undefined;
    }
    this.#storage.set(prefix + key, undefined);
  }

  readonly #leave = () => this.flush();
}

const prefix = "bkg.draft.";
const delayMs = 300;
