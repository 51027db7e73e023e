import assert from "node:assert/strict";
import {
  capText,
  formatAgo,
  formatBytes,
  formatCount,
  formatDuration,
  formatMilliseconds,
  formatNumber,
  formatPercent,
  formatPlural,
  formatRate,
  unknownNumber,
} from "./format.ts";

Deno.test("formatBytes: three digits, and the next unit before a fourth", () => {
  const shown = [0, 999, 1000, 1024, 1536, 1_048_575, 2 ** 30, 3 * 2 ** 40].map(formatBytes);
  assert.deepEqual(shown, [
    "0 B",
    "999 B",
    "0.977 KiB",
    "1 KiB",
    "1.5 KiB",
    "1 MiB",
    "1 GiB",
    "3 TiB",
  ]);
});

Deno.test("what is not known or no number is shown as such, with no unit", () => {
  for (const format of [formatBytes, formatCount, formatNumber, formatPercent, formatDuration]) {
    assert.equal(format(undefined), unknownNumber);
    assert.equal(format(NaN), unknownNumber);
    assert.equal(format(Infinity), unknownNumber);
  }
});

Deno.test("formatCount groups, and shortens what is too long to be read", () => {
  assert.equal(formatCount(1_234_567), "1,234,567");
  assert.equal(formatCount(12_345_678), "12.3 M");
  assert.equal(formatCount(5_000_000_000), "5 G");
  assert.equal(formatPlural(1, "model"), "1 model");
  assert.equal(formatPlural(0, "model"), "0 models");
});

Deno.test("formatPercent and formatRate say that a little is not nothing", () => {
  assert.equal(formatPercent(0), "0%");
  assert.equal(formatPercent(0.04), "<0.1%");
  assert.equal(formatPercent(3.14), "3.1%");
  assert.equal(formatPercent(199.6), "200%");
  assert.equal(formatRate(0.123), "0.123/s");
});

Deno.test("formatDuration: the two largest units, and none that is zero", () => {
  const second = 1000, minute = 60 * second, hour = 60 * minute, day = 24 * hour;
  assert.equal(formatDuration(-5), "0 ms");
  assert.equal(formatDuration(999.4), "999 ms");
  assert.equal(formatDuration(59 * second + 999), "59 s");
  assert.equal(formatDuration(3 * minute + 12 * second), "3 min 12 s");
  assert.equal(formatDuration(2 * hour), "2 h");
  assert.equal(formatDuration(26 * hour + 59 * minute), "1 d 2 h");
  assert.equal(formatDuration(400 * day), "400 d");
});

Deno.test("formatAgo: rough while it is recent, the date after a day", () => {
  const now = Date.UTC(2026, 4, 3, 12);
  assert.equal(formatAgo(now + 5000, now), "just now");
  assert.equal(formatAgo(now - 42_000, now), "42 s ago");
  assert.equal(formatAgo(now - 3 * 60_000 - 59_000, now), "3 min ago");
  assert.match(formatAgo(now - 40 * 3_600_000, now), /May 2026/);
});

Deno.test("capText: never half a character, and nothing that steers its surroundings", () => {
  assert.equal(capText("name", 4), "name");
  assert.equal(capText("a long name", 7), "a long…");
  assert.equal(capText("ab🚀🚀", 3), "ab…");
  assert.equal(capText("\u202egnp.exe", 20), "\ufffdgnp.exe");
  assert.equal(capText("A".repeat(10_000), 100).length, 101);
});

Deno.test("formatMilliseconds: three digits below a second, then as any duration", () => {
  const shown = [0.42131, 12.34, 999, 1000, 72_000, undefined].map(formatMilliseconds);
  assert.deepEqual(shown, ["0.421 ms", "12.3 ms", "999 ms", "1 s", "1 min 12 s", unknownNumber]);
});
