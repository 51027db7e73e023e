// The text of an answer as its tokens come: whole characters, nothing of a stop string, and each token's probabilities
// with the text that it makes.

import type { LlamaLogprob } from "../../../plugins/runtime/contract/native_llama.ts";
import { TokenTape } from "../../../plugins/runtime/engines/wllama/token_tape.ts";
import { StopStrings } from "../../../plugins/runtime/engines/wllama/stop_strings.ts";

export interface AnswerStep {
  text: string;
  logprobs: readonly LlamaLogprob[];
  stopped: boolean;
}

export class AnswerText {
  readonly #decoder = new TextDecoder("utf-8", { ignoreBOM: true });
  readonly #stops: StopStrings | undefined;
  readonly #tape = new TokenTape<LlamaLogprob>();
  /** Of tokens that make a part of a character. */
  #partial: LlamaLogprob[] = [];

  constructor(stop: readonly string[]) {
    this.#stops = stop.length > 0 ? new StopStrings(stop) : undefined;
  }

  push(bytes: Uint8Array, logprob: LlamaLogprob | undefined): AnswerStep {
    const whole = bytes.length === 0 ? "" : this.#decoder.decode(bytes, { stream: true });
    if (logprob !== undefined) this.#partial.push(logprob);
    this.#record(whole);
    const { text, stopped } = this.#stops?.push(whole) ?? { text: whole, stopped: false };
    return { text, logprobs: this.#tape.take(text.length), stopped };
  }

  /** The rest, when the answer ended without a stop string. */
  flush(): AnswerStep {
    const rest = this.#decoder.decode();
    this.#record(rest);
    const last = this.#stops?.push(rest) ?? { text: rest, stopped: false };
    const text = last.text + (last.stopped ? "" : this.#stops?.flush() ?? "");
    return { text, logprobs: this.#tape.take(text.length), stopped: last.stopped };
  }

  #record(text: string): void {
    if (text === "") return;
    this.#tape.add(text, this.#partial);
    this.#partial = [];
  }
}
