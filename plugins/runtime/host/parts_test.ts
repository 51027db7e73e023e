import assert from "node:assert/strict";
import { createAuditTrail } from "./audit_trail.ts";
import { createCrashBackoff } from "./backoff.ts";
import { closeNames } from "../contract/close_names.ts";
import type { AuditEntry } from "./host.ts";
import { createPluginLog } from "./plugin_log.ts";
import { toPlainFields, toPlainText } from "../contract/plain_text.ts";
import { SeqRing } from "./seq_ring.ts";
import { nextStatus } from "./status.ts";
import { createThreadBudget } from "./thread_budget.ts";

Deno.test("nextStatus throws on a transition that is not in the table", () => {
  assert.equal(nextStatus("stopped", "starting"), "starting");
  assert.throws(() => nextStatus("stopped", "running"), /cannot go from "stopped" to "running"/);
});

Deno.test("createCrashBackoff waits longer each time, then calls it a loop", () => {
  let nowMs = 0;
  const backoff = createCrashBackoff({ now: () => nowMs, random: () => 1 });
  const delays = Array.from({ length: 5 }, () => {
    const retryAtMs = backoff.crashed();
    return retryAtMs === undefined ? undefined : retryAtMs - nowMs;
  });
  assert.deepEqual(delays, [0, 500, 1000, 2000, undefined]);
  nowMs = 60_001;
  assert.equal(backoff.crashed(), nowMs);
  backoff.reset();
  assert.equal(backoff.crashed(), nowMs);
});

Deno.test("createThreadBudget lends what is free, at least one, and takes back all of a cell", () => {
  const budget = createThreadBudget(4);
  const one = budget.open();
  const other = budget.open();
  const first = one.take(3);
  assert.equal(first.threads, 3);
  assert.equal(other.take(3).threads, 1);
  assert.equal(other.take(NaN).threads, 1);
  one.release(first.lease);
  one.release(first.lease);
  assert.equal(budget.free, 2);
  other.close();
  assert.equal(budget.free, 4);
  assert.throws(() => {
    for (let i = 0; i < 100; i++) one.take(1);
  }, /thread leases/);
});

Deno.test("SeqRing keeps the newest in order, and knows what it dropped", () => {
  const ring = new SeqRing<{ seq: number }>(3);
  const seqs = (entries: { seq: number }[]) => entries.map(({ seq }) => seq);
  assert.deepEqual(ring.after(-1), { entries: [], gap: false });
  for (const seq of [10, 20, 30, 40, 50]) ring.add({ seq });
  assert.deepEqual(seqs(ring.newest(2)), [40, 50]);
  assert.deepEqual(seqs(ring.newest(100)), [30, 40, 50]);
  assert.equal(ring.newest(NaN).length, 0);
  assert.equal(ring.newest(-1).length, 0);
  const after = (seq: number) => [seqs(ring.after(seq).entries), ring.after(seq).gap];
  assert.deepEqual(after(19), [[30, 40, 50], true]);
  assert.deepEqual(after(20), [[30, 40, 50], false]);
  assert.deepEqual(after(40), [[50], false]);
  assert.deepEqual(after(1000), [[], false]);
  ring.lost(45);
  assert.deepEqual(after(40), [[50], true]);
});

Deno.test("createPluginLog counts a flood instead of keeping it", () => {
  let nowMs = 0;
  const lines: string[] = [];
  const ring = createPluginLog({ now: () => nowMs, keep: ({ message }) => lines.push(message) });
  for (let i = 0; i < 5000; i++) ring.write("stdout", "info", "flood");
  assert.equal(lines.length, 1000);
  ring.write("host", "warn", "still heard");
  assert.equal(lines.at(-1), "still heard");
  for (let i = 0; i < 500; i++) ring.write("host", "warn", "caused");
  assert.equal(lines.length, 1100);
  nowMs = 1000;
  ring.flush();
  assert.match(lines.at(-1) ?? "", /^Dropped 4401 lines/);
});

Deno.test("toPlainText and toPlainFields disarm and cut", () => {
  assert.equal(toPlainText("a\r\nb\tc\u0007\u009b\u2066", 100), "a\u21b5b c\ufffd\ufffd\ufffd");
  assert.equal(toPlainText("äöü".repeat(100), 5), "äö…");
  const cycle: Record<string, unknown> = { n: 1n, deep: { a: { b: { c: { d: 1 } } } } };
  cycle["self"] = cycle;
  assert.equal(JSON.stringify(toPlainFields(cycle, 4096)).length < 500, true);
  const wide = Object.fromEntries(Array.from({ length: 10_000 }, (_, i) => [`k\n${i}`, "x"]));
  assert.ok(JSON.stringify(toPlainFields(wide, 4096)).length < 8192);
  const hostile = JSON.parse('{"__proto__":{"a":1},"b":"\\u001b"}');
  assert.deepEqual(toPlainFields(hostile, 100), { b: "\ufffd" });
  assert.equal(toPlainFields([1], 100), undefined);
});

Deno.test("createAuditTrail merges equal entries in a row within a second", () => {
  let nowMs = 0;
  const sunk: AuditEntry[] = [];
  const trail = createAuditTrail({
    now: () => nowMs,
    sink: (entry) => sunk.push(entry),
    capacity: 2,
  });
  trail.add("a", "invoke", "x", "ok");
  trail.add("a", "invoke", "x", "ok");
  trail.add("b", "invoke", "x", "ok");
  nowMs = 1000;
  trail.add("b", "invoke", "x", "ok");
  assert.deepEqual(sunk.map(({ principal, count }) => [principal, count]), [["a", 2], ["b", 1]]);
  assert.equal(trail.tail(10).length, 2);
  trail.flush();
  assert.equal(sunk.length, 2);
  trail.flush(true);
  assert.equal(sunk.length, 3);
});

Deno.test("createAuditTrail cuts a plugin that makes up ever new service calls", () => {
  let sunk = 0;
  const trail = createAuditTrail({ now: () => 0, sink: () => sunk++ });
  for (let i = 0; i < 10_000; i++) trail.add("plugin:x", "service", `models.open ${i}`, "denied");
  trail.flush(true);
  assert.equal(sunk, 101);
  assert.equal(trail.tail(1)[0]?.count, 9900);
});

Deno.test("createAuditTrail counts a flood in one entry whatever stands between", () => {
  let nowMs = 0;
  const sunk: AuditEntry[] = [];
  const trail = createAuditTrail({ now: () => nowMs, sink: (entry) => sunk.push(entry) });
  for (let i = 0; i < 5000; i++) {
    trail.add("plugin:x", "service", `models.open ${i}`, i % 2 === 0 ? "denied" : "failed");
    trail.add("operator", "invoke", "demo.echo", "ok");
  }
  nowMs = 1000;
  trail.flush();
  assert.ok(sunk.length <= 203, `${sunk.length} entries`);
  const many = sunk.filter(({ object }) => object === "(many)");
  assert.deepEqual(many.map(({ outcome, count }) => [outcome, count]), [
    ["denied", 2450],
    ["failed", 2450],
  ]);
});

Deno.test("closeNames finds what was meant, and nothing far", () => {
  const known = ["llm.chat", "llm.complete", "face.detect"];
  assert.deepEqual(closeNames("llm.cha", known), ["llm.chat"]);
  assert.deepEqual(closeNames("chat", known), ["llm.chat"]);
  assert.deepEqual(closeNames("zzz", known), []);
  assert.deepEqual(closeNames("x".repeat(1_000_000), known), []);
});
