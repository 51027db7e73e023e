// Renders its element again whenever a store changed, as long as the element is connected.

import type { ReactiveController, ReactiveControllerHost } from "lit";
import type { Observable } from "../stores/observable.ts";

export class StoreController implements ReactiveController {
  readonly #host: ReactiveControllerHost;
  /** Read at each connect: a store from a context is not there in the constructor. */
  readonly #stores: () => readonly (Observable | undefined)[];
  #stop: (() => void)[] = [];

  constructor(host: ReactiveControllerHost, stores: () => readonly (Observable | undefined)[]) {
    this.#host = host;
    this.#stores = stores;
    host.addController(this);
  }

  hostConnected(): void {
    const update = () => this.#host.requestUpdate();
    this.#stop = this.#stores().flatMap((store) =>
      store === undefined ? [] : store.subscribe(update)
    );
  }

  hostDisconnected(): void {
    for (const stop of this.#stop) stop();
    this.#stop = [];
  }
}
