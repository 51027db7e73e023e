// The life of a plugin as an explicit table: a transition that is not in it is a bug, and throws.

import { AppError } from "../contract/error.ts";
import type { PluginStatus } from "./host.ts";

const transitions: Readonly<Record<PluginStatus, readonly PluginStatus[]>> = {
  stopped: ["starting", "error"],
  starting: ["running", "stopping", "stopped", "error"],
  // To "starting": the cell ended while one that takes its place was on its way.
  running: ["starting", "stopping", "stopped", "error"],
  stopping: ["stopped", "error"],
  error: ["starting", "stopped"],
};

/** Answers `to` when a plugin may go there from `from`; throws INTERNAL otherwise. */
export function nextStatus(from: PluginStatus, to: PluginStatus): PluginStatus {
  if (!transitions[from].includes(to)) {
    throw new AppError("INTERNAL", `A plugin cannot go from "${from}" to "${to}"`);
  }
  return to;
}
