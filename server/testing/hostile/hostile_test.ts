// Every hostile plugin of cases/, with and without the prelude, while a bystander is served.
// The cases are the expectation: what is printed is what was asserted.

import assert from "node:assert/strict";
import { createSpawnCell } from "../../cells/spawn.ts";
import { type CellWatch, createCellWatch } from "../../cells/watch.ts";
import { buildBundles } from "../../build/bundles.ts";
import { skipUnless } from "../require.ts";
import { ending } from "./cases/ending.ts";
import { files } from "./cases/files.ts";
import { floods } from "./cases/floods.ts";
import { loops } from "./cases/loops.ts";
import { memory } from "./cases/memory.ts";
import { protocol } from "./cases/protocol.ts";
import { prototypes } from "./cases/prototypes.ts";
import { services } from "./cases/services.ts";
import { sharing } from "./cases/sharing.ts";
import { system } from "./cases/system.ts";
import type { HostileCase } from "./hostile_case.ts";
import { percentile, startBystander } from "./innocent.ts";
import { exists, openDescriptors, settled, stillRunning } from "./leftovers.ts";
import { type CellRecord, recordCells } from "./plugins.ts";
import { runCase } from "./run_case.ts";
import { printTable, type Row } from "./table.ts";

const maxBystanderP99Ms = 100;
/** How far the host's own memory may grow, whatever cells send. */
const maxHostGrowthMib = 512;
/** Attempts that only wait for a refusal run together; a nested Worker takes half a second to start. */
const sideBySide: Record<string, number> = { files: 4, system: 4, sharing: 4 };
const ignore = skipUnless(
  "hostile plugins",
  Deno.build.os === "linux" ? undefined : "memory limits and /proc are Linux's",
);

Deno.test({ name: "hostile plugins are contained, and leave nothing", ignore }, async (t) => {
  const { folder: bundles } = await buildBundles({ log: () => {} });
  // A place of our own: other tests have cells too.
  const temp = await Deno.makeTempDir({ prefix: "bkg-hostile-" });
  const inherited = Deno.env.get("TMPDIR");
  Deno.env.set("TMPDIR", temp);
  await using cleanups = new AsyncDisposableStack();
  cleanups.defer(async () => {
    if (inherited === undefined) Deno.env.delete("TMPDIR");
    else Deno.env.set("TMPDIR", inherited);
    await Deno.remove(temp, { recursive: true });
  });
  const visitors = countVisitors();
  cleanups.defer(() => visitors.stop());
  const themes: Record<string, readonly HostileCase[]> = {
    loops,
    memory,
    ending,
    prototypes,
    protocol,
    floods,
    files,
    system: system(visitors.port),
    sharing,
    services,
  };
  const only = Deno.env.get("BKG_HOSTILE_ONLY") ?? "";
  const records: CellRecord[] = [];
  const rows: Row[] = [];
  const latencies: number[] = [];
  let mostRssBytes = 0;
  const watch: CellWatch = createCellWatch();
  const descriptorsBefore = openDescriptors();
  const spawn = (prelude: boolean) =>
    recordCells(createSpawnCell({ bundles, modelFolders: [], watch, prelude }), records);
  const rssBefore = Deno.memoryUsage().rss;
  const sampler = setInterval(() => {
    mostRssBytes = Math.max(mostRssBytes, Deno.memoryUsage().rss);
  }, 50);

  const bystander = await startBystander(spawn(true));
  for (const [theme, cases] of Object.entries(themes)) {
    await t.step(theme, async () => {
      const wanted = cases.filter(({ name }) => `${theme}: ${name}`.includes(only));
      const runs = wanted.flatMap((hostile) =>
        [true, false].map((prelude) => ({ hostile, prelude }))
      );
      for (const together of inGroups(runs, sideBySide[theme] ?? 1)) {
        const outcomes = await Promise.all(
          together.map(({ hostile, prelude }) =>
            runCase(hostile, { spawnCell: spawn(prelude), prelude })
          ),
        );
        const during = bystander.takeLatencies();
        latencies.push(...during);
        const bystanderMs = during.at(-1) ?? 0;
        rows.push(...outcomes.map((outcome) => ({ ...outcome, theme, bystanderMs })));
      }
      const broken = rows.filter((row) => row.theme === theme && row.problems.length > 0);
      assert.deepEqual(
        broken.map(({ name, prelude, problems }) => ({ name, prelude, problems })),
        [],
      );
    });
  }
  clearInterval(sampler);
  const failures = bystander.failures();
  await bystander[Symbol.asyncDispose]();
  watch[Symbol.dispose]();
  printTable(rows);

  await t.step("the bystander was served all the time", () => {
    latencies.sort((a, b) => a - b);
    const p99 = percentile(latencies, 0.99);
    console.log(
      `bystander: ${latencies.length} calls, p50 ${percentile(latencies, 0.5).toFixed(1)} ms, ` +
        `p99 ${p99.toFixed(1)} ms, worst ${(latencies.at(-1) ?? 0).toFixed(1)} ms`,
    );
    assert.deepEqual(failures, []);
    assert.ok(p99 <= maxBystanderP99Ms, `p99 is ${p99} ms`);
  });

  await t.step("the host's memory stayed in bounds", () => {
    const grownMib = (mostRssBytes - rssBefore) / 1024 / 1024;
    console.log(`host: grew by ${grownMib.toFixed(0)} MiB`);
    assert.ok(grownMib <= maxHostGrowthMib, `the host grew by ${grownMib} MiB`);
  });

  await t.step("nothing is left", async () => {
    const pids = records.map(({ pid }) => pid).filter((pid) => pid !== undefined);
    assert.equal(
      await settled(3000, () => {
        const left = stillRunning(pids);
        if (left.length > 0) return `cells still run: ${left.join(", ")}`;
        const folders = [...Deno.readDirSync(temp)].map(({ name }) => name);
        if (folders.length > 0) return `folders are left: ${folders.join(", ")}`;
        const groups = records.flatMap(({ cgroups }) => cgroups).filter(exists);
        if (groups.length > 0) return `cgroups are left: ${groups.join(", ")}`;
        const extra = openDescriptors() - descriptorsBefore;
        return extra > 0 ? `${extra} descriptors are left` : undefined;
      }),
      undefined,
    );
    assert.equal(exists("/tmp/bkg-evil"), false, "a plugin wrote to /tmp");
    assert.equal(visitors.count(), 0, "a plugin reached the test");
  });
});

/** A listener and a channel that nobody may reach. */
function countVisitors(): { port: number; count(): number; stop(): void } {
  const listener = Deno.listen({ hostname: "127.0.0.1", port: 0 });
  let visitors = 0;
  const broadcasts = new BroadcastChannel("plugins");
  broadcasts.onmessage = () => visitors++;
  (async () => {
    for await (const visitor of listener) {
      visitors++;
      visitor.close();
    }
  })().catch(() => {});
  const stop = () => {
    broadcasts.close();
    listener.close();
  };
  return { port: listener.addr.port, count: () => visitors, stop };
}

function* inGroups<Item>(items: readonly Item[], size: number): Generator<Item[]> {
  for (let at = 0; at < items.length; at += size) yield items.slice(at, at + size);
}
