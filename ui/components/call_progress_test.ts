import assert from "node:assert/strict";
import { AppError } from "../../plugins/runtime/contract/error.ts";
import { createCallProgress, maxShownItems } from "./call_progress.ts";

Deno.test("createCallProgress keeps the last items of a long stream, each cut", () => {
  let nowMs = 5;
  const progress = createCallProgress(() => nowMs);
  nowMs = 8;
  for (let index = 0; index < 10_000; index++) {
    progress.item({ index, text: "x".repeat(5000) });
    nowMs++;
  }
  const lines = progress.itemsText.split("\n");
  assert.equal(progress.items, 10_000);
  assert.equal(lines.length, maxShownItems);
  assert.match(lines.at(-1) ?? "", /^\{"index":9999,/);
  assert.ok(lines.every((line) => line.length <= 1001));
  assert.deepEqual([progress.startedAtMs, progress.firstAtMs, progress.endedAtMs], [
    5,
    8,
    undefined,
  ]);
});

Deno.test("createCallProgress cuts a big result on the screen and keeps it whole", () => {
  const progress = createCallProgress(() => 0);
  const value = { list: Array.from({ length: 100_000 }, (_, index) => index) };
  progress.end(value);
  assert.equal(progress.state, "done");
  assert.ok(progress.result !== undefined && progress.result.cut);
  assert.ok(progress.result.shown.length < 21_000);
  assert.deepEqual(JSON.parse(progress.result.text), value);
});

Deno.test("createCallProgress has no result beside the items, and no error of a stopped call", () => {
  const ended = createCallProgress(() => 0);
  ended.end(undefined);
  assert.deepEqual([ended.state, ended.result], ["done", undefined]);
  const stopped = createCallProgress(() => 0);
  stopped.fail(new AppError("CANCELLED", "The call was cancelled"), true);
  assert.deepEqual([stopped.state, stopped.error], ["stopped", undefined]);
  const failed = createCallProgress(() => 0);
  failed.fail(new AppError("INVALID_INPUT", "no", { details: { issues: [] } }), false);
  assert.equal(failed.state, "failed");
  assert.match(failed.details ?? "", /issues/);
});
