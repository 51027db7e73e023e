import assert from "node:assert/strict";
import { buildBundles } from "../build/bundles.ts";
import { measureOvershoot } from "./memory_overshoot.ts";

const { folder: bundles } = await buildBundles({ log: () => {} });

/**
 * How far resident memory may go. The kernel's limit is exact, but leaves out the executable's pages,
 * which other cells share; a poll lets through what 100 ms can touch; RLIMIT_DATA includes what V8 reserves.
 */
const allowances = {
  cgroup: (limitMib: number) => limitMib + 100,
  poll: (limitMib: number) => limitMib + 2048,
  rlimit: (limitMib: number) => limitMib + 3 * 0.6 * 1024,
};

for (const hold of ["cgroup", "poll", "rlimit"] as const) {
  Deno.test(`memory held by ${hold} alone ends a cell that grows, within its overshoot`, async () => {
    const { ended, limitMib, peakMib } = await measureOvershoot(hold, { bundles });
    if (ended === undefined) {
      assert.equal(hold, "cgroup", `${hold} must be there on Linux`);
      console.log("skipped: this system has no writable memory cgroup");
      return;
    }
    console.log(`${hold}: limit ${limitMib} MiB, peak ${Math.round(peakMib)} MiB, ${ended}`);
    assert.ok(ended === "memory" || (hold === "rlimit" && ended === "refused"), ended);
    assert.ok(peakMib <= allowances[hold](limitMib), `peak ${peakMib} MiB`);
  });
}
