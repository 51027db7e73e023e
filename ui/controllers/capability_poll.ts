// Asks a capability of a running plugin again and again while somebody looks: never of one that is stopped, which the
// call would start, and not while the window is hidden. Callers: the dashboards.

import type { ReactiveController, ReactiveControllerHost } from "lit";
import { toAppError, type WireError } from "../../plugins/runtime/contract/error.ts";
import type { PagePresence } from "../api/page_presence.ts";
import type { Homes } from "../stores/homes.ts";

export interface CapabilityPollOptions<Value> {
  /** Reads what a plugin answered; throws where it makes no sense. */
  parse: (answer: unknown) => Value;
  homes: () => Pick<Homes, "stream">;
  capability: string;
  /** Where the plugin runs; undefined while it does not, and what is known is then forgotten. */
  runsIn: () => "server" | "browser" | undefined;
  /** Whether its element is to be seen; what is known stays meanwhile. */
  isShown: () => boolean;
  everyMs?: number;
  presence: PagePresence;
}

export class CapabilityPoll<Value> implements ReactiveController {
  value: Value | undefined;
  error: WireError | undefined;

  readonly #host: ReactiveControllerHost;
  readonly #options: CapabilityPollOptions<Value>;
  #place: "server" | "browser" | undefined;
  #connected = false;
  #asking: AbortController | undefined;
  #timer: ReturnType<typeof setTimeout> | undefined;
  #unwatch = () => {};

  constructor(host: ReactiveControllerHost, options: CapabilityPollOptions<Value>) {
    this.#host = host;
    this.#options = options;
    host.addController(this);
  }

  hostConnected(): void {
    this.#connected = true;
    this.#unwatch = this.#options.presence.watch(() => this.refresh());
    this.#go();
  }

  hostDisconnected(): void {
    this.#connected = false;
    this.#unwatch();
    this.#rest();
  }

  /** Whether it runs shows with each update of its element. */
  hostUpdate(): void {
    this.#go();
  }

  /** Asks at once, such as after something was changed. */
  refresh(): void {
    this.#rest();
    this.#go();
  }

  #go(): void {
    const place = this.#options.runsIn();
    if (place !== this.#place) {
      this.#rest();
      this.#place = place;
      this.value = this.error = undefined;
    }
    const { presence, isShown } = this.#options;
    const isLookedAt = this.#connected && presence.visible && isShown();
    if (!isLookedAt || place === undefined) return this.#rest();
    if (this.#asking === undefined && this.#timer === undefined) void this.#ask();
  }

  #rest(): void {
    clearTimeout(this.#timer);
    this.#timer = undefined;
    this.#asking?.abort();
    this.#asking = undefined;
  }

  async #ask(): Promise<void> {
    const { capability, homes, parse, everyMs = defaultEveryMs } = this.#options;
    const asking = this.#asking = new AbortController();
    let value: Value | undefined;
    let error: WireError | undefined;
    try {
      value = parse(await callOnce(homes(), capability, { input: {}, signal: asking.signal }));
    } catch (thrown) {
      error = toAppError(thrown).toWire();
    }
    // It stopped meanwhile, or is asked anew: this answer is nobody's.
    if (this.#asking !== asking) return;
    this.#asking = undefined;
    // What was known stays beside an error.
    this.value = value ?? this.value;
    this.error = error;
    this.#timer = setTimeout(() => {
      this.#timer = undefined;
      this.#go();
    }, everyMs);
    this.#host.requestUpdate();
  }
}

/** The answer of a capability that does not stream: its one item. */
export async function callOnce(
  homes: Pick<Homes, "stream">,
  capability: string,
  { input, signal }: { input: unknown; signal?: AbortSignal },
): Promise<unknown> {
  let answer: unknown;
  for await (
    const item of homes.stream(capability, input, signal === undefined ? {} : { signal })
  ) {
    answer = item;
  }
  return answer;
}

const defaultEveryMs = 3000;
