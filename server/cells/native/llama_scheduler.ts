// Runs the calls of one model together: each step decodes one batch, a token of every call that writes and the next
// tokens of the prompts that are read, and then chooses a token for each. A sequence keeps what it read for its owner.

import { AppError } from "../../../plugins/runtime/contract/error.ts";
import type { AddonContext } from "./llama_addon.ts";
import type { LlamaCall } from "./llama_call.ts";

/** Tokens of prompts that one step reads: what a cancelled call or another's next token waits for. */
export const promptStep = 256;

interface Sequence {
  readonly id: number;
  /** What the cache holds of it. */
  tokens: number[];
  /** The principal that they are of; no other's call starts from them. */
  owner: string | undefined;
  call: LlamaCall | undefined;
  /** When it was taken last; 0 when it is new. */
  turn: number;
}

export class LlamaScheduler {
  readonly #context: AddonContext;
  readonly #contextLength: number;
  readonly #sequences: readonly Sequence[];
  #waiting: LlamaCall[] = [];
  #running = Promise.resolve();
  #isRunning = false;
  #turn = 0;
  #closed: AppError | undefined;

  constructor(
    context: AddonContext,
    { parallel, contextLength }: { parallel: number; contextLength: number },
  ) {
    this.#context = context;
    this.#contextLength = contextLength;
    this.#sequences = Array.from(
      { length: parallel },
      (_, id) => ({ id, tokens: [], owner: undefined, call: undefined, turn: 0 }),
    );
  }

  /** Calls wait in order for a sequence. They fail with QUEUE_FULL, or UNAVAILABLE once the engine failed. */
  start(call: LlamaCall): void {
    if (this.#closed !== undefined) return call.fail(this.#closed);
    if (this.#waiting.length >= maxWaiting) {
      return call.fail(new AppError("QUEUE_FULL", `${maxWaiting} calls wait for the model`));
    }
    this.#waiting.push(call);
    if (!this.#isRunning) this.#running = this.#run();
  }

  /** Fails all calls; resolves when the engine is at rest. */
  async close(reason: AppError): Promise<void> {
    this.#closed ??= reason;
    await this.#running;
    this.#failAll();
  }

  async #run(): Promise<void> {
    this.#isRunning = true;
    while (this.#closed === undefined) {
      this.#letGo();
      this.#admit();
      if (this.#sequences.every(({ call }) => call === undefined)) break;
      try {
        await this.#step();
      } catch (cause) {
        const message = cause instanceof Error ? cause.message : String(cause);
        this.#closed ??= new AppError("UNAVAILABLE", `The engine failed: ${message}`, { cause });
      }
    }
    // In the turn of the last look: who starts in the next one is not overlooked.
    this.#isRunning = false;
    this.#failAll();
  }

  /** Frees the sequences of calls that are done or given up. */
  #letGo(): void {
    for (const sequence of this.#sequences) {
      if (sequence.call?.isCancelled) sequence.call.finish("cancelled");
      if (sequence.call?.isFinished) sequence.call = undefined;
    }
    this.#waiting = this.#waiting.filter((call) => {
      if (call.isCancelled) call.finish("cancelled");
      return !call.isFinished;
    });
  }

  #admit(): void {
    while (this.#waiting.length > 0) {
      const free = this.#sequences.filter(({ call }) => call === undefined);
      if (free.length === 0) return;
      const call = this.#waiting.shift()!;
      const sequence = choose(free, call);
      const kept = this.#keep(sequence, sharedLength(sequence, call));
      sequence.tokens.length = kept;
      sequence.owner = call.principal;
      sequence.call = call;
      sequence.turn = ++this.#turn;
      call.begin(kept);
    }
  }

  /** Forgets all but the first `count` tokens, or all where the model cannot forget a part; answers what is left. */
  #keep({ id, tokens }: Sequence, count: number): number {
    if (count === tokens.length) return count;
    // A window that slides on has lost what the beginning needs.
    const isWhole = count > 0 && this.#context.getSequenceKvCacheMinPosition(id) === 0;
    if (isWhole && this.#context.removeTokenCellsFromSequence(id, count, -1)) return count;
    this.#context.disposeSequence(id);
    return 0;
  }

  async #step(): Promise<void> {
    const parts = this.#planStep();
    this.#context.initBatch(parts.reduce((sum, { tokens }) => sum + tokens.length, 0));
    const indexes = parts.map(({ sequence, tokens, isLast }) =>
      this.#context.addToBatch(
        sequence.id,
        sequence.tokens.length,
        Uint32Array.from(tokens),
        isLast ? Uint32Array.of(tokens.length - 1) : new Uint32Array(),
      )[0]
    );
    const decoding = this.#context.decodeBatch();
    for (const { call } of parts) {
      call.tell();
      call.sampler.prepare();
    }
    await decoding;
    await Promise.all(parts.map(async ({ sequence, call, tokens, isLast }, at) => {
      const isPrompt = call.nextToken === undefined;
      for (const token of tokens) sequence.tokens.push(token);
      if (isPrompt) call.readUpTo(sequence.tokens.length);
      if (!isLast || call.isCancelled) return;
      if (!call.wantsTokens) return call.finish("length");
      try {
        const sampled = await call.sampler.sample(this.#context, indexes[at]!);
        call.accept(sampled, sequence.tokens.length >= this.#contextLength);
      } catch (cause) {
        const message = cause instanceof Error ? cause.message : String(cause);
        call.fail(new AppError("INTERNAL", `No token could be chosen: ${message}`, { cause }));
      }
    }));
  }

  /** What the next batch holds; prompts share what it has room for. */
  #planStep(): StepPart[] {
    const parts: StepPart[] = [];
    let room = promptStep;
    let readers = this.#sequences
      .filter(({ call }) => call !== undefined && call.nextToken === undefined).length;
    for (const sequence of this.#sequences) {
      const { call } = sequence;
      if (call === undefined) continue;
      if (call.nextToken !== undefined) {
        parts.push({ sequence, call, tokens: [call.nextToken], isLast: true });
        continue;
      }
      const from = sequence.tokens.length;
      const tokens = call.prompt.slice(from, from + Math.ceil(room / readers--));
      room -= tokens.length;
      const isLast = from + tokens.length === call.prompt.length;
      if (tokens.length > 0) parts.push({ sequence, call, tokens, isLast });
    }
    return parts;
  }

  #failAll(): void {
    if (this.#closed === undefined) return;
    for (const sequence of this.#sequences) {
      sequence.call?.fail(this.#closed);
      sequence.call = undefined;
    }
    for (const call of this.#waiting.splice(0)) call.fail(this.#closed);
  }
}

interface StepPart {
  sequence: Sequence;
  call: LlamaCall;
  tokens: readonly number[];
  /** Whether a token is to be chosen after them. */
  isLast: boolean;
}

/** Callers wait on their own side, one for each sequence is here; what is cancelled overlaps for a step. */
const maxWaiting = 64;

/** The one that holds most of the prompt, if that is half of it; else the one that was not used for longest. */
function choose(free: readonly Sequence[], call: LlamaCall): Sequence {
  const [first] = free;
  const best = free.reduce(
    (best, next) => sharedLength(next, call) > sharedLength(best, call) ? next : best,
    first!,
  );
  if (sharedLength(best, call) * 2 >= call.prompt.length) return best;
  return free.reduce((oldest, next) => next.turn < oldest.turn ? next : oldest, first!);
}

/** Tokens that its cache has in common with the prompt; the last of a prompt is always read. */
function sharedLength({ owner, tokens }: Sequence, { principal, prompt }: LlamaCall): number {
  if (owner !== principal) return 0;
  const most = Math.min(tokens.length, prompt.length - 1);
  let length = 0;
  while (length < most && tokens[length] === prompt[length]) length++;
  return length;
}
