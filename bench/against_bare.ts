// What is served beside the engine alone: rounds interleaved, and the rows that they make. Callers: streams.ts, native.ts.

import { median, type Row } from "./report.ts";

/** Milliseconds of both sides, by rounds. */
export interface Pair {
  served: number[];
  bare: number[];
}

/** Each round has a prompt of its own, so that nothing comes from a cache. */
export async function compare(
  { rounds, warmUps }: {
    rounds: number;
    /** Rounds that do not count: V8 compiles anew what runs often. */
    warmUps: number;
  },
  sides: (prompt: string) => Record<keyof Pair, () => Promise<number>>,
): Promise<Pair> {
  const pair: Pair = { served: [], bare: [] };
  for (let number = 1; pair.served.length < rounds; number++) {
    if (number > warmUps + 4 * rounds) {
      throw new Error("the bare engine answers none of the prompts");
    }
    const { served, bare } = sides(`${number} Once upon a time there was`);
    // Who goes first changes with each round: a machine's speed drifts within one.
    const early = number % 2 === 0 ? await served() : undefined;
    // Random weights may say no text, or bytes that are no UTF-8, which bare wllama takes for a failure.
    const bareMs = await bare().catch(() => undefined);
    const servedMs = early ?? await served();
    if (bareMs === undefined || Number.isNaN(bareMs) || number <= warmUps) continue;
    pair.served.push(servedMs);
    pair.bare.push(bareMs);
  }
  return pair;
}

export function firstTokenRow(model: string, { served, bare }: Pair): Row {
  const laterMs = median(served.map((ms, at) => ms - bare[at]!));
  const sign = laterMs < 0 ? "−" : "+";
  return {
    what: `${model}, first token`,
    measured: `${median(served).toFixed(1)} ms`,
    reference: `bare ${median(bare).toFixed(1)} ms (${sign}${Math.abs(laterMs).toFixed(1)} ms)`,
    budget: "≤ bare + 5 ms",
    met: laterMs <= 5,
  };
}

export function speedRow(
  what: string,
  { served, bare }: Pair,
  { tokens, least }: {
    /** Of all answers of a round. */
    tokens: number;
    /** What the budget asks for, as a part of bare's. */
    least: number;
  },
): Row {
  const ratio = median(served.map((ms, at) => bare[at]! / ms));
  const rate = (ms: number[]) => `${(tokens / median(ms) * 1000).toFixed(1)} tokens/s`;
  return {
    what,
    measured: rate(served),
    reference: `bare ${rate(bare)} (${ratio.toFixed(3)}x)`,
    budget: least === 1 ? "≥ bare" : `≥ ${least} of bare`,
    met: ratio >= least,
  };
}
