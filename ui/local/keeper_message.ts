// What a page and the keeper of a plugin's Worker say to each other, over a MessagePort that each start brings.

import type { BootSpec } from "../../plugins/runtime/boot/spec.ts";

/** The first message to a keeper, once for each Worker; its one port carries all that follows. */
export interface KeeperStart {
  /** The text of boot.js: the root of the Worker. */
  boot: string;
  spec: BootSpec;
}

/** What a page orders. */
export type KeeperOrder =
  | { kind: "post"; data: unknown; transfer: Transferable[] }
  /** The page has dealt with so many more of the Worker's messages. */
  | { kind: "taken"; count: number }
  | { kind: "ping"; id: number }
  | { kind: "end" };

/** What a keeper reports. `post` carries what the plugin authored. */
export type KeeperReport =
  | { kind: "post"; data: unknown }
  | { kind: "pong"; id: number }
  /** The Worker was ended. */
  | { kind: "fault"; reason: "crashed" | "protocol"; message: string };

/** Messages of a Worker that may be on their way to the page at once. */
export const messageWindow = 256;
