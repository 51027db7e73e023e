// Which models are in memory: loads on first use, makes room by the one used longest ago, unloads what is idle.
// Callers get their place in the order of asking, so that two models in demand take turns. A model stays open while it
// is in memory, and is known there by its own id, however it was asked for.

import { AppError, toAppError } from "../contract/error.ts";
import type { OpenModel } from "../engines/engine.ts";
import { collectGarbage } from "./collect_garbage.ts";
import type { PluginContext } from "./context.ts";
import { MemoryBudget } from "./memory_budget.ts";

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
  /** Models at once, beside the pinned ones. */
  maxLoaded: number;
  /** Until an idle model is unloaded; 0: never. */
  keepAliveMs: number;
  /** What the models share with those of other places; without one they may take all there is. */
  memory?: MemoryBudget;
  /** Bytes of memory that a model will take, about; default: those of its files. */
  weigh?(opened: OpenModel): number;
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

/** What is known of a model in memory. */
export interface Resident<Model> {
  id: string;
  model: Model;
  /** Calls that use it. */
  users: number;
  /** Bytes, about. */
  bytes: number;
  pinned: boolean;
  /** Since the last use; undefined while it is in use. */
  idleMs: number | undefined;
}

interface Waiting {
  signal: AbortSignal;
  /** For how long the model stays after this call, in place of the setting: 0 not at all, -1 for good. */
  keepAliveMs?: number;
  /** Called when there is progress. */
  alive(): void;
}

export class Residency<Model extends ResidentModel> {
  readonly #options: ResidencyOptions<Model>;
  readonly #residents = new Map<string, Entry<Model>>();
  readonly #questions = new Map<string, Promise<Named>>();
  readonly #pinned = new Set<string>();
  readonly #memory: MemoryBudget;
  #turn: Promise<unknown> = Promise.resolve();
  #loads = 0;
  #closed = false;

  constructor(options: ResidencyOptions<Model>) {
    this.#options = options;
    this.#memory = options.memory ?? new MemoryBudget(Infinity);
    const entries = () => [...this.#residents.values()];
    this.#memory.join({
      get usedBytes() {
        return entries().reduce((sum, { bytes }) => sum + bytes, 0);
      },
      get pinnedBytes() {
        return entries().reduce((sum, { bytes, pinned }) => pinned ? sum + bytes : sum, 0);
      },
      oldestIdle: () => {
        const idle = this.#oldestIdle();
        return idle && { usedAt: idle.usedAt, drop: () => this.#drop(idle) };
      },
    });
  }

  /** Models in memory, or on their way into it. */
  get size(): number {
    return this.#residents.size;
  }

  /** Those in memory. */
  list(): Resident<Model>[] {
    const now = performance.now();
    return [...this.#residents.values()].flatMap(
      ({ id, loaded, users, bytes, pinned, usedAt }) =>
        loaded === undefined ? [] : [{
          id,
          model: loaded.model,
          users,
          bytes,
          pinned,
          idleMs: users > 0 ? undefined : now - usedAt,
        }],
    );
  }

  /** Loads a model that stays, also when it has to be loaded anew; throws what `acquire` throws. */
  async pin(id: string, waiting: Waiting): Promise<void> {
    const lease = await this.acquire(id, waiting);
    this.#pinned.add(lease.id);
    const entry = this.#residents.get(lease.id);
    if (entry !== undefined) entry.pinned = true;
    lease.release();
  }

  /** Unloads one now; false when it is not loaded. Throws CONFLICT while calls use it. */
  async unload(asked: string): Promise<boolean> {
    const resident = this.#residents.get(asked) ??
      this.#residents.get((await this.#identify(asked)).id);
    if (resident === undefined) return false;
    if (resident.users > 0) {
      throw new AppError("CONFLICT", `The model "${resident.id}" is in use`);
    }
    await this.#drop(resident);
    return true;
  }

