// One budget of threads for all plugins: wasm threads beyond the free cores wait in spin barriers
// and collapse everybody's speed (findings/sandbox.md), so nobody gets more than is free, nor less than one.

import { AppError } from "../contract/error.ts";

export interface ThreadBudget {
  readonly free: number;
  /** A cell's account; closing it gives back all that the cell took. */
  open(): ThreadAccount;
}

export interface ThreadAccount {
  take(wanted: number): { threads: number; lease: number };
  /** Unknown leases are ignored: a plugin may release twice. */
  release(lease: number): void;
  close(): void;
}

export function createThreadBudget(total: number): ThreadBudget {
  let taken = 0;
  return {
    get free() {
      return Math.max(0, total - taken);
    },
    open() {
      const leases = new Map<number, number>();
      let nextLease = 1;
      return {
        take(wanted) {
          if (leases.size >= maxLeases) {
            throw new AppError("CONFLICT", `A plugin may hold ${maxLeases} thread leases`);
          }
          const asked = Number.isSafeInteger(wanted) ? wanted : 1;
          const threads = Math.max(1, Math.min(asked, total - taken));
          const lease = nextLease++;
          leases.set(lease, threads);
          taken += threads;
          return { threads, lease };
        },
        release(lease) {
          taken -= leases.get(lease) ?? 0;
          leases.delete(lease);
        },
        close() {
          for (const threads of leases.values()) taken -= threads;
          leases.clear();
        },
      };
    },
  };
}

const maxLeases = 64;
