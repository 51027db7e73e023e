// llmserver: chat and completion with GGUF models, vectors of texts and re-ranking with GGUF and ONNX ones.

import { definePlugin } from "@bkg/plugin";
import { type Message, readMessages } from "./chat.ts";
import type { EmbedInput } from "./embed.ts";
import { LlmServer } from "./llm_server.ts";
import type { RerankInput } from "./rerank.ts";
import type { SamplingInput } from "./sampling.ts";
import type { Call, Settings } from "./settings.ts";
import { type ResponseFormat, withGrammar } from "./structure/response_format.ts";

type Generation = SamplingInput & { model: string; responseFormat?: ResponseFormat };

export default definePlugin<LlmServer, Settings>({
  setup: (ctx) => new LlmServer(ctx),
  capabilities: {
    "llm.chat": (input: { messages: Message[] } & Generation, call: Call) =>
      call.state.answer({ ...withGrammar(input), messages: readMessages(input.messages) }, call),
    "llm.complete": (input: { prompt: string } & Generation, call: Call) =>
      call.state.answer(withGrammar(input), call),
    "llm.embed": (input: EmbedInput, call: Call) => call.state.embed(input, call),
    "llm.rerank": (input: RerankInput, call: Call) => call.state.rerank(input, call),
    "llm.models": (_input: Record<string, never>, call: Call) => call.state.list(),
  },
  health: ({ state }) => state.health(),
  teardown: (state) => state.close(),
});
