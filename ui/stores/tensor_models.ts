// What candle's capabilities answer, read once: models in memory, what one takes and gives, a run's outputs, the report
// of a quantisation. It is a plugin's answer, so each field is looked at. Caller: the dashboard of tensors.

import { AppError } from "../../plugins/runtime/contract/error.ts";
import { amountsOf, fieldsOf, isAmount, textOf } from "./answer_fields.ts";

export interface TensorInfo {
  name: string;
  /** "float32" */
  type: string;
  /** A dynamic axis by its name. */
  shape: (number | string)[];
}

/** How a model runs. */
export interface RunsOn {
  /** "wasm", "webgpu", "native"; of a linear model whatever the plugin says. */
  backend: string;
  /** Of native alone: "cpu", "cuda". */
  variant?: string;
  threads?: number;
}

export interface LoadedTensorModel extends RunsOn {
  model: string;
  /** Which of its files, where it has several. */
  file?: string;
  inputs: TensorInfo[];
  outputs: TensorInfo[];
  loadMs?: number;
  warmUpMs?: number;
}

export interface TensorModelStats extends RunsOn {
  model: string;
  /** Which of its files. */
  file?: string;
  kind: string;
  bytes?: number;
  loadMs?: number;
  lastRunMs?: number;
  meanRunMs?: number;
  runs?: number;
  waiting?: number;
  largestBatch?: number;
}

export interface TensorStats {
  /** Since the start. */
  runs: number;
  models: TensorModelStats[];
}

export interface TensorOutput {
  name: string;
  type: string;
  shape: number[];
  /** Base64 of little-endian bytes; texts as a list. */
  data: string | readonly unknown[];
}

export interface TensorRun extends RunsOn {
  outputs: TensorOutput[];
  queueMs?: number;
  runMs?: number;
}

export interface Quantisation {
  model: string;
  sizeBefore: number;
  sizeAfter: number;
  /** Nodes that run in int8 now. */
  quantized: number;
  /** Matrix products that do not, and why. */
  left: { node: string; why: string }[];
  errors: { output: string; meanRelative?: number; maxRelative?: number }[];
  beforeMs?: number;
  afterMs?: number;
  /** The new model as base64, where it was asked for. */
  bytes?: string;
}

export function parseTensorStats(answer: unknown): TensorStats {
  const { models, runs } = fieldsOf(answer);
  return {
    runs: isAmount(runs) ? runs : 0,
    models: listOf(models, "models").flatMap((model): TensorModelStats[] => {
      const fields = fieldsOf(model);
      if (typeof fields["model"] !== "string") return [];
      return [{
        ...{ model: fields["model"], kind: textOf(fields["kind"]), ...runsOn(fields) },
        ...fileOf(fields),
        ...amountsOf(fields, statAmounts),
      }];
    }),
  };
}

export function parseLoadedModel(answer: unknown): LoadedTensorModel {
  const fields = fieldsOf(answer);
  return {
    ...{ model: textOf(fields["model"]), ...fileOf(fields), ...runsOn(fields) },
    inputs: listOf(fields["inputs"], "inputs").map(parseInfo),
    outputs: listOf(fields["outputs"], "outputs").map(parseInfo),
    ...amountsOf(fields, ["loadMs", "warmUpMs"]),
  };
}

export function parseRun(answer: unknown): TensorRun {
  const fields = fieldsOf(answer);
  const outputs = Object.entries(fieldsOf(fields["outputs"])).slice(0, maxListed);
  return {
    ...runsOn(fields),
    outputs: outputs.map(([name, output]) => {
      const { type, shape, data } = fieldsOf(output);
      return {
        ...{ name, type: textOf(type) },
        shape: Array.isArray(shape) ? shape.filter(isAmount).slice(0, maxAxes) : [],
        data: Array.isArray(data) ? data : textOf(data),
      };
    }),
    ...amountsOf(fieldsOf(fields["timings"]), ["queueMs", "runMs"]),
  };
}

export function parseQuantisation(answer: unknown): Quantisation {
  const fields = fieldsOf(answer);
  const { sizeBefore, sizeAfter } = amountsOf(fields, ["sizeBefore", "sizeAfter"]);
  if (sizeBefore === undefined || sizeAfter === undefined) throw noAnswer("a comparison");
  return {
    ...{ model: textOf(fields["model"]), sizeBefore, sizeAfter },
    quantized: listOf(fields["quantized"], "nodes").length,
    left: listOf(fields["left"], "nodes").map((left) => {
      const { node, why } = fieldsOf(left);
      return { node: textOf(node), why: textOf(why) };
    }),
    errors: listOf(fields["errors"], "errors").map((error) => {
      const entry = fieldsOf(error);
      const amounts = amountsOf(entry, ["meanRelative", "maxRelative"]);
      return { output: textOf(entry["output"]), ...amounts };
    }),
    ...amountsOf(fields, ["beforeMs", "afterMs"]),
    ...(typeof fields["bytes"] === "string" ? { bytes: fields["bytes"] } : {}),
  };
}

/** How a capability is told which one; of a linear model there is no file. */
export function modelInput(
  { model, file }: { model: string; file?: string | undefined },
): { model: string; file?: string } {
  return { model, ...(file === undefined ? {} : { file }) };
}

function parseInfo(info: unknown): TensorInfo {
  const { name, type, shape } = fieldsOf(info);
  return {
    ...{ name: textOf(name), type: textOf(type) },
    shape: (Array.isArray(shape) ? shape : []).slice(0, maxAxes)
      .map((size: unknown) => isAmount(size) ? size : textOf(size) || "?"),
  };
}

function runsOn(fields: Record<string, unknown>): RunsOn {
  return {
    backend: textOf(fields["backend"]),
    ...(typeof fields["variant"] === "string" ? { variant: fields["variant"] } : {}),
    ...amountsOf(fields, ["threads"]),
  };
}

function fileOf({ file }: Record<string, unknown>): { file?: string } {
  return typeof file === "string" ? { file } : {};
}

/** The files of which one must be named, by the error that says so; undefined of another. */
export function filesToChoose({ details }: AppError): string[] | undefined {
  const { field, expected } = fieldsOf(details);
  if (field !== "file" || !Array.isArray(expected)) return undefined;
  const files = expected.filter((file) => typeof file === "string");
  return files.length === 0 ? undefined : files.slice(0, maxListed);
}

function listOf(value: unknown, what: string): unknown[] {
  if (!Array.isArray(value)) throw noAnswer(what);
  return value.slice(0, maxListed);
}

function noAnswer(what: string): AppError {
  return new AppError("INVALID_OUTPUT", `The plugin answered without ${what}`);
}

const statAmounts = [
  "bytes",
  "loadMs",
  "lastRunMs",
  "meanRunMs",
  "runs",
  "waiting",
  "largestBatch",
] as const satisfies readonly (keyof TensorModelStats)[];
const maxListed = 1000;
const maxAxes = 64;
