// The plugin's settings, as plugin.json declares them with their defaults, and the types of ctx with them.

import type { CallContext, PluginContext } from "@bkg/plugin";
import type { Answering } from "./answer.ts";

// A type, not an interface: ctx wants settings to be a plain record.
export type Settings = {
  backend: "wasm" | "webgpu";
  threads: number;
  parallel: number;
  contextLength: number;
  maxLoaded: number;
  keepAliveMs: number;
  maxTokens: number;
  temperature: number;
  topP: number;
  topK: number;
  minP: number;
  repeatPenalty: number;
};

export type Context = PluginContext<Settings>;
export type Call = CallContext<Answering, Settings>;
export type LoadedModel = Awaited<ReturnType<Context["engines"]["wllama"]["load"]>>;
export type GenerateOptions = Parameters<LoadedModel["complete"]>[1];
