import assert from "node:assert/strict";
import type { LogLevel, LogLine } from "../../plugins/runtime/host/host.ts";
import { createLogBuffer, type LogRow, visibleRange } from "./log_buffer.ts";

Deno.test("createLogBuffer keeps the newest lines and tells how many rows went", () => {
  const buffer = createLogBuffer({ capacity: 5 });
  assert.equal(buffer.add(lines(0, 4)), 0);
  assert.equal(buffer.add(lines(4, 3)), 2);
  assert.deepEqual(seqs(buffer.rows), [2, 3, 4, 5, 6]);
  assert.equal(buffer.add(lines(7, 100)), 5);
  assert.deepEqual(seqs(buffer.rows), [102, 103, 104, 105, 106]);
  assert.equal(buffer.size, 5);
});

Deno.test("createLogBuffer drops rows of a filter as it drops their lines", () => {
  const buffer = createLogBuffer({ capacity: 4 });
  buffer.filter({ text: "", level: "warn" });
  buffer.add(lines(0, 4, (seq) => seq % 2 === 0 ? "error" : "info"));
  assert.deepEqual(seqs(buffer.rows), [0, 2]);
  assert.equal(buffer.add(lines(4, 2, () => "info")), 1);
  assert.deepEqual(seqs(buffer.rows), [2]);
  buffer.filter({ text: "", level: "debug" });
  assert.deepEqual(seqs(buffer.rows), [2, 3, 4, 5]);
});

Deno.test("createLogBuffer takes a line that comes again once", () => {
  const buffer = createLogBuffer();
  buffer.add(lines(0, 3));
  buffer.add(lines(1, 3));
  assert.deepEqual(seqs(buffer.rows), [0, 1, 2, 3]);
});

Deno.test("createLogBuffer counts what comes in a pause and shows it afterwards", () => {
  const buffer = createLogBuffer({ capacity: 10 });
  buffer.add(lines(0, 2));
  buffer.pause();
  const before = buffer.rows;
  buffer.add(lines(2, 30));
  assert.equal(buffer.waiting, 30);
  assert.equal(buffer.rows, before);
  buffer.resume();
  assert.equal(buffer.waiting, 0);
  assert.deepEqual(seqs(buffer.rows), [22, 23, 24, 25, 26, 27, 28, 29, 30, 31]);
});

Deno.test("createLogBuffer finds text in messages and fields, whatever the case", () => {
  const buffer = createLogBuffer();
  buffer.add([
    line(0, "info", "Model LOADED"),
    { ...line(1, "info", "other"), fields: { model: "loaded.gguf" } },
    line(2, "info", "nothing"),
  ]);
  buffer.filter({ text: " loaded ", level: "debug" });
  assert.deepEqual(seqs(buffer.rows), [0, 1]);
  assert.match(buffer.text(), /info {2}plugin Model LOADED\n.*\{"model":"loaded.gguf"\}\n$/);
  buffer.clear();
  assert.equal(buffer.text(), "");
});

Deno.test("createLogBuffer shows a gap whatever the filter", () => {
  const buffer = createLogBuffer();
  buffer.filter({ text: "x", level: "error" });
  buffer.addGap();
  assert.match(buffer.text(), /missing/);
});

Deno.test("createLogBuffer takes 500 lines a second for a minute in little time", () => {
  const buffer = createLogBuffer();
  buffer.filter({ text: "line", level: "debug" });
  let worstMs = 0;
  for (let burst = 0; burst < 3600; burst++) {
    const added = lines(burst * 9, 9);
    const started = performance.now();
    buffer.add(added);
    worstMs = Math.max(worstMs, performance.now() - started);
  }
  assert.equal(buffer.size, 2000);
  assert.ok(worstMs < 100, `${worstMs} ms`);
});

Deno.test("visibleRange is a small window, whatever the position", () => {
  const range = (scrollTop: number, count: number) =>
    visibleRange({ scrollTop, height: 240, rowHeight: 24, count });
  assert.deepEqual(range(0, 0), { start: 0, end: 0 });
  assert.deepEqual(range(0, 2000), { start: 0, end: 19 });
  assert.deepEqual(range(24_000, 2000), { start: 992, end: 1019 });
  assert.deepEqual(range(1e9, 2000), { start: 1982, end: 2000 });
  assert.deepEqual(range(-50, 3), { start: 0, end: 3 });
});

function line(seq: number, level: LogLevel, message: string): LogLine {
  return { seq, atMs: 1_700_000_000_000 + seq, level, source: "plugin", message };
}

function lines(from: number, count: number, level: (seq: number) => LogLevel = () => "info") {
  return Array.from(
    { length: count },
    (_, index) => line(from + index, level(from + index), `line ${from + index}`),
  );
}

function seqs(rows: readonly LogRow[]): number[] {
  return rows.map((row) => row.kind === "line" ? row.line.seq : row.seq);
}
