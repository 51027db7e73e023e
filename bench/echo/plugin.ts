import { definePlugin } from "@bkg/plugin";

export default definePlugin({
  capabilities: { "bench.echo": (input: { text: string; count: number }) => input },
});
