// "@bkg/plugin": all that a plugin imports.

export { AppError as PluginError } from "../contract/error.ts";
export type { ErrorCode } from "../contract/error.ts";
export { checkGrammar } from "../contract/gbnf_walk.ts";
export { definePlugin } from "./define_plugin.ts";
export type { Handler, PluginDefinition } from "./define_plugin.ts";
export { MemoryBudget } from "./memory_budget.ts";
export { Residency } from "./residency.ts";
export type { Lease, ResidencyOptions, Resident, ResidentModel } from "./residency.ts";
export type { CallContext, CallPluginContext, Logger, PluginContext } from "./context.ts";
export type {
  AuthService,
  KeySummary,
  KeyValidity,
  NewKeyInput,
  SessionTokens,
} from "../contract/auth_service.ts";
export type { ModelFile, OpenModel } from "../engines/engine.ts";
export { tensorArrays } from "../contract/tensor.ts";
export type { ModelSummary } from "../contract/model_summary.ts";
export { checkInputs as checkTensors } from "../engines/onnx/tensor.ts";
