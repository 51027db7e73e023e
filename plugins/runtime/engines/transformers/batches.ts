// Rows of calls that wait are run together, by length, up to a budget of tokens. Calls take turns in choosing around
// which row a batch is made, so that a single question does not wait for a whole book. While one batch is unpacked,
// the next one already runs.

import { AppError } from "../../contract/error.ts";
import type { Encoded } from "./encode.ts";
import type { CallOptions } from "./interface.ts";

/** Runs rows together; answers one result a row. `unpack` is called while the next batch runs. */
export type RunRows<Result> = (
  rows: readonly Encoded[],
) => Promise<{ unpack(): Result[] }>;

interface Waiting<Result> {
  row: Encoded;
  /** Its place in its call. */
  index: number;
  call: Call<Result>;
}

interface Call<Result> {
  options: CallOptions;
  results: Result[];
  waiting: number;
  /** Of its rows in the queue. */
  queued: number;
  done: PromiseWithResolvers<Result[]>;
  left: boolean;
}

export class Batches<Result> {
  readonly #run: RunRows<Result>;
  readonly #maxTokens: number;
  /** By length. */
  #queue: Waiting<Result>[] = [];
  /** Those with rows in the queue, whose turn it is first. */
  #calls: Call<Result>[] = [];
  #draining = false;

  constructor(run: RunRows<Result>, { maxTokens }: { maxTokens: number }) {
    this.#run = run;
    this.#maxTokens = maxTokens;
  }

  /** One result a row; CANCELLED at once when the signal fires. */
  async run(rows: readonly Encoded[], options: CallOptions = {}): Promise<Result[]> {
    const { signal } = options;
    if (signal?.aborted) throw cancelled();
    if (rows.length === 0) return [];
    const call: Call<Result> = {
      options,
      results: [],
      waiting: rows.length,
      queued: rows.length,
      done: Promise.withResolvers(),
      left: false,
    };
    this.#calls.push(call);
    this.#queue.push(...rows.map((row, index) => ({ row, index, call })));
    this.#queue.sort((a, b) => a.row.ids.length - b.row.ids.length);
    const leave = () => this.#leave(call, cancelled());
    signal?.addEventListener("abort", leave, { once: true });
    if (!this.#draining) void this.#drain();
    try {
      return await call.done.promise;
    } finally {
      signal?.removeEventListener("abort", leave);
    }
  }

  /** Rejects all that wait. */
  close(reason: AppError): void {
    for (const { call } of [...this.#queue]) this.#leave(call, reason);
  }

  async #drain(): Promise<void> {
    this.#draining = true;
    // Whoever asks in this same turn comes along.
    await Promise.resolve();
    let batch = this.#take();
    let running = this.#start(batch);
    while (batch.length > 0) {
      const outcome = await running;
      const done = batch;
      batch = this.#take();
      running = this.#start(batch);
      this.#deliver(done, outcome);
      // Those who were just answered may ask again.
      if (batch.length === 0) {
        await Promise.resolve();
        batch = this.#take();
        running = this.#start(batch);
      }
    }
    this.#draining = false;
  }

  async #start(batch: readonly Waiting<Result>[]): Promise<Outcome<Result>> {
    if (batch.length === 0) return { kind: "failed", error: undefined };
    try {
      return { kind: "ran", ...await this.#run(batch.map(({ row }) => row)) };
    } catch (error) {
      return { kind: "failed", error };
    }
  }

  /** Around the longest row of the call whose turn it is: what is nearest in length, while little is padding. */
  #take(): Waiting<Result>[] {
    const queue = this.#queue;
    const call = this.#calls.shift();
    if (call === undefined) return [];
    const anchor = queue.findLastIndex((row) => row.call === call);
    let [from, to] = [anchor, anchor + 1];
    let [real, longest] = [queue[anchor]!.row.ids.length, queue[anchor]!.row.ids.length];
    while (from > 0 || to < queue.length) {
      const below = queue[from - 1]?.row.ids.length;
      const above = queue[to]?.row.ids.length;
      const isBelow = above === undefined ||
        below !== undefined && longest - below <= above - longest;
      const length = (isBelow ? below : above)!;
      const wide = Math.max(longest, length);
      const padded = wide * (to - from + 1);
      const isWaste = padded > alwaysTokens && real + length < (1 - maxPadding) * padded;
      if (padded > this.#maxTokens || isWaste) break;
      if (isBelow) from--;
      else to++;
      real += length;
      longest = wide;
    }
    const taken = queue.splice(from, to - from);
    for (const row of taken) row.call.queued--;
    if (call.queued > 0) this.#calls.push(call);
    if (taken.length > 1) this.#calls = this.#calls.filter(({ queued }) => queued > 0);
    return taken;
  }

  #deliver(batch: readonly Waiting<Result>[], outcome: Outcome<Result>): void {
    let results: Result[];
    try {
      if (outcome.kind === "failed") throw outcome.error;
      results = outcome.unpack();
    } catch (error) {
      // What is left of these calls is in vain.
      for (const { call } of batch) this.#leave(call, error);
      return;
    }
    batch.forEach(({ call, index }, row) => {
      call.results[index] = results[row]!;
      if (--call.waiting === 0) call.done.resolve(call.results);
    });
    for (const { options } of new Set(batch.map(({ call }) => call))) options.progress?.();
  }

  #leave(call: Call<Result>, reason: unknown): void {
    if (call.left) return;
    call.left = true;
    this.#queue = this.#queue.filter((row) => row.call !== call);
    this.#calls = this.#calls.filter((other) => other !== call);
    call.done.reject(reason);
  }
}

type Outcome<Result> =
  | { kind: "ran"; unpack(): Result[] }
  | { kind: "failed"; error: unknown };

function cancelled(): AppError {
  return new AppError("CANCELLED", "The call was cancelled");
}

/** Of a batch's tokens. */
const maxPadding = 0.25;
/** A batch of so few tokens costs little more than one of fewer. */
const alwaysTokens = 256;
