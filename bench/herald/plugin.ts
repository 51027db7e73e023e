import { type Context, definePlugin } from "@bkg/plugin";

export default definePlugin({
  setup: (ctx: Context) => ({ log: ctx.log }),
  capabilities: {
    "bench.herald"(input: string, { state }) {
      state.log.info(input);
      return null;
    },
  },
});
