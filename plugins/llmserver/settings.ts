// The plugin's settings, as plugin.json declares them with their defaults, and the types of ctx with them.

import type { CallContext, PluginContext } from "@bkg/plugin";
import type { LlmServer } from "./llm_server.ts";

// A type, not an interface: ctx wants settings to be a plain record.
export type Settings = {
  backend: "auto" | "wasm" | "webgpu" | "native";
  threads: number;
  parallel: number;
  contextLength: number;
  maxLoaded: number;
  maxEncoders: number;
  keepAliveMs: number;
  pinned: string[];
  overflow: "error" | "truncate-middle";
  maxTokens: number;
  temperature: number;
  topP: number;
  topK: number;
  minP: number;
  repeatPenalty: number;
};

export type Context = PluginContext<Settings>;
export type Call = CallContext<LlmServer, Settings>;
export type LoadedModel = Awaited<ReturnType<Context["engines"]["wllama"]["load"]>>;
export type GenerateOptions = Parameters<LoadedModel["complete"]>[1];
type Stream = ReturnType<LoadedModel["complete"]>;
export type Completion = Stream extends AsyncGenerator<unknown, infer Result> ? Result : never;
export type Piece = Stream extends AsyncGenerator<infer Item> ? Item : never;
export type TokenLogprob = NonNullable<Piece["logprobs"]>[number];
export type TextEncoderModel = Awaited<ReturnType<Context["engines"]["transformers"]["load"]>>;
