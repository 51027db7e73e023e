// candle: any ONNX model, and linear models, behind named tensors.

import { definePlugin } from "@bkg/plugin";
import {
  Candle,
  type LoadInput,
  type ModelInput,
  type QuantizeInput,
  type RunInput,
} from "./candle.ts";
import type { Call, Settings } from "./settings.ts";

export default definePlugin<Candle, Settings>({
  setup: (ctx) => new Candle(ctx),
  capabilities: {
    "candle.model.load": (input: LoadInput, call: Call) => call.state.load(input, call),
    "candle.model.run": (input: RunInput, call: Call) => call.state.run(input, call),
    "candle.model.unload": (input: ModelInput, call: Call) => call.state.unload(input, call),
    "candle.quantize": (input: QuantizeInput, call: Call) => call.state.quantize(input, call),
    "candle.stats": (_input: Record<string, never>, call: Call) => call.state.stats(call),
  },
  health: ({ state }) => ({ modelsLoaded: state.modelsLoaded }),
  teardown: (state) => state.close(),
});
