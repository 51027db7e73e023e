// What the boot is told: the first message that a plugin's Worker receives.

import type { EngineName } from "../contract/manifest.ts";

export interface BootSpec {
  /** The plugin's bundle: an ES module whose only import may be "@bkg/plugin". */
  code: string;
  /** The text of each engine's module that the manifest names. */
  engines: Partial<Record<EngineName, string>>;
  /** How the host speaks: frames in Uint8Arrays (a cell) or cloned messages (a page). */
  transport: "bytes" | "messages";
}
