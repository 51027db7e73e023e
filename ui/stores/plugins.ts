// Every plugin as the server sees it: the bootstrap, then each change of status, and the last telemetry.

import type { PluginTelemetry, PluginView } from "../../plugins/runtime/host/host.ts";
import type { Api } from "../api/client.ts";
import type { Live } from "../api/live.ts";
import { createNotifier, type Observable } from "./observable.ts";

export interface Plugins extends Observable {
  /** Undefined until the server told them. Sorted by name. */
  readonly list: readonly PluginView[] | undefined;
  get(pluginId: string): PluginView | undefined;
  /** The last sample; undefined while there was none. */
  telemetry(pluginId: string): PluginTelemetry | undefined;
}

export interface PluginsDeps {
  live: Live;
  api: Pick<Api, "get">;
}

export function createPlugins({ live, api }: PluginsDeps): Plugins & Disposable {
  const notifier = createNotifier();
  let bootstrap: Live["bootstrap"];
  let byId: Map<string, PluginView> | undefined;
  /** Made from `byId` when it is asked for. */
  let list: readonly PluginView[] | undefined;
  const samples = new Map<string, PluginTelemetry>();

  const replace = (plugins: Map<string, PluginView> | undefined) => {
    byId = plugins;
    list = undefined;
    notifier.notify();
  };
  let asking = false;

  /** Where a proxy lets no WebSocket through, the page shows at least what is. */
  const ask = async () => {
    if (asking || byId !== undefined || live.state.kind !== "lost") return;
    asking = true;
    try {
      const { plugins } = await api.get<{ plugins: PluginView[] }>("/api/plugins");
      if (byId === undefined && live.state.kind === "lost") replace(mapOf(plugins));
    } catch {
      // The live connection says what is wrong.
    } finally {
      asking = false;
    }
  };
  const takeBootstrap = () => {
    void ask();
    const closed = live.state.kind === "closed" && byId !== undefined;
    if (live.bootstrap === bootstrap && !closed) return;
    bootstrap = live.bootstrap;
    if (bootstrap === undefined) samples.clear();
    replace(bootstrap && mapOf(bootstrap.plugins));
  };
  const stops = [
    live.subscribe(takeBootstrap),
    live.follow({ topic: "status" }, {
      event(event) {
        takeBootstrap();
        // The bootstrap already holds what a replay tells.
        if (event.type !== "status" || event.seq <= (bootstrap?.seq ?? 0)) return;
        const { plugin } = event.payload;
        replace(new Map(byId).set(plugin.id, plugin));
      },
    }),
    live.follow({ topic: "telemetry" }, {
      event(event) {
        if (event.type !== "telemetry") return;
        samples.set(event.payload.pluginId, event.payload.telemetry);
        notifier.notify();
      },
    }),
  ];

  return {
    subscribe: notifier.subscribe,
    get list() {
      if (byId === undefined) return undefined;
      return list ??= [...byId.values()].sort((one, other) =>
        one.name.localeCompare(other.name) || one.id.localeCompare(other.id)
      );
    },
    get: (pluginId) => byId?.get(pluginId),
    telemetry: (pluginId) => samples.get(pluginId),
    [Symbol.dispose]() {
      for (const stop of stops) stop();
    },
  };
}

function mapOf(plugins: readonly PluginView[]): Map<string, PluginView> {
  return new Map(plugins.map((plugin) => [plugin.id, plugin]));
}
