// Where a plugin runs for this person at the moment. Callers: the dashboards, which ask no plugin that is stopped.

import type { PluginView } from "../../plugins/runtime/host/host.ts";
import type { Homes } from "../stores/homes.ts";

/** Undefined while it does not run where this person's calls go. */
export function runsIn(
  plugin: Pick<PluginView, "id" | "status">,
  homes: Pick<Homes, "state">,
): "server" | "browser" | undefined {
  const home = homes.state(plugin.id);
  if (home.kind === "browser") return home.view.status === "running" ? "browser" : undefined;
  return plugin.status === "running" ? "server" : undefined;
}