  /** The model, loaded; throws what opening or loading it threw, or the signal's reason. */
  async acquire(asked: string, { signal, alive, keepAliveMs }: Waiting): Promise<Lease<Model>> {
    // Nobody loses a place to a model that there is not, or that the plugin cannot use.
    const named = this.#residents.get(asked) ?? await unless(signal, this.#identify(asked));
    const { id } = named;
    const placing = this.#turn.then(() => this.#place(named, signal));
    this.#turn = placing.catch(() => {});
    // Others' answers go on meanwhile; a hang of theirs is seen in their own silence.
    const timer = setInterval(alive, 5000);
    // Whoever leaves while waiting for a turn must not hold a place that is found later.
    const resident = await unless(signal, placing, (late) => this.#leave(late))
      .finally(() => clearInterval(timer));
    resident.listeners.add(alive);
    try {
      const { model } = await unless(signal, resident.loading);
      return { id, model, release: () => this.#leave(resident, keepAliveMs) };
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
  #identify(asked: string): Promise<Named> {
    const asking = this.#questions.get(asked) ?? this.#ask(asked)
      .finally(() => this.#questions.delete(asked));
    this.#questions.set(asked, asking);
    return asking;
  }

  async #ask(asked: string): Promise<Named> {
    const { ctx, require, weigh } = this.#options;
    const opened = await ctx.models.open(asked);
    opened.close();
    require(opened);
    return { id: opened.id, bytes: weigh?.(opened) ?? opened.size };
  }

  /** Counts the caller in as a user of the model, once there is room for it. */
  async #place({ id, bytes }: Named, signal: AbortSignal): Promise<Entry<Model>> {
    while (true) {
      signal.throwIfAborted();
      if (this.#closed) throw new AppError("UNAVAILABLE", "The plugin is stopping");
      const known = this.#residents.get(id);
      if (known?.loaded?.model.isBroken) {
        await this.#drop(known);
        continue;
      }
      if (known !== undefined) return this.#enter(known);
      this.#memory.require(id, bytes);
      const unpinned = [...this.#residents.values()].filter(({ pinned }) => !pinned).length;
      const { changed } = this.#memory;
      if (unpinned >= this.#options.maxLoaded && !this.#pinned.has(id)) {
        const idle = this.#oldestIdle();
        if (idle !== undefined) await this.#drop(idle);
        else await unless(signal, changed);
      } else if (this.#memory.fits(bytes)) return this.#enter(this.#open({ id, bytes }));
      else if (!await this.#memory.dropIdle()) await unless(signal, changed);
    }
  }

  /** Of those that may be put out now; one that loads may itself wait for room. */
  #oldestIdle(): Entry<Model> | undefined {
    return [...this.#residents.values()]
      .filter(({ users, pinned, loaded }) => users === 0 && !pinned && loaded !== undefined)
      .sort((a, b) => a.usedAt - b.usedAt)[0];
  }

  #enter(resident: Entry<Model>): Entry<Model> {
    clearTimeout(resident.timer);
    resident.users++;
    return resident;
  }

  #leave(resident: Entry<Model>, keepAliveMs?: number): void {
    resident.users--;
    resident.usedAt = performance.now();
    resident.keepAliveMs = keepAliveMs ?? resident.keepAliveMs;
    if (resident.users === 0 && !resident.pinned) this.#unloadLater(resident);
    this.#memory.tellChange();
  }

  /** A call's wish holds until another call has one. */
  #unloadLater(resident: Entry<Model>): void {
    const wished = resident.keepAliveMs ?? (this.#options.keepAliveMs || forGood);
    if (wished === forGood) return;
    const unload = () => {
      if (resident.users === 0 && !resident.pinned) this.#drop(resident).catch(() => {});
    };
    if (wished === 0) unload();
    else resident.timer = setTimeout(unload, wished);
  }

  #open({ id, bytes }: Named): Entry<Model> {
    const resident: Entry<Model> = {
      id,
      bytes,
      pinned: this.#pinned.has(id),
      keepAliveMs: undefined,
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
      this.#memory.tellChange();
    }, () => {
      if (this.#residents.get(id) === resident) this.#residents.delete(id);
      this.#memory.tellChange();
    });
    return resident;
  }

  async #load(id: string, progress: () => void): Promise<Loaded<Model>> {
    const { ctx, load } = this.#options;
    const opened = await ctx.models.open(id);
    try {
      const model = await load(opened, progress).catch(async (error) => {
        // It was weighed too light, or others were: with all the room there is it gets another try.
        if (!isOutOfMemory(error) || !await this.#memory.dropIdle()) throw error;
        while (await this.#memory.dropIdle());
        return await load(opened, progress);
      });
      return { model, opened };
    } catch (error) {
      opened.close();
      throw error;
    }
  }

  async #drop(resident: Entry<Model>): Promise<void> {
    clearTimeout(resident.timer);
    if (this.#residents.get(resident.id) === resident) this.#residents.delete(resident.id);
    const loaded = await resident.loading.catch(() => undefined);
    try {
      await loaded?.model.unload();
    } finally {
      loaded?.opened.close();
      // Those who are being answered are not held up for it.
      if (this.list().every(({ users }) => users === 0)) collectGarbage();
      this.#tellCount();
      if (loaded !== undefined) this.#options.ctx.log.info("model unloaded", { id: resident.id });
      this.#memory.tellChange();
    }
  }

  #tellCount(): void {
    this.#options.changed?.({ loaded: this.#residents.size, loads: this.#loads });
  }
}

interface Named {
  id: string;
  bytes: number;
}

/** Of a wish for how long a model stays. */
const forGood = -1;

function isOutOfMemory(error: unknown): boolean {
  return toAppError(error).code === "OUT_OF_MEMORY";
}

interface Entry<Model> {
  id: string;
  bytes: number;
  pinned: boolean;
  keepAliveMs: number | undefined;
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
