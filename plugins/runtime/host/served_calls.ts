// The calls that one cell serves now, and for whom. A plugin acts for a caller by the number of the caller's call:
// whom that is, the host knows. A number is worth nothing once the call has ended or its caller has left.

import { AppError } from "../contract/error.ts";
import type { InvokeOptions, Principal } from "./host.ts";

export interface ServedCall {
  /** What the guest is told. */
  readonly id: number;
  /** The host's last answer to a service call within this call, when it was an error. */
  refusal: AppError | undefined;
  end(): void;
}

export interface ServedCalls {
  begin(options: InvokeOptions): ServedCall;
  /** The running call of that number and who called; throws FORBIDDEN. */
  find(id: unknown): { call: ServedCall; principal: Principal };
}

export function createServedCalls(): ServedCalls {
  const running = new Map<unknown, { call: ServedCall; options: InvokeOptions }>();
  let nextId = 1;
  return {
    begin(options) {
      const id = nextId++;
      const call: ServedCall = { id, refusal: undefined, end: () => void running.delete(id) };
      running.set(id, { call, options });
      return call;
    },
    find(id) {
      const found = running.get(id);
      if (found === undefined || found.options.signal?.aborted) {
        throw new AppError("FORBIDDEN", "Nobody is calling: this is served within a call alone");
      }
      return { call: found.call, principal: found.options.principal };
    },
  };
}
