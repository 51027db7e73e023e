// The plugin's state: models of the host, and models that a caller made here (linear ones as they were given, quantised
// ones), which nobody else sees. Each has its queue and its figures.

import { PluginError, Residency } from "@bkg/plugin";
import type { OpenModel } from "@bkg/plugin";
import { Batches } from "./batches.ts";
import { createLinearModel, type LinearModel } from "./linear.ts";
import { compareModels, inventInputs } from "./quantize/compare.ts";
import { quantizeDynamically } from "./quantize/dynamic_int8.ts";
import { openBytes, readGraph } from "./quantize/graph_file.ts";
import type { Call, Context, RunnableModel, TensorInfo } from "./settings.ts";
import { watchForSharedScale } from "./shared_scale.ts";
import { readTensor, type TensorOutput, writeTensor } from "./tensor_json.ts";
import { warmUp } from "./warm_up.ts";

export interface LoadInput {
  model: string;
  linear?: LinearModel;
  warmUp?: boolean;
}

export interface RunInput {
  model: string;
  inputs: Record<string, unknown>;
  outputs?: string[];
  encoding?: "json" | "base64";
}

export interface QuantizeInput {
  model: string;
  /** Id of the new model. */
  as: string;
  /** To compare the two on; invented when absent. */
  inputs?: Record<string, unknown>;
  rounds?: number;
  return?: "bytes";
}

export interface Description {
  model: string;
  kind: "onnx" | "linear";
  inputs: readonly TensorInfo[];
  outputs: readonly TensorInfo[];
  backend: string;
  threads: number;
  loadMs: number;
  /** Of a first run on zeros; null where it was not asked for or could not be made. */
  warmUpMs: number | null;
}

export interface RunResult {
  model: string;
  outputs: Record<string, TensorOutput>;
  /** `batch`: calls that ran together; `runMs` is of all of them. */
  timings: { queueMs: number; runMs: number; batch: number };
  backend: string;
  threads: number;
}

export class Candle {
  readonly #ctx: Context;
  readonly #onnx: Residency<LoadedModel>;
  /** By who made it and its id: nobody sees or replaces another's. */
  readonly #own = new Map<string, LoadedModel>();

