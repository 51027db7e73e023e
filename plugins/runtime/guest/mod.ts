// "@bkg/plugin": all that a plugin imports.

export { AppError as PluginError } from "../contract/error.ts";
export type { ErrorCode } from "../contract/error.ts";
export { definePlugin } from "./define_plugin.ts";
export type { Handler, PluginDefinition } from "./define_plugin.ts";
export { Residency } from "./residency.ts";
export type { Lease, ResidencyOptions, ResidentModel } from "./residency.ts";
export type { CallContext, CallPluginContext, Logger, PluginContext } from "./context.ts";
export type {
  AuthService,
  KeySummary,
  KeyValidity,
  NewKeyInput,
  SessionTokens,
} from "../contract/auth_service.ts";
export type { ModelFile, OpenModel } from "../engines/engine.ts";
export { tensorArrays } from "../engines/onnx/tensor_arrays.ts";
export type { ModelSummary } from "../contract/model_summary.ts";
