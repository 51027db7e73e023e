// What a grammar that reads well may still lead llama.cpp into: `gbnf.ts` asks, before anyone else sees the grammar.

import { type Grammar, grammarLimits, refused, type Rule } from "./gbnf.ts";

/** A rule without an end would hold a model until its context is full. */
export function checkEnds({ rules, root }: Grammar): void {
  if (!closure(rules, true)[root]) throw refused('has no end: the rule "root" always needs itself');
}

/**
 * llama.cpp looks for left recursion by recursing, along every way, and overlooks it behind what is empty by another
 * rule's name; then it grows its stacks until the memory is full.
 */
export function checkLeftmost({ rules }: Grammar): void {
  const mayBeEmpty = closure(rules, false);
  const leftmost = rules.map((rule) => {
    const found: number[] = [];
    for (const sequence of rule) {
      for (const part of sequence) {
        if (typeof part !== "number") break;
        found.push(part);
        if (!mayBeEmpty[part]) break;
      }
    }
    return found;
  });
  const depth = new Uint32Array(rules.length);
  const ways = new Float64Array(rules.length);
  const open = new Uint8Array(rules.length);
  for (const start of rules.keys()) {
    const path = [{ rule: start, next: 0 }];
    for (let step = path.at(-1); step !== undefined; step = path.at(-1)) {
      const { rule } = step;
      if (step.next === 0) {
        if (ways[rule]! > 0) {
          path.pop();
          continue;
        }
        open[rule] = 1;
      }
      const child = leftmost[rule]![step.next++];
      if (child !== undefined) {
        if (open[child]) {
          throw refused("is left recursive, or repeats without end what may be empty");
        }
        path.push({ rule: child, next: 0 });
        continue;
      }
      open[rule] = 0;
      depth[rule] = 1;
      ways[rule] = 1;
      for (const below of leftmost[rule]!) {
        depth[rule] = Math.max(depth[rule]!, depth[below]! + 1);
        ways[rule]! += ways[below]!;
      }
      if (depth[rule]! > grammarLimits.leftmost) {
        throw refused(`has more than ${grammarLimits.leftmost} rules that begin with one another`);
      }
      if (ways[rule]! > grammarLimits.ways) {
        throw refused(`has more than ${grammarLimits.ways} ways through rules that begin alike`);
      }
      path.pop();
    }
  }
}

/** The rules with an alternative of which every part has the property; `chars`: whether characters have it. */
function closure(rules: readonly Rule[], chars: boolean): Uint8Array {
  const has = new Uint8Array(rules.length);
  const waiting: { rule: number; missing: number }[][] = rules.map(() => []);
  const found: number[] = [];
  const mark = (rule: number) => {
    if (has[rule]) return;
    has[rule] = 1;
    found.push(rule);
  };
  for (const [rule, alternatives] of rules.entries()) {
    for (const sequence of alternatives) {
      if (!chars && sequence.some((part) => typeof part !== "number")) continue;
      const named = sequence.filter((part) => typeof part === "number");
      const entry = { rule, missing: named.length };
      for (const part of named) waiting[part]!.push(entry);
      if (entry.missing === 0) mark(rule);
    }
  }
  for (let rule = found.pop(); rule !== undefined; rule = found.pop()) {
    for (const entry of waiting[rule]!) if (--entry.missing === 0) mark(entry.rule);
  }
  return has;
}