  constructor(ctx: Context) {
    this.#ctx = ctx;
    const { maxLoaded, keepAliveMs } = ctx.settings;
    this.#onnx = new Residency({
      ctx,
      maxLoaded,
      keepAliveMs,
      require: requireOnnx,
      load: (opened, progress) => this.#loadOnnx(opened, progress),
      changed: () => this.#count(),
    });
  }

  async load({ model, linear, warmUp: wanted }: LoadInput, call: Call): Promise<Description> {
    if (linear !== undefined) {
      await this.#addOwn(call, model, () => Promise.resolve(createLinearModel(linear)));
    }
    return await this.#with(model, call, async (loaded, id) => {
      const { kind, inputs, outputs, backend, threads, loadMs } = loaded.runnable;
      const warmUpMs = wanted === false ? null : await warmUp(loaded.runnable, call.signal);
      return { model: id, kind, inputs, outputs, backend, threads, loadMs, warmUpMs };
    });
  }

  async run(input: RunInput, call: Call): Promise<RunResult> {
    return await this.#with(input.model, call, async (loaded, id) => {
      const { runnable, batches, figures } = loaded;
      const wanted = readOutputs(input.outputs, runnable);
      const tensors = readInputs(input.inputs, runnable);
      const { outputs, ...timings } = await batches.run(tensors, call.signal);
      figures.runs++;
      figures.runMs += timings.runMs / timings.batch;
      figures.largestBatch = Math.max(figures.largestBatch, timings.batch);
      this.#ctx.metric("runs", ++this.#runs);
      const { backend, threads } = runnable;
      const encoding = input.encoding ?? "json";
      return {
        model: id,
        outputs: Object.fromEntries(
          wanted.flatMap((name) => {
            const tensor = outputs[name];
            return tensor === undefined ? [] : [[name, writeTensor(tensor, encoding)]];
          }),
        ),
        timings,
        backend,
        threads,
      };
    });
  }

  async unload(model: string, call: Call): Promise<{ model: string; unloaded: boolean }> {
    if (await this.#removeOwn(keyOf(call, model))) return { model, unloaded: true };
    return { model, unloaded: await this.#onnx.unload(model) };
  }

  /** Makes an int8 model of a float32 one, which stays here as the caller's own, and compares the two. */
  async quantize(input: QuantizeInput, call: Call) {
    const { model, as, rounds = 5 } = input;
    const { signal } = call;
    if (this.#own.has(keyOf(call, model))) {
      throw new PluginError("INVALID_INPUT", `"${model}" was made here: name a model of the host`, {
        details: { field: "model" },
      });
    }
    return await this.#with(model, call, async (before, id) => {
      const file = await readGraph(this.#ctx, id, signal);
      const { bytes, quantized, left } = quantizeDynamically(file);
      if (input.return === "bytes" && bytes.length > maxReturnedBytes) {
        throw new PluginError(
          "INVALID_INPUT",
          `The new model has ${bytes.length} bytes, and at most ${maxReturnedBytes} can be returned`,
          { details: { field: "return" } },
        );
      }
      const inputs = input.inputs === undefined
        ? await inventInputs(before.runnable, signal)
        : readInputs(input.inputs, before.runnable);
      const made = await this.#loadOnnx(openBytes(as, bytes), () => call.alive(), signal);
      try {
        const comparison = await compareModels(before.runnable, made.runnable, {
          ...{ inputs, rounds, signal },
        });
        await this.#addOwn(call, as, () => Promise.resolve(made.runnable));
        return {
          ...{ model: as, from: id, sizeBefore: file.length, sizeAfter: bytes.length },
          ...{ quantized: quantized.slice(0, maxListed), left: left.slice(0, maxListed) },
          ...comparison,
          ...(input.return === "bytes" ? { bytes: bytes.toBase64() } : {}),
        };
      } catch (error) {
        await made.unload();
        throw error;
      }
    });
  }

  /** Of the host's models, and of the caller's own. */
  stats({ principal }: Pick<Call, "principal">) {
    const describe = (id: string, { runnable, batches, figures }: LoadedModel) => ({
      model: id,
      kind: runnable.kind,
      backend: runnable.backend,
      threads: runnable.threads,
      waiting: batches.waiting,
      runs: figures.runs,
      meanRunMs: figures.runs === 0 ? 0 : figures.runMs / figures.runs,
      largestBatch: figures.largestBatch,
    });
    return {
      models: [
        ...this.#onnx.list().map(({ id, model }) => describe(id, model)),
        ...[...this.#own].filter(([key]) => key.startsWith(`${principal}\0`))
          .map(([key, model]) => describe(key.slice(principal.length + 1), model)),
      ],
      runs: this.#runs,
    };
  }

  get modelsLoaded(): number {
    return this.#onnx.size + this.#own.size;
  }

  async close(): Promise<void> {
    await Promise.all([...this.#own.keys()].map((key) => this.#removeOwn(key)));
    await this.#onnx.close();
  }

  #runs = 0;

  async #with<Result>(
    id: string,
    call: Call,
    work: (loaded: LoadedModel, id: string) => Promise<Result>,
  ): Promise<Result> {
    // A run may be long, and is silent.
    const beat = setInterval(() => call.alive(), 5000);
    try {
      const own = this.#own.get(keyOf(call, id));
      if (own !== undefined) return await this.#useOwn(keyOf(call, id), () => work(own, id));
      const { signal } = call;
      const lease = await this.#onnx.acquire(id, { signal, alive: () => call.alive() });
      try {
        return await work(lease.model, lease.id);
      } finally {
        lease.release();
      }
    } finally {
      clearInterval(beat);
    }
  }

  /** One that has died cannot be loaded anew: what it was made of is not kept. */
  async #useOwn<Result>(key: string, work: () => Promise<Result>): Promise<Result> {
    try {
      return await work();
    } finally {
      if (this.#own.get(key)?.isBroken) await this.#removeOwn(key);
    }
  }

  async #addOwn(call: Call, id: string, make: () => Promise<RunnableModel>): Promise<void> {
    const key = keyOf(call, id);
    const runnable = await make();
    const { kind } = runnable;
    const limit = kind === "linear" ? maxLinear : this.#ctx.settings.maxLoaded;
    const others = [...this.#own].filter(([other, model]) =>
      other !== key && model.runnable.kind === kind
    );
    if (others.length >= limit) {
      const what = kind === "linear" ? "linear" : "quantised";
      throw new PluginError("CONFLICT", `At most ${limit} ${what} models may be loaded`, {
        details: { limit },
      });
    }
    await this.#removeOwn(key);
    this.#own.set(key, this.#wrap(runnable));
    this.#count();
  }

  async #removeOwn(key: string): Promise<boolean> {
    const own = this.#own.get(key);
    if (own === undefined) return false;
    this.#own.delete(key);
    this.#count();
    await own.unload();
    return true;
  }

  async #loadOnnx(
    opened: OpenModel,
    progress: () => void,
    signal?: AbortSignal,
  ): Promise<LoadedModel> {
    const { backend, threads } = this.#ctx.settings;
    const watched = watchForSharedScale(opened);
    const model = await this.#ctx.engines.onnx.load(watched.model, {
      ...{ backend, threads, progress },
      ...(signal === undefined ? {} : { signal }),
    });
    const info = model.info();
    this.#ctx.log.info("model loaded", { id: opened.id, backend: info.backend, ms: info.loadMs });
    return this.#wrap({
      ...{ kind: "onnx", backend: info.backend, threads: info.threads, loadMs: info.loadMs },
      ...{ inputs: info.inputs, outputs: info.outputs, isBatchable: !watched.isFound() },
      get isBroken() {
        return model.isBroken;
      },
      run: (inputs, options) => model.run(inputs, options),
      unload: () => model.unload(),
    });
  }

  #wrap(runnable: RunnableModel): LoadedModel {
    return {
      runnable,
      batches: new Batches(runnable, { maxRows: this.#ctx.settings.maxBatch }),
      figures: { runs: 0, runMs: 0, largestBatch: 0 },
      get isBroken() {
        return runnable.isBroken;
      },
      unload: () => runnable.unload(),
    };
  }

  #count(): void {
    this.#ctx.metric("models_loaded", this.modelsLoaded);
  }
}

