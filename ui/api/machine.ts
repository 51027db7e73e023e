// What the server's machine has for models.

import type { MachineFacts } from "../../models/fit.ts";
import type { Api } from "./client.ts";

export interface Machine extends MachineFacts {
  /** BKG_OFFLINE: nothing is downloaded. */
  offline: boolean;
}

export function getMachine(api: Api, signal?: AbortSignal): Promise<Machine> {
  return api.get("/api/machine", signal && { signal });
}
