// What a place on disk offers, before any header is read: files, and which of them claim to be one model.
// Made by the places (store, folders, caches), judged by model_index.

import { fingerprintOf } from "../../plugins/runtime/contract/file_fingerprint.ts";
import type { ModelFormat, ModelOrigin, ModelProblem, ModelTask } from "../model.ts";

export interface FileState {
  size: number;
  mtimeMs: number;
  /** When the file's bytes or dates last changed, in whole seconds, whatever its mtime was set to. */
  changedAtMs: number;
  /** Changes with the size, times or inode of the file. */
  fingerprint: string;
}

export interface FoundFile extends FileState {
  /** Relative to the model, with "/". */
  name: string;
  /** Absolute and canonical. */
  path: string;
  /** `sha256:<hex>`: what the file's place says that it is. */
  expected?: string;
}

export interface FoundModel {
  id: string;
  origin: ModelOrigin;
  format: ModelFormat;
  /** The files of that format; parts of a split one in order. */
  weights: readonly FoundFile[];
  /** What goes with them. */
  sidecars: readonly FoundFile[];
  /** What the weights may name as their data; those that they do name belong to the model. */
  beside: readonly FoundFile[];
  /** The path of what says that the model is there, where its files alone do not: it is gone with it. */
  marker?: string;
  /** What the place knows of the model; it wins over the files. */
  facts: FoundFacts;
}

export interface FoundFacts {
  task?: ModelTask;
  license?: string;
  source?: string;
  pinned?: boolean;
  createdAtMs?: number;
  usedAtMs?: number;
}

/** An id that is claimed by something which is no model. */
export interface RefusedModel extends ModelProblem {
  id: string;
  origin: ModelOrigin;
}

export interface Findings {
  models: readonly FoundModel[];
  refused: readonly RefusedModel[];
  problems: readonly ModelProblem[];
}

export interface Place {
  find(): Promise<Findings>;
}

/** What of a stat tells whether the file is still the same. */
export function describeStat(stat: Deno.FileInfo): FileState {
  const mtimeMs = stat.mtime?.getTime() ?? 0;
  // ctime catches a change that was dated back; Deno 2.9 cuts it to whole seconds.
  const changedAtMs = stat.ctime?.getTime() ?? mtimeMs;
  return { size: stat.size, mtimeMs, changedAtMs, fingerprint: fingerprintOf(stat) };
}

/** A second write in the same second, of the same size and dated back, would go unseen. */
export function isSettled({ changedAtMs }: FileState, nowMs: number): boolean {
  return Math.abs(nowMs - changedAtMs) > settleMs;
}

const settleMs = 1500;
