// Which models are in memory: loads on first use, makes room by the one used longest ago, unloads what is idle.
// Callers get their place in the order of asking, so that two models in demand take turns.

import { PluginError } from "@bkg/plugin";
import type { Context, LoadedModel } from "./settings.ts";

export interface Lease {
  model: LoadedModel;
  /** Gives the model back; it stays loaded for a while. */
  release(): void;
}

interface Waiting {
  signal: AbortSignal;
  /** Called when there is progress. */
  alive(): void;
}

export class Residency {
  readonly #ctx: Context;
  readonly #residents = new Map<string, Resident>();
  #turn: Promise<unknown> = Promise.resolve();
  #changed = Promise.withResolvers<void>();
  #loads = 0;
  #closed = false;

  constructor(ctx: Context) {
    this.#ctx = ctx;
  }

  /** Models in memory, or on their way into it. */
  get size(): number {
    return this.#residents.size;
  }

  /** The model, loaded; throws what opening or loading it threw, or the signal's reason. */
  async acquire(id: string, waiting: Waiting): Promise<Lease> {
    const placing = this.#turn.then(() => this.#place(id, waiting.signal));
    this.#turn = placing.catch(() => {});
    // Others' answers go on meanwhile; a hang of theirs is seen in their own silence.
    const timer = setInterval(waiting.alive, 5000);
    // Whoever leaves while waiting for a turn must not hold a place that is found later.
    const resident = await unless(waiting.signal, placing, (late) => this.#leave(late))
      .finally(() => clearInterval(timer));
    resident.listeners.add(waiting.alive);
    try {
      const model = await unless(waiting.signal, resident.loading);
      return { model, release: () => this.#leave(resident) };
    } catch (error) {
      this.#leave(resident);
      throw error;
    } finally {
      resident.listeners.delete(waiting.alive);
    }
  }

  /** Unloads all. */
  async close(): Promise<void> {
    this.#closed = true;
    await Promise.all([...this.#residents.values()].map((resident) => this.#drop(resident)));
  }

  /** Counts the caller in as a user of the model, once there is room for it. */
  async #place(id: string, signal: AbortSignal): Promise<Resident> {
    while (true) {
      signal.throwIfAborted();
      if (this.#closed) throw new PluginError("UNAVAILABLE", "The plugin is stopping");
      const known = this.#residents.get(id);
      if (known?.model?.isBroken) await this.#drop(known);
      else if (known !== undefined) return this.#enter(known);
      else if (this.#residents.size < this.#ctx.settings.maxLoaded) {
        return this.#enter(this.#open(id));
      } else {
        const idle = [...this.#residents.values()].filter(({ users }) => users === 0)
          .sort((a, b) => a.usedAt - b.usedAt)[0];
        if (idle !== undefined) await this.#drop(idle);
        else await unless(signal, this.#changed.promise);
      }
    }
  }

  #enter(resident: Resident): Resident {
    clearTimeout(resident.timer);
    resident.users++;
    return resident;
  }

  #leave(resident: Resident): void {
    resident.users--;
    resident.usedAt = performance.now();
    const { keepAliveMs } = this.#ctx.settings;
    if (resident.users === 0 && keepAliveMs > 0) {
      resident.timer = setTimeout(() => {
        if (resident.users === 0) this.#drop(resident).catch(() => {});
      }, keepAliveMs);
    }
    this.#tellChange();
  }

  #open(id: string): Resident {
    const resident: Resident = {
      id,
      users: 0,
      usedAt: performance.now(),
      listeners: new Set(),
      model: undefined,
      timer: undefined,
      loading: this.#load(id, () => {
        for (const alive of resident.listeners) alive();
      }),
    };
    this.#residents.set(id, resident);
    resident.loading.then((model) => {
      resident.model = model;
      this.#ctx.metric("models_loaded", this.#residents.size);
      this.#ctx.metric("model_loads", ++this.#loads);
    }, () => {
      if (this.#residents.get(id) === resident) this.#residents.delete(id);
      this.#tellChange();
    });
    return resident;
  }

  async #load(id: string, progress: () => void): Promise<LoadedModel> {
    const { log, models, engines, settings } = this.#ctx;
    const opened = await models.open(id);
    try {
      const { backend, threads, parallel, contextLength } = settings;
      const options = { backend, threads, parallel, contextLength, progress };
      const model = await engines.wllama.load(opened, options);
      log.info("model loaded", { id, ...model.info() });
      return model;
    } finally {
      // Loading has read all of it.
      opened.close();
    }
  }

  async #drop(resident: Resident): Promise<void> {
    clearTimeout(resident.timer);
    if (this.#residents.get(resident.id) === resident) this.#residents.delete(resident.id);
    const model = await resident.loading.catch(() => undefined);
    await model?.unload();
    this.#ctx.metric("models_loaded", this.#residents.size);
    if (model !== undefined) this.#ctx.log.info("model unloaded", { id: resident.id });
    this.#tellChange();
  }

  #tellChange(): void {
    this.#changed.resolve();
    this.#changed = Promise.withResolvers<void>();
  }
}

interface Resident {
  id: string;
  /** Calls that use it or wait for its loading. */
  users: number;
  usedAt: number;
  /** Undefined while it loads. */
  model: LoadedModel | undefined;
  loading: Promise<LoadedModel>;
  listeners: Set<() => void>;
  timer: ReturnType<typeof setTimeout> | undefined;
}

/** `promise`, or the signal's reason if that comes first; then `late` gets what came after all. */
function unless<Value>(
  signal: AbortSignal,
  promise: Promise<Value>,
  late: (value: Value) => void = () => {},
): Promise<Value> {
  return new Promise((resolve, reject) => {
    let left = false;
    const leave = () => {
      left = true;
      reject(signal.reason);
    };
    if (signal.aborted) leave();
    else signal.addEventListener("abort", leave, { once: true });
    promise.then((value) => left ? late(value) : resolve(value), reject)
      .finally(() => signal.removeEventListener("abort", leave));
  });
}
