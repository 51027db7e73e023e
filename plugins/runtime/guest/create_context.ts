// Builds ctx over the channel to the host: every member is a call that the host's broker checks.

import type { Channel } from "../channel/channel.ts";
import type { ModelFile, OpenModel } from "../engines/engine.ts";
import type { AuthMethod, AuthService } from "../contract/auth_service.ts";
import type { ModelSummary } from "../contract/model_summary.ts";
import type { CallPluginContext, Logger, PluginContext } from "./context.ts";

/** The engines of the manifest, as the boot loaded them. */
export type GuestEngines = PluginContext["engines"] & {
  /** Reads `length` bytes at `offset` of a file that the host opened as `handle`. */
  readFile(handle: number, offset: number, length: number): Promise<ArrayBuffer>;
};

export function createContext(
  { pluginId, settings, limits, channel, engines }: {
    pluginId: string;
    settings: Record<string, unknown>;
    limits: PluginContext["limits"];
    channel: Channel;
    engines: GuestEngines;
  },
): CallPluginContext {
  return {
    pluginId,
    settings,
    limits,
    log: createLogger(channel),
    models: {
      list: () => channel.call("models.list", {}) as Promise<ModelSummary[]>,
      open: async (id) =>
        openModel(await channel.call("models.open", { id }) as OpenedModel, channel, engines),
    },
    engines,
    auth: createAuthService(channel, undefined),
    metric: (name, value) => channel.notify("metric", { name, value }),
  };
}

/** `call`: the host's number of the call that asks; without one it refuses. */
export function createAuthService(channel: Channel, call: number | undefined): AuthService {
  const ask = (method: AuthMethod) => (input: unknown) =>
    channel.call(`auth.${method}`, { call, input }) as Promise<never>;
  return {
    login: ask("login"),
    createKey: ask("createKey"),
    revokeKey: ask("revokeKey"),
    listKeys: ask("listKeys"),
    validate: ask("validate"),
  };
}

/** The host's answer to "models.open". */
interface OpenedModel extends ModelSummary {
  handle: number;
  files: { name: string; size: number; handle: number }[];
}

function openModel(
  { handle, files, ...summary }: OpenedModel,
  channel: Channel,
  engines: GuestEngines,
): OpenModel {
  return {
    ...summary,
    files: files.map((file) => createModelFile(file, engines)),
    close() {
      // The host may be gone by now; there is nothing left to close then.
      channel.call("models.close", { handle }).catch(() => {});
    },
  };
}

function createModelFile(
  { name, size, handle }: OpenedModel["files"][number],
  engines: GuestEngines,
): ModelFile {
  return {
    name,
    size,
    handle,
    slice(start, end) {
      const from = Math.min(Math.max(start, 0), size);
      const length = Math.max(Math.min(end, size) - from, 0);
      return { size: length, arrayBuffer: () => engines.readFile(handle, from, length) };
    },
  };
}

function createLogger(channel: Channel): Logger {
  const write = (level: string) => (message: string, fields?: Record<string, unknown>) =>
    channel.notify("log", { level, message, fields });
  return {
    debug: write("debug"),
    info: write("info"),
    warn: write("warn"),
    error: write("error"),
  };
}
