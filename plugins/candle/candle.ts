// The plugin's state: models of the host, and models that a caller made here (linear ones as they were given, quantised
// ones), which nobody else sees. Each has its queue and its figures.

import { checkTensors, PluginError, Residency } from "@bkg/plugin";
import type { OpenModel } from "@bkg/plugin";
import { Batches } from "./batches.ts";
import { createLinearModel, type LinearModel } from "./linear.ts";
import { chooseFile, keyOfFile, openByFile, readFileKey, sizeOfFile } from "./model_file.ts";
import { compareModels, inventInputs } from "./quantize/compare.ts";
import { quantizeDynamically } from "./quantize/dynamic_int8.ts";
import { openBytes, readGraph } from "./quantize/graph_file.ts";
import type { Call, Context, RunnableModel, TensorInfo } from "./settings.ts";
import { watchForSharedScale } from "./shared_scale.ts";
import { readTensor, type TensorOutput, writeTensor } from "./tensor_json.ts";
import { warmUp } from "./warm_up.ts";

/** `file`: which of the model's ONNX files; needed where it brings several. */
export interface ModelInput {
  model: string;
  file?: string;
}

export interface LoadInput extends ModelInput {
  linear?: LinearModel;
  warmUp?: boolean;
}

export interface RunInput extends ModelInput {
  inputs: Record<string, unknown>;
  outputs?: string[];
  encoding?: "json" | "base64";
}

export interface QuantizeInput extends ModelInput {
  /** Id of the new model. */
  as: string;
  /** To compare the two on; invented when absent. */
  inputs?: Record<string, unknown>;
  rounds?: number;
  return?: "bytes";
}

