import assert from "node:assert/strict";
import { bytesText, countText, durationText } from "./amounts.ts";

Deno.test("bytesText, durationText, countText: three figures at most, and the next unit in time", () => {
  const bytes = [0, 999, 1000, 9949, 9950, 999_499, 999_500, 531_000_000, 1.84e9, 2e12, 4e15];
  assert.deepEqual(bytes.map(bytesText), [
    ...["0 B", "999 B", "1.0 kB", "9.9 kB", "10 kB", "999 kB", "1.0 MB", "531 MB"],
    ...["1.8 GB", "2.0 TB", "4000 TB"],
  ]);
  assert.deepEqual([-5, 499, 59_499, 59_500, 200_000, 3_600_000, 7_500_000].map(durationText), [
    ...["0 s", "0 s", "59 s", "1 min 0 s", "3 min 20 s", "1 h 0 min", "2 h 5 min"],
  ]);
  assert.deepEqual([7, 260_096, 999_600, 494_032_768, 1_543_714_304, 70.6e9].map(countText), [
    ...["7", "260 k", "1 M", "494 M", "1.5 B", "71 B"],
  ]);
});
