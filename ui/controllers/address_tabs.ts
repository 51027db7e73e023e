// Tabs whose names are in the address (#roles), so that they can be linked and the browser's "back" leaves them.

import type { ReactiveController, ReactiveControllerHost } from "lit";

export class AddressTabs<Tab extends string> implements ReactiveController {
  current: Tab;
  readonly #host: ReactiveControllerHost;
  readonly #tabs: readonly [Tab, ...Tab[]];

  /** The first tab has no name in the address. */
  constructor(host: ReactiveControllerHost, tabs: readonly [Tab, ...Tab[]]) {
    this.#host = host;
    this.#tabs = tabs;
    this.current = this.#inAddress();
    host.addController(this);
  }

  hostConnected(): void {
    this.#follow();
    addEventListener("hashchange", this.#follow);
    addEventListener("popstate", this.#follow);
  }

  hostDisconnected(): void {
    removeEventListener("hashchange", this.#follow);
    removeEventListener("popstate", this.#follow);
  }

  /** What a tab group says that it shows. */
  show(name: string): void {
    const tab = this.#tabs.find((known) => known === name);
    if (tab === undefined || tab === this.current) return;
    this.current = tab;
    const url = new URL(location.href);
    url.hash = tab === this.#tabs[0] ? "" : tab;
    history.replaceState(history.state, "", url);
    this.#host.requestUpdate();
  }

  readonly #follow = () => {
    const tab = this.#inAddress();
    if (tab === this.current) return;
    this.current = tab;
    this.#host.requestUpdate();
  };

  #inAddress(): Tab {
    const name = location.hash.slice(1);
    return this.#tabs.find((tab) => tab === name) ?? this.#tabs[0];
  }
}
