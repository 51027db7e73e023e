// Makes the page a host: the server's own host code, with Workers for cells and this browser's storage for models.
// All that a running plugin needs is held here once it has started, so that it goes on without the server.

import { assetPath, engineAssets } from "../../plugins/runtime/contract/engine_assets.ts";
import { AppError, toAppError } from "../../plugins/runtime/contract/error.ts";
import type { EngineName } from "../../plugins/runtime/contract/manifest.ts";
import type { Bus, PluginHost, Principal } from "../../plugins/runtime/host/host.ts";
import { createThreadBudget } from "../../plugins/runtime/host/thread_budget.ts";
import { createPluginHost } from "../../plugins/runtime/host/plugin_host.ts";
import { createNotifier } from "../stores/observable.ts";
import type { LocalHost, LocalSource, Progress } from "./local_host.ts";
import { storageProblem } from "./model_folder.ts";
import { createModelStorage } from "./model_storage.ts";
import { type Keeper, openOwnKeeper, openStrangerKeeper } from "./open_keeper.ts";
import { createSpawnWorker, type WorkerParts } from "./spawn_worker.ts";

export interface LocalHostDeps {
  source: LocalSource;
  /** Who runs plugins here: the signed-in person. */
  principal: () => Principal;
  /** Threads that all plugins of this page share; default: the cores where the page is isolated, else 1. */
  threads?: number;
}

/** One plugin of this page, with the host that runs it. */
interface LocalPlugin {
  host: PluginHost;
  /** Changes with the bundle, the settings and the grants. */
  stamp: string;
  keepers: AsyncDisposable;
}

export function createLocalHost({ source, principal, threads }: LocalHostDeps): LocalHost {
  const { subscribe, notify } = createNotifier();
  // One for all plugins of the page, though each has a host of its own.
  const budget = createThreadBudget(
    threads ?? (globalThis.crossOriginIsolated ? navigator.hardwareConcurrency : 1),
  );
  const plugins = new Map<string, LocalPlugin>();
  const starts = new Map<string, Promise<void>>();
  const held = new Map<string, Uint8Array<ArrayBuffer>>();
  const models = createModelStorage({ source, changed: notify });
  const ownKeeper = createKeeperSlot(() => Promise.resolve(openOwnKeeper()));

  const local: LocalHost = {
    subscribe,
    bus: joinBuses(() => [...plugins.values()].map(({ host }) => host.bus)),
    list: () => [...plugins.values()].flatMap(({ host }) => host.list()),
    get: (pluginId) => plugins.get(pluginId)?.host.get(pluginId),
    async start(pluginId, { progress = () => {}, signal = new AbortController().signal } = {}) {
      // Two starts at once of one plugin would make two hosts for it.
      const before = starts.get(pluginId) ?? Promise.resolve();
      const starting = before.then(() => prepare(pluginId, { progress, signal }));
      starts.set(pluginId, starting.catch(() => {}));
      await starting;
      progress({ step: "Starting the plugin" });
      return await find(pluginId).host.start(pluginId, principal());
    },
    async stop(pluginId) {
      await find(pluginId).host.stop(pluginId, principal());
    },
    fetchModel: (modelId, options) => models.fetch(modelId, options),
    downloads: models.downloads,
    storage: () => models.storage(),
    evict: (modelId) => models.evict(modelId),
    async close() {
      await Promise.all([...plugins.keys()].map(remove));
      await ownKeeper[Symbol.asyncDispose]();
    },
  };
  return local;

  /** Fetches what is new, and makes the host; what is here already does when the server is away. */
  async function prepare(
    pluginId: string,
    { progress, signal }: { progress: (progress: Progress) => void; signal: AbortSignal },
  ): Promise<void> {
    progress({ step: "Fetching the plugin" });
    const known = plugins.get(pluginId);
    let fetched;
    try {
      fetched = await source.plugin(pluginId);
    } catch (error) {
      if (known !== undefined && toAppError(error).code === "UNAVAILABLE") return;
      throw error;
    }
    signal.throwIfAborted();
    const { manifest, origin, code, digest, granted, settings } = fetched;
    const stamp = JSON.stringify([digest, settings, granted]);
    if (known?.stamp === stamp) return;
    refuseUnfit(manifest);
    const isStranger = origin === "external";
    const names = ["boot.js", ...isStranger ? ["keeper.js"] : []];
    // The first engine is what the plugin mostly runs on; what others are made of comes when they are first used.
    const [first, ...others] = manifest.engines;
    if (first !== undefined) names.push(...partsOf(first));
    names.push(...others.map(moduleOf));
    for (const name of names) {
      if (held.has(name)) continue;
      progress({ step: "Fetching the engine" });
      held.set(name, await source.asset(name));
      signal.throwIfAborted();
    }
    if (manifest.permissions.services.includes("models")) await models.refresh();
    await remove(pluginId);
    const keeper = isStranger
      ? createKeeperSlot(() =>
        openStrangerKeeper({ script: text("keeper.js"), label: `Sandbox of ${manifest.name}` })
      )
      : ownKeeper;
    // Brought up now: later there may be no server to bring its script.
    await keeper.get();
    const host = createPluginHost({
      plugins: [{ source: pluginId, origin, manifest, loadCode: () => Promise.resolve(code) }],
      spawnCell: createSpawnWorker({ keeper: keeper.get, parts, files: models.reader }),
      models: models.serviceFor(manifest),
      threads: budget,
      state: {
        load: () => ({
          enabled: true,
          // Consent is the server's affair: it hands out no bundle that waits for one.
          ...(granted === undefined
            ? {}
            : { consent: { requested: manifest.permissions, granted } }),
          ...(settings === undefined ? {} : { settings }),
        }),
        save: () => {},
      },
    });
    host.subscribe(({ topic }) => topic === "status" && notify());
    plugins.set(pluginId, {
      host,
      stamp,
      keepers: isStranger ? keeper : { [Symbol.asyncDispose]: () => Promise.resolve() },
    });
    notify();
  }

  function refuseUnfit(
    manifest: { id: string; name: string; browser: boolean } & {
      permissions: { services: readonly string[] };
      capabilities: readonly { id: string }[];
    },
  ): void {
    if (!manifest.browser) {
      throw new AppError("UNSUPPORTED_FEATURE", `"${manifest.name}" runs on the server alone`);
    }
    const problem = storageProblem();
    if (problem !== undefined && manifest.permissions.services.includes("models")) throw problem;
    for (const [otherId, { host }] of plugins) {
      const taken = host.get(otherId).capabilities.find(({ id }) =>
        otherId !== manifest.id && manifest.capabilities.some((capability) => capability.id === id)
      );
      if (taken !== undefined) {
        throw new AppError("CONFLICT", `Capability "${taken.id}" belongs to "${otherId}" here`);
      }
    }
  }

  async function remove(pluginId: string): Promise<void> {
    const plugin = plugins.get(pluginId);
    if (plugin === undefined) return;
    plugins.delete(pluginId);
    await plugin.host[Symbol.asyncDispose]();
    await plugin.keepers[Symbol.asyncDispose]();
    notify();
  }

  function find(pluginId: string): LocalPlugin {
    const plugin = plugins.get(pluginId);
    if (plugin !== undefined) return plugin;
    throw new AppError("NOT_FOUND", `The plugin "${pluginId}" is not in this browser`);
  }

  function parts(): WorkerParts {
    const engines: WorkerParts["engines"] = {};
    for (const name of Object.keys(engineAssets) as EngineName[]) {
      if (held.has(moduleOf(name))) engines[name] = text(moduleOf(name));
    }
    return { boot: text("boot.js"), engines, asset };
  }

  async function asset(name: string): Promise<Uint8Array<ArrayBuffer>> {
    if (!assetNames.has(name)) throw new AppError("NOT_FOUND", `No asset "${name}"`);
    const path = assetPath(name, { canSuspend });
    const bytes = held.get(path) ?? await source.asset(path);
    held.set(path, bytes);
    return bytes;
  }

  function text(name: string): string {
    const bytes = held.get(name);
    if (bytes === undefined) throw new AppError("UNAVAILABLE", `"${name}" is not in this page`);
    return new TextDecoder().decode(bytes);
  }
}