export interface Description {
  model: string;
  file?: string;
  kind: "onnx" | "linear";
  inputs: readonly TensorInfo[];
  outputs: readonly TensorInfo[];
  backend: string;
  variant?: string;
  threads: number;
  /** About what it takes of memory. */
  bytes: number;
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
  variant?: string;
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
      ctx: { ...ctx, models: openByFile(ctx.models) },
      maxLoaded,
      keepAliveMs,
      // Opening them by their file looked at that.
      require: () => {},
      load: (opened, progress) => this.#loadOnnx(opened, { progress }),
      changed: () => this.#count(),
    });
  }

  async load(input: LoadInput, call: Call): Promise<Description> {
    const { model, linear, warmUp: wanted } = input;
    if (linear !== undefined) {
      await this.#addOwn(call, model, () => Promise.resolve(createLinearModel(linear)));
    }
    return await this.#with(input, call, async ({ runnable }, id) => {
      const warmUpMs = wanted === false ? null : await warmUp(runnable, call.signal);
      const { kind, inputs, outputs } = runnable;
      return { model: id, kind, inputs, outputs, ...placeOf(runnable), warmUpMs };
    });
  }

  async run(input: RunInput, call: Call): Promise<RunResult> {
    return await this.#with(input, call, async (loaded, id) => {
      const { runnable, batches, figures } = loaded;
      const wanted = readOutputs(input.outputs, runnable);
      const tensors = readInputs(input.inputs, runnable);
      const { outputs, ...timings } = await batches.run(tensors, call.signal);
      figures.runs++;
      figures.runMs += timings.runMs / timings.batch;
      figures.lastRunMs = timings.runMs;
      figures.largestBatch = Math.max(figures.largestBatch, timings.batch);
      this.#ctx.metric("runs", ++this.#runs);
      const { backend, variant, threads } = runnable;
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
        ...(variant === undefined ? {} : { variant }),
        threads,
      };
    });
  }

  async unload(
    { model, file }: ModelInput,
    call: Call,
  ): Promise<{ model: string; unloaded: boolean }> {
    if (await this.#removeOwn(keyOf(call, model))) return { model, unloaded: true };
    return { model, unloaded: await this.#onnx.unload(keyOfFile(model, file)) };
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
    return await this.#with(input, call, async ({ runnable }, id) => {
      const file = await readGraph(this.#ctx, { id, file: runnable.file, signal });
      const { bytes, quantized, left } = quantizeDynamically(file);
      if (input.return === "bytes" && bytes.length > maxReturnedBytes) {
        throw new PluginError(
          "INVALID_INPUT",
          `The new model has ${bytes.length} bytes, and at most ${maxReturnedBytes} can be returned`,
          { details: { field: "return" } },
        );
      }
      const inputs = input.inputs === undefined
        ? await inventInputs(runnable, signal)
        : readInputs(input.inputs, runnable);
      const load = (name: string, content: typeof bytes) =>
        this.#loadOnnx(openBytes(name, content), {
          ...{ progress: () => call.alive(), signal, isMade: true },
        });
      const made = await load(as, bytes);
      let exact: LoadedModel | undefined;
      try {
        // Both on one backend: native engines open nothing that was made here.
        exact = runnable.backend === "native" ? await load(id, file) : undefined;
        const before = exact?.runnable ?? runnable;
        const comparison = await compareModels(before, made.runnable, { inputs, rounds, signal });
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
      } finally {
        await exact?.unload();
      }
    });
  }

  /** Of the host's models, and of the caller's own. */
  stats({ principal }: Pick<Call, "principal">) {
    const describe = (model: string, { runnable, batches, figures }: LoadedModel) => ({
      model,
      ...{ kind: runnable.kind, inputs: runnable.inputs, outputs: runnable.outputs },
      ...placeOf(runnable),
      waiting: batches.waiting,
      runs: figures.runs,
      meanRunMs: figures.runs === 0 ? 0 : figures.runMs / figures.runs,
      lastRunMs: figures.lastRunMs,
      largestBatch: figures.largestBatch,
    });
    return {
      models: [
        ...this.#onnx.list().map(({ id, model }) => describe(readFileKey(id).model, model)),
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
    { model, file }: ModelInput,
    call: Call,
    work: (loaded: LoadedModel, id: string) => Promise<Result>,
  ): Promise<Result> {
    // A run may be long, and is silent.
    const beat = setInterval(() => call.alive(), 5000);
    try {
      const own = this.#own.get(keyOf(call, model));
      if (own !== undefined) return await this.#useOwn(keyOf(call, model), () => work(own, model));
      const lease = await this.#onnx.acquire(keyOfFile(model, file), {
        ...{ signal: call.signal, alive: () => call.alive() },
      });
      try {
        return await work(lease.model, readFileKey(lease.id).model);
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

  /** `isMade`: its bytes were made here. */
  async #loadOnnx(
    opened: OpenModel,
    { progress, signal, isMade = false }: {
      progress: () => void;
      signal?: AbortSignal;
      isMade?: boolean;
    },
  ): Promise<LoadedModel> {
    const { threads } = this.#ctx.settings;
    const { model: id, file: named } = readFileKey(opened.id);
    const file = chooseFile(opened, named);
    const watched = watchForSharedScale({ ...opened, id }, file);
    const wanted = this.#ctx.settings.backend;
    const backend = isMade && wanted !== "webgpu" ? "wasm" : wanted;
    const model = await this.#ctx.engines.onnx.load(watched.model, {
      ...{ file, backend, threads, progress },
      ...(signal === undefined ? {} : { signal }),
    });
    const info = model.info();
    this.#ctx.log.info("model loaded", { id, backend: info.backend, ms: info.loadMs });
    return this.#wrap({
      ...{ kind: "onnx", backend: info.backend, threads: info.threads, loadMs: info.loadMs },
      ...(isMade ? {} : { file }),
      ...(info.variant === undefined ? {} : { variant: info.variant }),
      bytes: sizeOfFile(opened, file),
      ...{ inputs: info.inputs, outputs: info.outputs, isBatchable: !await watched.isFound() },
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
      figures: { runs: 0, runMs: 0, lastRunMs: 0, largestBatch: 0 },
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
  figures: { runs: number; runMs: number; lastRunMs: number; largestBatch: number };
  readonly isBroken: boolean;
  unload(): Promise<void>;
}

function keyOf({ principal }: Call, id: string): string {
  return `${principal}\0${id}`;
}

/** Where it runs, and what of the host it takes. */
function placeOf({ file, backend, variant, threads, bytes, loadMs }: RunnableModel) {
  return {
    ...(file === undefined ? {} : { file }),
    backend,
    ...(variant === undefined ? {} : { variant }),
    ...{ threads, bytes, loadMs },
  };
}

/** Checked against what the model takes: linear ones have no engine that does, and calls that wait are joined. */
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
  const tensors = Object.fromEntries(
    inputs.flatMap((info) =>
      given[info.name] === undefined ? [] : [[info.name, readTensor(given[info.name], info)]]
    ),
  );
  checkTensors(tensors, inputs);
  return tensors;
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
