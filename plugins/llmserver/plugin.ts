// llmserver: chat and completion with GGUF models.

import { definePlugin } from "@bkg/plugin";
import { Answering } from "./answer.ts";
import { type Message, readMessages } from "./chat.ts";
import type { SamplingInput } from "./sampling.ts";
import type { Call, Settings } from "./settings.ts";

export default definePlugin<Answering, Settings>({
  setup: (ctx) => new Answering(ctx),
  capabilities: {
    "llm.chat": (input: { model: string; messages: Message[] } & SamplingInput, call: Call) =>
      call.state.answer({ ...input, messages: readMessages(input.messages) }, call),
    "llm.complete": (input: { model: string; prompt: string } & SamplingInput, call: Call) =>
      call.state.answer(input, call),
  },
  health: ({ state }) => state.health(),
  teardown: (state) => state.close(),
});
