// Who has a model open: it is not removed under them. Caller: library.

import { AppError } from "../../plugins/runtime/contract/error.ts";
import { quote } from "../format/text.ts";

export interface Leases {
  /** Throws CONFLICT while the model is being removed. The answer gives it back, once. */
  take(id: string): () => void;
  isOpen(id: string): boolean;
  /** Keeps others from opening it while `work` removes or replaces it; throws CONFLICT while it is open. */
  exclude<T>(id: string, work: () => Promise<T>): Promise<T>;
}

export function createLeases(): Leases {
  const counts = new Map<string, number>();
  const excluded = new Set<string>();
  return {
    take(id) {
      if (excluded.has(id)) {
        throw new AppError("CONFLICT", `Model ${quote(id)} is being removed or replaced`);
      }
      counts.set(id, (counts.get(id) ?? 0) + 1);
      let isTaken = true;
      return () => {
        if (!isTaken) return;
        isTaken = false;
        const left = (counts.get(id) ?? 1) - 1;
        if (left === 0) counts.delete(id);
        else counts.set(id, left);
      };
    },
    isOpen: (id) => counts.has(id),
    async exclude(id, work) {
      if (counts.has(id)) {
        const message = `Model ${quote(id)} is open: unload it first`;
        throw new AppError("CONFLICT", message, { details: { openers: counts.get(id) } });
      }
      excluded.add(id);
      try {
        return await work();
      } finally {
        excluded.delete(id);
      }
    },
  };
}
