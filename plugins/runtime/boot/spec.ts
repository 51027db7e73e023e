// What the boot is told: the first message that a plugin's Worker receives.

import type { EngineName } from "../contract/manifest.ts";
import type { NativeEngine } from "../contract/native_engine.ts";

export interface BootSpec {
  /** The plugin's bundle: an ES module whose only import may be "@bkg/plugin". */
  code: string;
  /** The text of each engine's module that the manifest names. */
  engines: Partial<Record<EngineName, string>>;
  /** Native engines that whoever hosts the Worker offers it; a page none. */
  native: readonly NativeEngine[];
  /** How the host speaks: frames in Uint8Arrays (a cell) or cloned messages (a page). */
  transport: "bytes" | "messages";
}
