// One check of one value: its budget of work, its depth, and the issues found so far.
// The budget makes hostile schemas (exponential `anyOf`, endless `$ref`) end in an issue instead of a hang.

import type { SchemaIssue } from "./schema.ts";

export const maxIssues = 20;

/** Steps that one check may take; a visit of one value by one schema is a step, about 20 ns. */
const maxSteps = 5_000_000;
const maxDepth = 256;

/** Which properties and items of one value some schema has looked at (`unevaluated*`). */
export class Evaluated {
  readonly keys = new Set<string | number>();
  all = false;

  add(other: Evaluated): void {
    for (const key of other.keys) this.keys.add(key);
    this.all ||= other.all;
  }
}

export type Check = (value: unknown, run: Run, seen?: Evaluated) => boolean;

/** Thrown when a check costs too much; the value then counts as not matching. */
export class TooCostly extends Error {}

export class Run {
  /** Undefined while only the verdict matters: then the first failure ends the check. */
  issues: SchemaIssue[] | undefined;
  readonly #path: (string | number)[] = [];
  #steps = 0;
  #depth = 0;

  constructor(issues?: SchemaIssue[]) {
    this.issues = issues;
  }

  spend(steps: number): void {
    this.#steps += steps;
    if (this.#steps > maxSteps) throw new TooCostly("is too large to be checked");
  }

  /** Runs `check` on `value` itself. */
  enter(check: Check, value: unknown, seen?: Evaluated): boolean {
    if (++this.#depth > maxDepth) throw new TooCostly("is nested too deeply");
    this.spend(1);
    const ok = check(value, this, seen);
    this.#depth--;
    return ok;
  }

  /** Runs `check` on what `value` holds at `key`. */
  enterChild(key: string | number, check: Check, value: unknown): boolean {
    if (this.issues === undefined) return this.enter(check, value);
    this.#path.push(key);
    const ok = this.enter(check, value);
    this.#path.pop();
    return ok;
  }

  /** The verdict of `check` alone, without issues. */
  test(check: Check, value: unknown, seen?: Evaluated): boolean {
    const { issues } = this;
    this.issues = undefined;
    const ok = this.enter(check, value, seen);
    this.issues = issues;
    return ok;
  }

  /** The issues that `check` finds, kept apart from this run's. */
  collect(check: Check, value: unknown): SchemaIssue[] {
    const { issues } = this;
    const found: SchemaIssue[] = [];
    this.issues = found;
    this.enter(check, value);
    this.issues = issues;
    return found;
  }

  add(issues: readonly SchemaIssue[]): void {
    if (this.issues === undefined) return;
    for (const issue of issues) if (this.issues.length < maxIssues) this.issues.push(issue);
  }

  fail(message: () => string): false {
    if (this.issues !== undefined && this.issues.length < maxIssues) {
      this.issues.push({ path: this.pointer(), message: message() });
    }
    return false;
  }

  /** RFC 6901. */
  pointer(): string {
    return this.#path.map((key) =>
      "/" + String(key).slice(0, 200).replaceAll("~", "~0").replaceAll("/", "~1")
    ).join("");
  }
}
