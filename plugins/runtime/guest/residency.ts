// Which models are in memory: loads on first use, makes room by the one used longest ago, unloads what is idle.
// Callers get their place in the order of asking, so that two models in demand take turns. A model stays open while it
// is in memory, and is known there by its own id, however it was asked for.

import { AppError } from "../contract/error.ts";
import type { OpenModel } from "../engines/engine.ts";
import type { PluginContext } from "./context.ts";

/** What an engine loaded. */
export interface ResidentModel {
  /** True once it has died: it is unloaded, and loaded anew for the next call. */
  readonly isBroken: boolean;
  unload(): Promise<void>;
}

export interface ResidencyOptions<Model extends ResidentModel> {
  ctx: Pick<PluginContext, "models" | "log">;
  /** Throws INVALID_INPUT for a model that the plugin cannot use; before anything makes room for it. */
  require(opened: OpenModel): void;
  load(opened: OpenModel, progress: () => void): Promise<Model>;
  /** Models at once. */
  maxLoaded: number;
  /** Until an idle model is unloaded; 0: never. */
  keepAliveMs: number;
  /** Told after each load and unload. */
  changed?(state: { loaded: number; loads: number }): void;
}

export interface Lease<Model> {
  /** The model's own. */
  id: string;
  model: Model;
  /** Gives the model back; it stays loaded for a while. */
  release(): void;
}

interface Waiting {
  signal: AbortSignal;
  /** Called when there is progress. */
  alive(): void;
}

export class Residency<Model extends ResidentModel> {
  readonly #options: ResidencyOptions<Model>;
  readonly #residents = new Map<string, Resident<Model>>();
  readonly #questions = new Map<string, Promise<string>>();
  #turn: Promise<unknown> = Promise.resolve();
  #changed = Promise.withResolvers<void>();
  #loads = 0;
  #closed = false;

  constructor(options: ResidencyOptions<Model>) {
    this.#options = options;
  }

  /** Models in memory, or on their way into it. */
  get size(): number {
    return this.#residents.size;
  }

  /** Those in memory, by id. */
  list(): { id: string; model: Model; users: number }[] {
    return [...this.#residents.values()].flatMap(({ id, loaded, users }) =>
      loaded === undefined ? [] : [{ id, model: loaded.model, users }]
    );
  }

  /** Unloads one now; false when it is not loaded. Throws CONFLICT while calls use it. */
  async unload(asked: string): Promise<boolean> {
    const resident = this.#residents.get(asked) ??
      this.#residents.get(await this.#identify(asked));
    if (resident === undefined) return false;
    if (resident.users > 0) {
      throw new AppError("CONFLICT", `The model "${resident.id}" is in use`);
    }
    await this.#drop(resident);
    return true;
  }

