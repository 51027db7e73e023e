// Keeps the end of a growing text in sight, until its reader scrolls up; `toEnd` follows again.

import type { ReactiveController, ReactiveControllerHost } from "lit";

export interface FollowEndOptions {
  /** Asked after each update of the host. */
  scroller: () => HTMLElement | null;
  content: () => HTMLElement | null;
}

export class FollowEnd implements ReactiveController {
  /** Whether the end is in sight; changes ask the host for an update. */
  atEnd = true;

  readonly #host: ReactiveControllerHost;
  readonly #options: FollowEndOptions;
  readonly #grown = new ResizeObserver(() => this.#stay());
  #scroller: HTMLElement | null = null;
  #content: HTMLElement | null = null;
  #lastTop = 0;

  constructor(host: ReactiveControllerHost, options: FollowEndOptions) {
    this.#host = host;
    this.#options = options;
    host.addController(this);
  }

  hostUpdated(): void {
    const scroller = this.#options.scroller();
    const content = this.#options.content();
    if (scroller !== this.#scroller) {
      this.#scroller?.removeEventListener("scroll", this.#scrolled);
      scroller?.addEventListener("scroll", this.#scrolled, { passive: true });
      if (scroller !== null) this.#grown.observe(scroller);
      this.#scroller = scroller;
    }
    if (content !== this.#content) {
      if (this.#content !== null) this.#grown.unobserve(this.#content);
      if (content !== null) this.#grown.observe(content);
      this.#content = content;
    }
  }

  hostDisconnected(): void {
    this.#grown.disconnect();
    this.#scroller?.removeEventListener("scroll", this.#scrolled);
    this.#scroller = null;
    this.#content = null;
  }

  toEnd(): void {
    this.#become(true);
    this.#stay();
  }

  #stay(): void {
    if (this.#scroller === null) return;
    if (this.atEnd) this.#scroller.scrollTop = this.#scroller.scrollHeight;
    else if (this.#distance() < nearPx) this.#become(true);
  }

  readonly #scrolled = () => {
    const top = this.#scroller?.scrollTop ?? 0;
    const isUp = top < this.#lastTop - 1;
    this.#lastTop = top;
    if (this.#distance() < nearPx) this.#become(true);
    else if (isUp) this.#become(false);
  };

  #distance(): number {
    if (this.#scroller === null) return 0;
    const { scrollHeight, scrollTop, clientHeight } = this.#scroller;
    return scrollHeight - scrollTop - clientHeight;
  }

  #become(atEnd: boolean): void {
    if (this.atEnd === atEnd) return;
    this.atEnd = atEnd;
    this.#host.requestUpdate();
  }
}

const nearPx = 24;
