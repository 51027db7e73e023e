import { definePlugin, type PluginContext } from "@bkg/plugin";

export default definePlugin({
  setup: (ctx: PluginContext) => ctx,
  capabilities: {
    "bench.herald"(_input: null, { state: { log } }) {
      // Finer than Date, and the same clock as the subscribers'.
      const emittedAtMs = Number(Temporal.Now.instant().epochNanoseconds / 1000n) / 1000;
      log.info(`emitted at ${emittedAtMs}`);
      return null;
    },
  },
});
