// The server's models, its catalogue of some that may be pulled, and the room they take.

import type { CatalogModel } from "../../models/catalog.ts";
import type { Fit } from "../../models/fit.ts";
import type { Garbage, ModelRecord } from "../../models/model.ts";
import type { Job } from "../../plugins/runtime/contract/job.ts";
import type { Api } from "./client.ts";
import type { Machine } from "./machine.ts";
import { withQuery } from "./paging.ts";

/** What is in it comes out of model files and hubs, and so from strangers. */
export type Model = Omit<ModelRecord, "files">;

export interface ModelFileView {
  name: string;
  /** Bytes. */
  size: number;
  /** `sha256:<hex>` */
  digest?: string;
}

export type ModelDetails = Model & { files: ModelFileView[] };

/** A file or folder that was refused, and why. */
export interface ModelProblemView {
  path: string;
  message: string;
}

export interface CatalogEntry extends CatalogModel {
  /** The model's id, when it is here. */
  installed: string | null;
  /** The job that pulls it now. */
  job: string | null;
  /** One for each backend that could run it. */
  fits: Fit[];
}

export interface CatalogView {
  machine: Machine;
  models: CatalogEntry[];
}

/** Bytes, but for `models`. */
export interface DiskUse {
  /** Of bkg's own store, with what can be reclaimed. */
  storeBytes: number;
  models: number;
  reclaimableBytes: number;
  freeBytes: number;
  totalBytes: number;
}

/** `problems` comes to those alone who may manage models. */
export function listModels(
  api: Api,
  signal?: AbortSignal,
): Promise<{ models: Model[]; problems?: ModelProblemView[] }> {
  return api.get("/api/models", signal && { signal });
}

/** Digests that nobody knows yet are computed first, which may take a while. */
export function getModel(api: Api, id: string, signal?: AbortSignal): Promise<ModelDetails> {
  return api.get(modelPath(id), signal && { signal });
}

export function getCatalog(api: Api, signal?: AbortSignal): Promise<CatalogView> {
  return api.get("/api/models/catalog", signal && { signal });
}

export function getDiskUse(api: Api, signal?: AbortSignal): Promise<DiskUse> {
  return api.get("/api/models/disk", signal && { signal });
}

export function pinModel(api: Api, id: string, pinned: boolean): Promise<Model> {
  return api.send("PUT", `${modelPath(id)}/pin`, { body: { pinned } });
}

/**
 * Whether native engines may open it. Answers the model, or the job that reads files first which nobody has read yet,
 * and marks it then; CONFLICT when it came with bkg and shall not be trusted.
 */
export function trustModel(api: Api, id: string, trusted: boolean): Promise<Model | Job> {
  return api.send("POST", `${modelPath(id)}/trust`, { body: { trusted } });
}

/** CONFLICT while it is open, or pinned and not `force`d. */
export function deleteModel(
  api: Api,
  id: string,
  { force = false }: { force?: boolean } = {},
): Promise<{ freedBytes: number }> {
  return api.send("DELETE", withQuery(modelPath(id), { force: force ? 1 : undefined }));
}

/** Removes what no model needs: parts of pulls that nobody goes on with, blobs without a model. */
export function collectGarbage(api: Api, { dryRun }: { dryRun: boolean }): Promise<Garbage> {
  return api.send("POST", "/api/models/gc", { body: { dryRun } });
}

export function modelPath(id: string): string {
  return `/api/models/${encodeURIComponent(id)}`;
}
