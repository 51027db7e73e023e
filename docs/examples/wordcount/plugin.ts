import { definePlugin } from "@bkg/plugin";

export default definePlugin({
  capabilities: {
    "text.count": (input: { text: string }) => ({
      words: input.text.split(/\s+/).filter((word) => word !== "").length,
    }),
  },
});
