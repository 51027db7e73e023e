// What is known of a model, in words. Callers: the page of models and its parts.

import { describeRecord, estimateFit, type Fit, type MachineFacts } from "../../models/fit.ts";
import type { ModelOrigin, ModelTask } from "../../models/model.ts";
import type { CatalogEntry, Model, ModelDetails } from "../api/models.ts";
import { plainJson, shellWord } from "./call_examples.ts";
import { formatAbout } from "./fit_words.ts";
import { formatBytes, formatNumber, formatPlural } from "./format.ts";

/** Where it lies, short: for a column. */
export const originWords: Readonly<Record<ModelOrigin, string>> = {
  store: "bkg's store",
  folder: "A folder",
  huggingface: "Hugging Face cache",
  ollama: "Ollama",
  demo: "Came with bkg",
};

/** Why it is not bkg's to delete; undefined where it is. */
export const keptElsewhere: Readonly<Record<ModelOrigin, string | undefined>> = {
  store: undefined,
  folder: "It lies in a folder that bkg only reads: remove its file there",
  huggingface:
    "It lies in the cache of Hugging Face's tools, which bkg only reads: remove it there",
  ollama: "It lies in Ollama's store, which bkg only reads: remove it with Ollama",
  demo: "It came with bkg and stays with it",
};

/** Whether native engines may open it, and why. */
export function trustWords(
  { origin, trusted, changedSinceTrusted }: Pick<
    Model,
    "origin" | "trusted" | "changedSinceTrusted"
  >,
): string {
  if (origin === "demo") return "Trusted: it came with bkg";
  if (trusted) return "Trusted";
  return changedSinceTrusted ? "Not trusted: its files changed since it was" : "Not trusted";
}

export const taskWords: Readonly<Record<ModelTask, string>> = {
  chat: "Chat",
  embedding: "Embedding",
  rerank: "Re-ranking",
  face: "Faces",
  vision: "Vision",
  speech: "Speech",
};

/** What a task is for, for who meets the word for the first time. */
export const taskLeads: Readonly<Record<ModelTask, string>> = {
  chat: "Write with you",
  embedding: "Find texts by what they mean",
  rerank: "Put what was found into order",
  face: "Find and compare faces",
  vision: "See what is in pictures",
  speech: "Turn speech into text",
};

const formatNames: Readonly<Record<Model["format"], string>> = {
  gguf: "GGUF",
  onnx: "ONNX",
  safetensors: "safetensors",
};

export function formatName(format: Model["format"]): string {
  return formatNames[format] ?? String(format);
}

/** 7_241_000_000 -> "7.24 B" */
export function formatParameters(count: number): string {
  if (count >= 1e9) return `${formatNumber(count / 1e9)} B`;
  if (count >= 1e6) return `${formatNumber(count / 1e6)} M`;
  return formatNumber(count);
}

/** 32768 -> "32 K tokens" */
export function formatContext(tokens: number | undefined): string {
  if (tokens === undefined) return "";
  return tokens >= 1024 && tokens % 1024 === 0
    ? `${formatNumber(tokens / 1024)} K tokens`
    : formatPlural(tokens, "token");
}

/** The fit that tells most: the first backend that fits, else the one that comes closest. */
export function bestFit(fits: readonly Fit[]): Fit | undefined {
  return fits.find(({ fits }) => fits) ??
    fits.toSorted((one, other) => one.peakBytes - other.peakBytes)[0];
}

/** What a model that is here needs on its server. */
export function fitOf(model: ModelDetails, machine: MachineFacts): Fit {
  return estimateFit(describeRecord(model), machine, { backend: "wasm" });
}

/** "530 MiB", or "about 530 MiB" while only its weights are estimated, or that nobody knows. */
export function downloadSize({ size, fits }: Pick<CatalogEntry, "size" | "fits">): string {
  if (size !== null) return formatBytes(size);
  const weights = fits[0]?.parts.weights;
  return weights === undefined || weights <= 0
    ? "size not known yet"
    : `about ${formatAbout(weights)}`;
}

/** A call that works in a shell as it is, but for the key in TOKEN. `baseUrl` ends with a slash. */
export function modelExample({ baseUrl, model }: { baseUrl: string; model: string }): string {
  const body = { model, messages: [{ role: "user", content: "Hello" }] };
  return [
    `curl ${shellWord(new URL("v1/chat/completions", baseUrl).href)}`,
    `-H "Authorization: Bearer $TOKEN"`,
    "-H 'Content-Type: application/json'",
    `--data-raw ${shellWord(plainJson(body, 2))}`,
  ].join(" \\\n  ");
}