const canSuspend = "Suspending" in WebAssembly;

/** What an engine is made of, of bkg's own assets. */
function partsOf(engine: EngineName): string[] {
  return [
    moduleOf(engine),
    ...engineAssets[engine].map((name) => assetPath(name, { canSuspend })),
  ];
}

function moduleOf(engine: EngineName): string {
  return `engines/${engine}.js`;
}

const assetNames: ReadonlySet<string> = new Set(Object.values(engineAssets).flat());

interface KeeperSlot extends AsyncDisposable {
  get(): Promise<Keeper>;
}

/** Holds one keeper; another is opened when it is lost. */
function createKeeperSlot(open: () => Promise<Keeper>): KeeperSlot {
  let opened: Promise<Keeper> | undefined;
  return {
    get() {
      if (opened !== undefined) return opened;
      const opening = opened = open();
      const forget = () => {
        if (opened === opening) opened = undefined;
      };
      opening.then((keeper) => keeper.lost.then(forget), forget);
      return opening;
    },
    async [Symbol.asyncDispose]() {
      (await opened?.catch(() => undefined))?.close();
      opened = undefined;
    },
  };
}

/** One way to the capabilities of all plugins here. */
function joinBuses(buses: () => Bus[]): Bus {
  const owner = (capability: string): Bus => {
    const all = buses();
    const found = all.find((bus) => {
      try {
        return bus.find(capability) !== undefined;
      } catch {
        return false;
      }
    });
    if (found !== undefined) return found;
    throw new AppError("NOT_FOUND", `No plugin in this browser has the capability "${capability}"`);
  };
  return {
    call: async (capability, input, options) =>
      await owner(capability).call(capability, input, options),
    async *stream(capability, input, options) {
      return yield* owner(capability).stream(capability, input, options);
    },
    find: (capability) => owner(capability).find(capability),
  };
}
