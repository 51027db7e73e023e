import assert from "node:assert/strict";
import { parseContentRange, RangeSet } from "./ranges.ts";

Deno.test("RangeSet: agrees with a list of bytes, whatever is added in whatever order", () => {
  for (let round = 0; round < 300; round++) {
    const set = new RangeSet();
    const bytes = new Array<boolean>(64).fill(false);
    for (let turn = 0; turn < 12; turn++) {
      const start = Math.floor(Math.random() * 64);
      const end = Math.min(64, start + Math.floor(Math.random() * 16));
      set.add([start, end]);
      bytes.fill(true, start, Math.max(start, end));
      const covered = new Array<boolean>(64).fill(false);
      for (const [from, to] of set.ranges) covered.fill(true, from, to);
      assert.deepEqual(covered, bytes);
      assert.equal(set.bytes, bytes.filter(Boolean).length);
      const prefix = bytes.indexOf(false);
      assert.equal(set.prefix, prefix < 0 ? 64 : prefix);
      for (const [from, to] of set.missing(64, 5)) {
        assert.ok(to > from && to - from <= 5);
        covered.fill(true, from, to);
      }
      assert.ok(covered.every(Boolean));
    }
    // Apart from each other, in order.
    for (const [index, [start]] of set.ranges.entries()) {
      assert.ok(index === 0 || start > set.ranges[index - 1]![1]);
    }
  }
});

Deno.test("parseContentRange: reads what can be, and nothing else", () => {
  assert.deepEqual(parseContentRange("bytes 0-0/1"), { start: 0, end: 1, total: 1 });
  assert.deepEqual(parseContentRange("bytes 5-9/*"), { start: 5, end: 10, total: undefined });
  const others = [
    ...[
      null,
      "",
      "bytes */10",
      "bytes 9-5/10",
      "bytes 0-10/10",
      "bytes -1-5/10",
      "bytes 0-5",
      "0-5/10",
    ],
    ...[
      "bytes 0-5/10, bytes 7-8/10",
      `bytes 0-${"9".repeat(20)}/*`,
      "bytes 0x0-5/10",
      "bytes 1e2-5/10",
    ],
  ];
  for (const other of others) assert.equal(parseContentRange(other), undefined, String(other));
});
