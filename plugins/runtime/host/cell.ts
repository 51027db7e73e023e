// A cell as its host sees it: one running plugin, wherever it lives (child process, page Worker).
// Everything that comes through `port` is plugin-authored; limits and grants are held by the host.

import type { Port } from "../channel/port.ts";
import type { EngineName, Limits } from "../contract/manifest.ts";

/** Starts cells; the server spawns processes, a page spawns Workers. */
export type SpawnCell = (spec: CellSpec, options: { signal: AbortSignal }) => Promise<Cell>;

export interface CellSpec {
  pluginId: string;
  /** The plugin's bundle, one ES module. */
  code: string;
  limits: Limits;
  engines: readonly EngineName[];
  /** Whether the cell will be told to read model files. */
  readsModels: boolean;
  /** A line that the plugin wrote to stdout or stderr. */
  output(stream: "stdout" | "stderr", line: string): void;
}

export interface Cell extends AsyncDisposable {
  /** Carries messages to and from the plugin's guest. */
  readonly port: Port;
  /** Process id; undefined in a page. */
  readonly pid: number | undefined;
  /** Which limits are held, and how. */
  readonly enforcement: Enforcement;
  /**
   * Lets the plugin read this file, by range, as `handle`; ordered before any later message on `port`. `trusted`: native
   * engines may open it.
   */
  openFile(handle: number, file: CellFile): void;
  closeFile(handle: number): void;
  /** Asks the cell's trusted main to answer; rejects TIMEOUT. The plugin's Worker may be busy all the same. */
  ping(timeoutMs: number): Promise<void>;
  usage(): Promise<CellUsage | undefined>;
  /** Ends the cell at once (SIGKILL); idempotent. `reason` becomes the exit's reason. */
  kill(reason: CellExitReason, message: string): void;
  /** Settles when the cell is gone and all it held is freed; never rejects. */
  readonly exited: Promise<CellExit>;
}

/** A file as the host looked at it. */
export interface CellFile {
  path: string;
  size: number;
  trusted: boolean;
  /** Of contract/file_fingerprint.ts, where the host looked so closely: the cell takes no other. */
  fingerprint?: string | undefined;
}

/** How each limit is held: by the kernel, by polling, or not at all on this system. */
export interface Enforcement {
  memory: readonly ("cgroup" | "rlimit" | "poll")[];
  cpu: "cgroup" | "reported" | "none";
}

export type CellExitReason =
  | "stopped" // the host asked
  | "idle" // no call for idleTimeoutMs
  | "memory" // crossed memoryMb
  | "silence" // a call was silent past timeoutMs
  | "unresponsive" // the cell main did not answer a ping
  | "disk" // filled its throw-away folder
  | "protocol" // broke the frame or message rules
  | "crashed"; // ended by itself

export interface CellExit {
  reason: CellExitReason;
  message: string;
  /** Exit status or signal, when a process ended by itself. */
  status?: string;
}

export interface CellUsage {
  /** Resident memory, bytes. */
  rssBytes: number;
  /** CPU time since the start, seconds. */
  cpuSeconds: number;
  threads: number;
  /** Bytes in the cell's throw-away folder. */
  diskBytes: number;
}
