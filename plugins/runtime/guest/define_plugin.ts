// definePlugin: the whole surface of a plugin. It only types and marks; the boot runs the result.

import type { CallContext, PluginContext } from "./context.ts";

/** A handler: a value, or a generator whose yields are the stream and whose return is the result. */
export type Handler<State, Settings, Input = never> = (
  input: Input,
  call: CallContext<State, Settings>,
) => unknown | Promise<unknown> | AsyncIterable<unknown>;

export interface PluginDefinition<State = unknown, Settings = Record<string, unknown>> {
  /** Runs once, before the first call; what it returns is `call.state`. */
  setup?(ctx: PluginContext<Settings>): State | Promise<State>;
  capabilities: Record<string, Handler<State, Settings>>;
  /** Answers the manifest's healthcheck; throwing means unhealthy. */
  health?(call: { state: State; ctx: PluginContext<Settings> }): unknown | Promise<unknown>;
  /** Runs before a stop; the cell ends whether or not it returns in time. */
  teardown?(state: State): void | Promise<void>;
}

/** Declares a plugin; the default export of plugin.ts. */
export function definePlugin<State = undefined, Settings = Record<string, unknown>>(
  definition: PluginDefinition<State, Settings>,
): PluginDefinition<State, Settings> {
  return definition;
}
