// Stores what is typed shortly after it was typed, and at once when the page is left.

import type { ReactiveController, ReactiveControllerHost } from "lit";

export class DraftKeeper implements ReactiveController {
  readonly #save: (key: string, text: string) => Promise<void>;
  #kept: { key: string; text: string; timer: ReturnType<typeof setTimeout> } | undefined;

  constructor(host: ReactiveControllerHost, save: (key: string, text: string) => Promise<void>) {
    this.#save = save;
    host.addController(this);
  }

  hostConnected(): void {
    addEventListener("pagehide", this.#leave);
    document.addEventListener("visibilitychange", this.#leave);
  }

  hostDisconnected(): void {
    removeEventListener("pagehide", this.#leave);
    document.removeEventListener("visibilitychange", this.#leave);
    void this.flush();
  }

  keep(key: string, text: string): void {
    clearTimeout(this.#kept?.timer);
    this.#kept = { key, text, timer: setTimeout(() => void this.flush(), delayMs) };
  }

  async flush(): Promise<void> {
    const kept = this.#kept;
    if (kept === undefined) return;
    this.#kept = undefined;
    clearTimeout(kept.timer);
    await this.#save(kept.key, kept.text);
  }

  /** It was sent. */
  async drop(key: string): Promise<void> {
    if (this.#kept?.key === key) {
      clearTimeout(this.#kept.timer);
      this.#kept = undefined;
    }
    await this.#save(key, "");
  }

  readonly #leave = () => void this.flush();
}

const delayMs = 300;