  /** The model, loaded; throws what opening or loading it threw, or the signal's reason. */
  async acquire(asked: string, { signal, alive }: Waiting): Promise<Lease<Model>> {
    // Nobody loses a place to a model that there is not, or that the plugin cannot use.
    const id = this.#residents.has(asked) ? asked : await unless(signal, this.#identify(asked));
    const placing = this.#turn.then(() => this.#place(id, signal));
    this.#turn = placing.catch(() => {});
    // Others' answers go on meanwhile; a hang of theirs is seen in their own silence.
    const timer = setInterval(alive, 5000);
    // Whoever leaves while waiting for a turn must not hold a place that is found later.
    const resident = await unless(signal, placing, (late) => this.#leave(late))
      .finally(() => clearInterval(timer));
    resident.listeners.add(alive);
    try {
      const { model } = await unless(signal, resident.loading);
      return { id, model, release: () => this.#leave(resident) };
    } catch (error) {
      this.#leave(resident);
      throw error;
    } finally {
      resident.listeners.delete(alive);
    }
  }

  /** Unloads all. */
  async close(): Promise<void> {
    this.#closed = true;
    await Promise.all([...this.#residents.values()].map((resident) => this.#drop(resident)));
  }

  /** The model's own id, as the host says now. Who asks the same at once shares the answer. */
  #identify(asked: string): Promise<string> {
    const asking = this.#questions.get(asked) ?? this.#ask(asked)
      .finally(() => this.#questions.delete(asked));
    this.#questions.set(asked, asking);
    return asking;
  }

  async #ask(asked: string): Promise<string> {
    const opened = await this.#options.ctx.models.open(asked);
    opened.close();
    this.#options.require(opened);
    return opened.id;
  }

  /** Counts the caller in as a user of the model, once there is room for it. */
  async #place(id: string, signal: AbortSignal): Promise<Resident<Model>> {
    while (true) {
      signal.throwIfAborted();
      if (this.#closed) throw new AppError("UNAVAILABLE", "The plugin is stopping");
      const known = this.#residents.get(id);
      if (known?.loaded?.model.isBroken) await this.#drop(known);
      else if (known !== undefined) return this.#enter(known);
      else if (this.#residents.size < this.#options.maxLoaded) {
        return this.#enter(this.#open(id));
      } else {
        const idle = [...this.#residents.values()].filter(({ users }) => users === 0)
          .sort((a, b) => a.usedAt - b.usedAt)[0];
        if (idle !== undefined) await this.#drop(idle);
        else await unless(signal, this.#changed.promise);
      }
    }
  }

  #enter(resident: Resident<Model>): Resident<Model> {
    clearTimeout(resident.timer);
    resident.users++;
    return resident;
  }

  #leave(resident: Resident<Model>): void {
    resident.users--;
    resident.usedAt = performance.now();
    const { keepAliveMs } = this.#options;
    if (resident.users === 0 && keepAliveMs > 0) {
      resident.timer = setTimeout(() => {
        if (resident.users === 0) this.#drop(resident).catch(() => {});
      }, keepAliveMs);
    }
    this.#tellChange();
  }

  #open(id: string): Resident<Model> {
    const resident: Resident<Model> = {
      id,
      users: 0,
      usedAt: performance.now(),
      listeners: new Set(),
      loaded: undefined,
      timer: undefined,
      loading: this.#load(id, () => {
        for (const alive of resident.listeners) alive();
      }),
    };
    this.#residents.set(id, resident);
    resident.loading.then((loaded) => {
      resident.loaded = loaded;
      this.#loads++;
      this.#tellCount();
    }, () => {
      if (this.#residents.get(id) === resident) this.#residents.delete(id);
      this.#tellChange();
    });
    return resident;
  }

  async #load(id: string, progress: () => void): Promise<Loaded<Model>> {
    const { ctx, load } = this.#options;
    const opened = await ctx.models.open(id);
    try {
      const model = await load(opened, progress);
      return { model, opened };
    } catch (error) {
      opened.close();
      throw error;
    }
  }

  async #drop(resident: Resident<Model>): Promise<void> {
    clearTimeout(resident.timer);
    if (this.#residents.get(resident.id) === resident) this.#residents.delete(resident.id);
    const loaded = await resident.loading.catch(() => undefined);
    await loaded?.model.unload();
    loaded?.opened.close();
    this.#tellCount();
    if (loaded !== undefined) this.#options.ctx.log.info("model unloaded", { id: resident.id });
    this.#tellChange();
  }

  #tellCount(): void {
    this.#options.changed?.({ loaded: this.#residents.size, loads: this.#loads });
  }

  #tellChange(): void {
    this.#changed.resolve();
    this.#changed = Promise.withResolvers<void>();
  }
}

interface Resident<Model> {
  id: string;
  /** Calls that use it or wait for its loading. */
  users: number;
  usedAt: number;
  /** Undefined while it loads. */
  loaded: Loaded<Model> | undefined;
  loading: Promise<Loaded<Model>>;
  listeners: Set<() => void>;
  timer: ReturnType<typeof setTimeout> | undefined;
}

interface Loaded<Model> {
  model: Model;
  /** Its files were read; open, they cannot be removed under a model in use. */
  opened: OpenModel;
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
