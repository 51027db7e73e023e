// One answer from the call to its last piece. It never throws: what became of it is its last state.

import { toAppError } from "../../plugins/runtime/contract/error.ts";
import type { AnswerFacts, ChatMessage } from "./chat.ts";
import { type ChatInput, readDelta, readFacts } from "./chat_prompt.ts";

/** Calls `llm.chat` wherever its plugin runs. */
export type StreamChat = (
  input: ChatInput,
  options: { signal: AbortSignal },
) => AsyncGenerator<unknown, unknown>;

export interface RunAnswerOptions {
  /** The answer, still empty. */
  message: ChatMessage & { facts: AnswerFacts };
  input: ChatInput;
  stream: StreamChat;
  /** Ends it at once, whenever the plugin notices. */
  signal: AbortSignal;
  /** Each new state while it runs. */
  show: (message: ChatMessage) => void;
}

/** The answer as it ended; its text is what had come until then. */
export async function runAnswer(options: RunAnswerOptions): Promise<ChatMessage> {
  const { input, stream, signal, show } = options;
  let message: ChatMessage & { facts: AnswerFacts } = options.message;
  const startedMs = performance.now();
  const aborted = Promise.withResolvers<never>();
  aborted.promise.catch(() => {});
  const abort = () => aborted.reject(signal.reason);
  signal.addEventListener("abort", abort, { once: true });
  let pieces: AsyncGenerator<unknown, unknown> | undefined;
  try {
    signal.throwIfAborted();
    pieces = stream(input, { signal });
    for (;;) {
      const step = await Promise.race([pieces.next(), aborted.promise]);
      if (step.done) {
        return { ...message, state: "done", facts: { ...message.facts, ...readFacts(step.value) } };
      }
      const delta = readDelta(step.value);
      // It tells a place in the line: no token yet.
      if (delta === "") continue;
      const text = message.text + delta;
      const firstTokenMs = message.facts.firstTokenMs ?? performance.now() - startedMs;
      message = { ...message, text, facts: { ...message.facts, firstTokenMs } };
      show(message);
    }
  } catch (error) {
    // Nobody reads on; the generator may take its time to hear of it.
    pieces?.return(undefined).catch(() => {});
    if (signal.aborted) return { ...message, state: "stopped" };
    return { ...message, state: "interrupted", error: toAppError(error).toWire() };
  } finally {
    signal.removeEventListener("abort", abort);
  }
}
