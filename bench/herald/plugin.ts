import { definePlugin, type PluginContext } from "@bkg/plugin";

export default definePlugin({
  setup: (ctx: PluginContext) => ({ log: ctx.log }),
  capabilities: {
    "bench.herald"(input: string, { state }) {
      state.log.info(input);
      return null;
    },
  },
});
