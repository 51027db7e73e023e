// The page as a host of plugins: the same host code as the server's, Workers for cells, models in OPFS.
// Loaded on demand by stores/homes.ts. What it needs of the server comes in as `source`.

import type { Grant } from "../../plugins/runtime/contract/grant.ts";
import type { KnownModel } from "../../plugins/runtime/contract/model_summary.ts";
import type { Manifest } from "../../plugins/runtime/contract/manifest.ts";
import type { Bus, PluginView } from "../../plugins/runtime/host/host.ts";
import type { Observable } from "../stores/observable.ts";

/** What a page takes from its server; all of it is checked against a digest. */
export interface LocalSource {
  /** plugin.json and the bundle, whose SHA-256 was compared with `digest`. */
  plugin(pluginId: string): Promise<{
    manifest: Manifest;
    origin: "builtin" | "external";
    code: string;
    digest: string;
    /** What the operator granted on the server, for a stranger's plugin; absent: nothing. */
    granted?: Grant;
    /** The settings that are in force on the server, without secrets; absent: the manifest's defaults. */
    settings?: Record<string, unknown>;
  }>;
  /** One of bkg's own assets: "boot.js", "keeper.js", "engines/wllama.js", "engines/wllama.wasm". */
  asset(name: string): Promise<Uint8Array<ArrayBuffer>>;
  models(): Promise<RemoteModel[]>;
  model(id: string): Promise<RemoteModel & { files: RemoteFile[] }>;
  /** Bytes from `offset` on, as they come. */
  file(modelId: string, file: RemoteFile, options: {
    offset: number;
    signal: AbortSignal;
  }): Promise<ReadableStream<Uint8Array<ArrayBuffer>>>;
}

/** As the server tells of it. */
export interface RemoteModel extends KnownModel {
  chatTemplate: boolean;
}

export interface RemoteFile {
  name: string;
  /** Bytes. */
  size: number;
  /** `sha256:<hex>` */
  digest: string;
}

export interface Progress {
  step: string;
  /** Bytes, while something is downloaded. */
  done?: number;
  total?: number;
}

export interface LocalHost extends Observable {
  /** The same bus that the server has. */
  readonly bus: Bus;
  list(): PluginView[];
  get(pluginId: string): PluginView | undefined;
  /** Fetches bundle, engines and their WASM, keeps them for offline use, and starts the plugin. */
  start(pluginId: string, options?: {
    progress?: (progress: Progress) => void;
    signal?: AbortSignal;
  }): Promise<PluginView>;
  stop(pluginId: string): Promise<void>;
  /** Brings a model into this browser's storage, resuming what is there, and checks its digests. */
  fetchModel(modelId: string, options?: {
    progress?: (progress: Progress) => void;
    signal?: AbortSignal;
  }): Promise<void>;
  /** Downloads that run now, by model id. */
  readonly downloads: ReadonlyMap<string, Progress>;
  storage(): Promise<LocalStorage>;
  /** Removes a model from this browser; CONFLICT while it is in use. */
  evict(modelId: string): Promise<void>;
  /** Ends every plugin of this page. */
  close(): Promise<void>;
}

export interface LocalStorage {
  /** Bytes that this site may take, as the browser says; undefined when it does not. */
  quotaBytes: number | undefined;
  usedBytes: number | undefined;
  /** Whether the browser promised not to clear it by itself. */
  persisted: boolean;
  models: { id: string; bytes: number; complete: boolean; lastUsedAtMs: number; inUse: boolean }[];
}
