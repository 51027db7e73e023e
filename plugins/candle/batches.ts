// Calls that wait for one model while it runs are run together: tensors joined along a common first axis, and the
// answers cut apart. Only where the model's shapes say that rows do not touch each other.

import type { RunnableModel, Tensor, TensorData, TensorInfo } from "./settings.ts";

export interface BatchedRun {
  outputs: Record<string, Tensor>;
  /** Of the whole batch, in the engine. */
  runMs: number;
  /** Calls that ran together. */
  batch: number;
  /** Until the batch began. */
  queueMs: number;
}

interface Waiting {
  inputs: Readonly<Record<string, Tensor>>;
  rows: number;
  /** Equal for what may run together. */
  key: string;
  signal: AbortSignal;
  since: number;
  done: PromiseWithResolvers<BatchedRun>;
}

export class Batches {
  readonly #model: RunnableModel;
  readonly #maxRows: number;
  readonly #batches: boolean;
  #queue: Waiting[] = [];
  #running = false;

  constructor(model: RunnableModel, { maxRows }: { maxRows: number }) {
    this.#model = model;
    this.#maxRows = maxRows;
    this.#batches = maxRows > 1 && model.isBatchable && hasCommonBatchAxis(model);
  }

  get waiting(): number {
    return this.#queue.length;
  }

  run(inputs: Readonly<Record<string, Tensor>>, signal: AbortSignal): Promise<BatchedRun> {
    const done = Promise.withResolvers<BatchedRun>();
    const rows = Object.values(inputs)[0]?.dims[0] ?? 1;
    this.#queue.push({ inputs, rows, key: keyOf(inputs), signal, since: performance.now(), done });
    if (!this.#running) void this.#drain();
    return done.promise;
  }

  async #drain(): Promise<void> {
    this.#running = true;
    // Whoever asks in this same turn comes along.
    await Promise.resolve();
    for (let calls = this.#take(); calls.length > 0; calls = this.#take()) {
      await this.#runTogether(calls);
    }
    this.#running = false;
  }

  /** The oldest call, and those that fit to it. */
  #take(): Waiting[] {
    for (const { signal, done } of this.#queue) if (signal.aborted) done.reject(signal.reason);
    this.#queue = this.#queue.filter(({ signal }) => !signal.aborted);
    const [first] = this.#queue;
    if (first === undefined) return [];
    let rows = 0;
    const taken = this.#batches
      ? this.#queue.filter((call) => {
        if (call !== first && (call.key !== first.key || rows + call.rows > this.#maxRows)) {
          return false;
        }
        rows += call.rows;
        return true;
      })
      : [first];
    this.#queue = this.#queue.filter((call) => !taken.includes(call));
    return taken;
  }

  async #runTogether(calls: readonly Waiting[]): Promise<void> {
    const started = performance.now();
    try {
      const [only] = calls;
      const { outputs, runMs } = await this.#model.run(
        calls.length === 1 ? only!.inputs : join(calls.map(({ inputs }) => inputs)),
      );
      const total = calls.reduce((sum, { rows }) => sum + rows, 0);
      const isOdd = Object.values(outputs).some(({ dims }) => dims[0] !== total);
      // Its shapes promised rows that it does not give: nobody can tell whose numbers these are.
      if (calls.length > 1 && isOdd) throw new Error("The outputs have other rows than the inputs");
      let row = 0;
      for (const { rows, since, done } of calls) {
        const own = calls.length === 1 ? outputs : cut(outputs, row, row + rows);
        row += rows;
        done.resolve({ outputs: own, runMs, batch: calls.length, queueMs: started - since });
      }
    } catch (error) {
      if (calls.length === 1) return calls[0]!.done.reject(error);
      // One call's values may be what the model refuses: each is tried alone.
      for (const call of calls) await this.#runTogether([call]);
    }
  }
}

/** Whether every input and output begins with one dynamic axis of the same name. */
function hasCommonBatchAxis({ inputs, outputs }: RunnableModel): boolean {
  const first = ({ shape }: TensorInfo) => shape[0];
  const name = inputs[0] === undefined ? undefined : first(inputs[0]);
  return typeof name === "string" && name !== "?" &&
    [...inputs, ...outputs].every((info) => first(info) === name && info.type !== "string");
}

function keyOf(inputs: Readonly<Record<string, Tensor>>): string {
  return Object.entries(inputs).map(([name, { dims }]) => `${name}:${dims.slice(1)}`).sort().join(
    ";",
  );
}

function join(all: readonly Readonly<Record<string, Tensor>>[]): Record<string, Tensor> {
  const joined: Record<string, Tensor> = {};
  for (const name of Object.keys(all[0] ?? {})) {
    const parts = all.flatMap((inputs) => inputs[name] ?? []);
    const rows = parts.reduce((sum, { dims }) => sum + (dims[0] ?? 0), 0);
    const [{ type, dims, data }] = parts as [Tensor];
    const whole = allocate(data, parts.reduce((sum, part) => sum + part.data.length, 0));
    let at = 0;
    for (const part of parts) {
      (whole as Float32Array).set(part.data as Float32Array, at);
      at += part.data.length;
    }
    joined[name] = { type, dims: [rows, ...dims.slice(1)], data: whole };
  }
  return joined;
}

function cut(outputs: Record<string, Tensor>, start: number, end: number): Record<string, Tensor> {
  return Object.fromEntries(
    Object.entries(outputs).map(([name, { type, dims, data }]) => {
      const width = dims.slice(1).reduce((product, size) => product * size, 1);
      const own = data.slice(start * width, end * width) as TensorData;
      return [name, { type, dims: [end - start, ...dims.slice(1)], data: own }];
    }),
  );
}

function allocate(like: TensorData, length: number): TensorData {
  const { constructor } = like as Float32Array;
  return new (constructor as Float32ArrayConstructor)(length);
}
