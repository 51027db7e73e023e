import assert from "node:assert/strict";
import { createRate } from "./job_rate.ts";

Deno.test("createRate: what was there before does not count, and silence slows it down", () => {
  let nowMs = 0;
  const rate = createRate({ now: () => nowMs, windowMs: 2000 });
  assert.equal(rate.perSecond(), undefined);
  rate.add(1_000_000);
  assert.equal(rate.perSecond(), undefined);
  for (let step = 1; step <= 10; step++) {
    nowMs += 100;
    rate.add(1_000_000 + step * 1000);
  }
  assert.equal(rate.perSecond(), 10_000);
  nowMs += 1000;
  assert.equal(rate.perSecond(), 5000);
  // What is older than the window is forgotten.
  for (let step = 1; step <= 30; step++) {
    nowMs += 100;
    rate.add(1_010_000 + step * 2000);
  }
  assert.equal(rate.perSecond(), 20_000);
  // Begun anew.
  rate.add(5);
  assert.equal(rate.perSecond(), undefined);
});
