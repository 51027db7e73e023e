// One check of one value: its budget of work, its depth, and the issues found so far.
// The budget makes hostile schemas (exponential `anyOf`, endless `$ref`) end in an issue instead of a hang.

import type { SchemaIssue } from "./schema.ts";

export const maxIssues = 20;

/** Steps that one check may take. A step is about 20 ns: whatever walks, copies or hashes pays what it measured. */
const maxSteps = 5_000_000;
/** Steps that finding the issues may take when the verdict left fewer. */
const minExplainSteps = 1_000_000;
export const maxDepth = 256;
/** Above this many keys an object is a hash table to V8, whose keys cost several times as much. */
const fewKeys = 64;

/** Which properties and items of one value some schema has looked at (`unevaluated*`). */
export class Evaluated {
  readonly keys = new Set<string | number>();
  all = false;

  add(other: Evaluated, run: Run): void {
    this.all ||= other.all;
    if (this.all) return;
    run.spend(3 * other.keys.size);
    for (const key of other.keys) this.keys.add(key);
  }
}

/** What several checks together may cost, such as those of a list's items. */
export class Budget {
  steps = maxSteps;
}

export type Check = (value: unknown, run: Run, seen?: Evaluated) => boolean;

/** Thrown when a check costs too much; the value then counts as not matching. */
export class TooCostly extends Error {}

export class Run {
  /** Undefined while only the verdict matters: then the first failure ends the check. */
  issues: SchemaIssue[] | undefined;
  readonly #wanted: SchemaIssue[] | undefined;
  readonly #path: (string | number)[] = [];
  #left: number;
  #depth = 0;

  constructor(steps = maxSteps, issues?: SchemaIssue[]) {
    this.issues = this.#wanted = issues;
    this.#left = issues === undefined ? steps : Math.max(steps, minExplainSteps);
  }

  /** Steps that may still be spent. */
  get left(): number {
    return this.#left;
  }

  spend(steps: number): void {
    this.#left -= steps;
    if (this.#left < 0) throw new TooCostly("is too large to be checked");
  }

  /** Pays for a look at the key that is the `count`th of its object. */
  spendKey(count: number): void {
    this.spend(count <= fewKeys ? 2 : 7);
  }

  /** Pays for listing the keys of an object whose walk ended at its first keys: they are all listed before. */
  spendKeys(object: object): void {
    const { length } = Object.keys(object);
    if (length > fewKeys) this.spend(10 * length);
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
    if (this.issues === undefined) return false;
    if (this.issues.length < maxIssues) {
      this.issues.push({ path: this.pointer(), message: message() });
    } else if (this.issues === this.#wanted) throw new TooCostly("has too many issues");
    return false;
  }

  /** RFC 6901. */
  pointer(): string {
    this.spend(10);
    return this.#path.map((key) => {
      const text = String(key).slice(0, 200);
      this.spend(10 + (text.length >> 1));
      return "/" + text.replaceAll("~", "~0").replaceAll("/", "~1");
    }).join("");
  }
}
