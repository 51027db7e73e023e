// The memory that a plugin's models share, whatever they are for. Each Residency is a member; a model is weighed before
// it loads, and idle ones of any member make room for it.

import { AppError } from "../contract/error.ts";

/** A place of models that count against the budget. */
export interface BudgetMember {
  /** Bytes, about, of its models in memory or on their way into it. */
  readonly usedBytes: number;
  /** Of these, what is never put out. */
  readonly pinnedBytes: number;
  /** The one used longest ago that may be put out now. */
  oldestIdle(): { usedAt: number; drop(): Promise<void> } | undefined;
}

export class MemoryBudget {
  readonly budgetBytes: number;
  readonly #members = new Set<BudgetMember>();
  #changed = Promise.withResolvers<void>();

  constructor(budgetBytes: number) {
    this.budgetBytes = budgetBytes;
  }

  get usedBytes(): number {
    return this.#sum(({ usedBytes }) => usedBytes);
  }

  /** Settles with the next change of any member. */
  get changed(): Promise<void> {
    return this.#changed.promise;
  }

  join(member: BudgetMember): void {
    this.#members.add(member);
  }

  /** Throws OUT_OF_MEMORY for what can never be loaded beside the models that stay. */
  require(id: string, bytes: number): void {
    const pinned = this.#sum(({ pinnedBytes }) => pinnedBytes);
    if (bytes + pinned <= this.budgetBytes) return;
    const beside = pinned > 0 ? ` beside the pinned models' ${pinned}` : "";
    throw new AppError(
      "OUT_OF_MEMORY",
      `The model "${id}" takes about ${bytes} bytes${beside}, and the plugin's models may take ${this.budgetBytes}: raise its memory limit, or take a smaller model or context`,
      { details: { model: id, bytes, budgetBytes: this.budgetBytes } },
    );
  }

  fits(bytes: number): boolean {
    return this.usedBytes + bytes <= this.budgetBytes;
  }

  /** Puts out the one used longest ago; false when none is idle. */
  async dropIdle(): Promise<boolean> {
    const idle = [...this.#members].flatMap((member) => member.oldestIdle() ?? [])
      .sort((a, b) => a.usedAt - b.usedAt)[0];
    await idle?.drop();
    return idle !== undefined;
  }

  tellChange(): void {
    this.#changed.resolve();
    this.#changed = Promise.withResolvers<void>();
  }

  #sum(bytesOf: (member: BudgetMember) => number): number {
    return [...this.#members].reduce((sum, member) => sum + bytesOf(member), 0);
  }
}