interface LoadedModel {
  runnable: RunnableModel;
  batches: Batches;
  figures: { runs: number; runMs: number; largestBatch: number };
  readonly isBroken: boolean;
  unload(): Promise<void>;
}

function keyOf({ principal }: Call, id: string): string {
  return `${principal}\0${id}`;
}

function requireOnnx({ id, format }: OpenModel): void {
  if (format === "onnx") return;
  throw new PluginError(
    "INVALID_INPUT",
    `"${id}" is a model in the format "${format}": this plugin runs ONNX and linear models`,
    { details: { field: "model" } },
  );
}

function readInputs(given: Record<string, unknown>, { inputs }: RunnableModel) {
  const unknown = Object.keys(given).find((name) => !inputs.some((info) => info.name === name));
  if (unknown !== undefined) {
    const names = inputs.slice(0, 20).map(({ name }) => `"${name}"`).join(", ");
    throw new PluginError(
      "INVALID_INPUT",
      `The input "${unknown.slice(0, 200)}" is none of the model's: ${names}`,
      { details: { input: unknown.slice(0, 200) } },
    );
  }
  return Object.fromEntries(
    inputs.flatMap((info) =>
      // What is missing is told by the engine, with what it should be.
      given[info.name] === undefined ? [] : [[info.name, readTensor(given[info.name], info)]]
    ),
  );
}

function readOutputs(wanted: string[] | undefined, { outputs }: RunnableModel): string[] {
  const known = outputs.map(({ name }) => name);
  const unknown = wanted?.find((name) => !known.includes(name));
  if (unknown === undefined) return wanted ?? known;
  const names = known.slice(0, 20).map((name) => `"${name}"`).join(", ");
  throw new PluginError(
    "INVALID_INPUT",
    `"${unknown.slice(0, 200)}" is none of the model's outputs: ${names}`,
    { details: { field: "outputs" } },
  );
}

const maxLinear = 100;
const maxReturnedBytes = 64 * 1024 * 1024;
const maxListed = 1000;
