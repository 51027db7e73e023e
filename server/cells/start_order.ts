// What the host tells a new cell on its standard input, one JSON line, before anything else.

import type { EngineName } from "../../plugins/runtime/contract/manifest.ts";
import type { CellFile } from "../../plugins/runtime/host/cell.ts";
import type { InstalledEngine } from "./native/native_engines.ts";

export interface StartOrder {
  /** Where the host listens for this one cell. */
  address: CellAddress;
  /** Proves to the host that it is the cell which it started. */
  token: string;
  /** The folder of boot.js and the engines. */
  bundles: string;
  /** The plugin's bundle. */
  code: string;
  engines: readonly EngineName[];
  /** Native engines of this machine that the plugin may use. */
  native: readonly InstalledEngine[];
  /** Keeps the read permission, for model files and engine assets. */
  reads: boolean;
  /** Tests run hostile plugins without the prelude too: it is for parity, not for security. */
  prelude: boolean;
}

export type CellAddress =
  | { transport: "unix"; path: string }
  | { transport: "tcp"; hostname: string; port: number };

/** Control frames from the host to the cell's main. */
export type ControlOrder =
  | { kind: "ping"; id: number }
  | { kind: "open"; handle: number } & CellFile
  | { kind: "close"; handle: number };

/** Control frames from the cell's main to the host; as untrusted as all that comes from a cell. */
export type ControlReport =
  | { kind: "hello"; token: string }
  | { kind: "pong"; id: number }
  | { kind: "fault"; message: string };
