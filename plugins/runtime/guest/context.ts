// ctx: everything that a plugin can reach. The boot makes it; a plugin imports only its types.

import type { AuthService } from "../contract/auth_service.ts";
import type { ModelSummary } from "../contract/model_summary.ts";
import type { OpenModel } from "../engines/engine.ts";
import type { OnnxEngine } from "../engines/onnx/interface.ts";
import type { TransformersEngine } from "../engines/transformers/interface.ts";
import type { WllamaEngine } from "../engines/wllama/interface.ts";

export interface PluginContext<Settings = Record<string, unknown>> {
  readonly pluginId: string;
  /** The manifest's settings with defaults filled and the operator's values on top. */
  readonly settings: Settings;
  /** What the plugin may take, as its host holds it to. */
  readonly limits: { readonly memoryMb: number };
  readonly log: Logger;
  readonly models: {
    /** The models that this plugin was granted. */
    list(): Promise<ModelSummary[]>;
    /**
     * Opens a model for reading; throws GRANT_DENIED, NOT_FOUND or INVALID_MODEL. `id` of the answer is the
     * model's own, however it was spelled. Keep it open while the model is in use: nobody can remove it then.
     */
    open(id: string): Promise<OpenModel>;
  };
  readonly engines: {
    readonly wllama: WllamaEngine;
    readonly onnx: OnnxEngine;
    readonly transformers: TransformersEngine;
  };
  /** Sets the plugin's own metric, declared in the manifest's `metrics`. */
  metric(name: string, value: number): void;
}

export interface Logger {
  debug(message: string, fields?: Record<string, unknown>): void;
  info(message: string, fields?: Record<string, unknown>): void;
  warn(message: string, fields?: Record<string, unknown>): void;
  error(message: string, fields?: Record<string, unknown>): void;
}

/** ctx within a call. */
export interface CallPluginContext<Settings = Record<string, unknown>>
  extends PluginContext<Settings> {
  /** The server's accounts, as who calls may use them: with the service "auth", and until the call ends. */
  readonly auth: AuthService;
}

/** Given to each handler beside its input. */
export interface CallContext<State = unknown, Settings = Record<string, unknown>> {
  /** What `setup` returned. */
  readonly state: State;
  readonly ctx: CallPluginContext<Settings>;
  /** Fires when the caller left or the deadline passed; the slot is freed when the handler returns. */
  readonly signal: AbortSignal;
  /** Stable, opaque name of the caller: caches must not be shared across principals. */
  readonly principal: string;
  /** Says that work goes on, so that a long silent step is not taken for a hang. */
  alive(): void;
}
