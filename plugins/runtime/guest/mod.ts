// "@bkg/plugin": all that a plugin imports.

export { AppError as PluginError } from "../contract/error.ts";
export type { ErrorCode } from "../contract/error.ts";
export { definePlugin } from "./define_plugin.ts";
export type { Handler, PluginDefinition } from "./define_plugin.ts";
export type { CallContext, Logger, PluginContext } from "./context.ts";
export type { ModelFile, OpenModel } from "../engines/engine.ts";
export type { ModelSummary } from "../contract/model_summary.ts";
