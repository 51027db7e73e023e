// The guest: answers the host's calls with the plugin's handlers. The boot starts it, once per Worker.

import type { Channel, IncomingCall } from "../channel/channel.ts";
import { AppError, toAppError } from "../contract/error.ts";
import { contractVersion } from "../contract/message.ts";
import type { CallContext, CallPluginContext } from "./context.ts";
import type { PluginDefinition } from "./define_plugin.ts";
import { createAuthService, createContext, type GuestEngines } from "./create_context.ts";

/** What the host sends with "init". */
export interface InitInput {
  contract: string;
  pluginId: string;
  settings: Record<string, unknown>;
  limits: { memoryMb: number };
  /** The ids that the manifest declares; each needs a handler. */
  capabilities: string[];
}

export interface GuestDeps {
  /** Calls to the host; known once the channel is made. */
  channel(): Channel;
  /** Runs the plugin's module and answers its default export. */
  loadDefinition(): Promise<unknown>;
  engines: GuestEngines;
}

/** Makes the handler of the host's calls: init, health, teardown, and one method per capability. */
export function createGuest(
  deps: GuestDeps,
): (method: string, input: unknown, call: IncomingCall) => unknown {
  let plugin: RunningPlugin | undefined;
  return (method, input, call) => {
    if (method === "init") {
      return initialize(deps, input as InitInput).then((running) => {
        plugin = running;
        return { contract: contractVersion, capabilities: [...running.handlers.keys()] };
      });
    }
    if (plugin === undefined) throw new AppError("UNAVAILABLE", "The plugin is not initialized");
    if (method === "health") {
      return plugin.definition.health?.({ state: plugin.state, ctx: plugin.ctx }) ?? null;
    }
    if (method === "teardown") {
      return Promise.resolve(plugin.definition.teardown?.(plugin.state)).then(() => null);
    }
    const handler = plugin.handlers.get(method);
    if (handler === undefined) throw new AppError("NOT_FOUND", `No capability "${method}"`);
    const request = input as CallInput;
    return handler(request.input, new HandlerCall(plugin, request, call));
  };
}

type AnyDefinition = PluginDefinition<unknown, Record<string, unknown>>;

interface RunningPlugin {
  definition: AnyDefinition;
  handlers: Map<string, AnyDefinition["capabilities"][string]>;
  ctx: CallPluginContext;
  channel: Channel;
  state: unknown;
}

/** What the host sends with a call. */
interface CallInput {
  input: never;
  principal: string;
  /** Its number, for a plugin with the service "auth". */
  call?: number;
}

async function initialize(deps: GuestDeps, init: InitInput): Promise<RunningPlugin> {
  const definition = await deps.loadDefinition();
  if (!isDefinition(definition)) {
    throw new AppError(
      "INVALID_MANIFEST",
      "The plugin's default export is not what definePlugin returns",
    );
  }
  const handlers = new Map(Object.entries(definition.capabilities));
  const missing = init.capabilities.filter((id) => typeof handlers.get(id) !== "function");
  if (missing.length > 0) {
    throw new AppError(
      "INVALID_MANIFEST",
      `plugin.json declares "${missing.join('", "')}", which the plugin does not define`,
    );
  }
  const channel = deps.channel();
  const ctx = createContext({
    pluginId: init.pluginId,
    settings: init.settings,
    limits: init.limits,
    channel,
    engines: deps.engines,
  });
  try {
    return { definition, handlers, ctx, channel, state: await definition.setup?.(ctx) };
  } catch (error) {
    throw toAppError(error, "PLUGIN_ERROR");
  }
}

function isDefinition(value: unknown): value is AnyDefinition {
  return typeof value === "object" && value !== null && "capabilities" in value &&
    typeof value.capabilities === "object" && value.capabilities !== null;
}

class HandlerCall implements CallContext {
  readonly #plugin: RunningPlugin;
  readonly #call: IncomingCall;
  readonly #number: number | undefined;
  readonly principal: string;

  constructor(plugin: RunningPlugin, { principal, call: number }: CallInput, call: IncomingCall) {
    this.#plugin = plugin;
    this.#call = call;
    this.#number = number;
    this.principal = principal;
  }

  get state(): unknown {
    return this.#plugin.state;
  }

  get ctx(): CallPluginContext {
    const { ctx, channel } = this.#plugin;
    if (this.#number === undefined) return ctx;
    return { ...ctx, auth: createAuthService(channel, this.#number) };
  }

  get signal(): AbortSignal {
    return this.#call.signal;
  }

  // A bound function, so that handlers may destructure it.
  readonly alive = (): void => this.#call.alive();
}
