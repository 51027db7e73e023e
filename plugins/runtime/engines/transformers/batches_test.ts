import assert from "node:assert/strict";
import { AppError } from "../../contract/error.ts";
import { Batches } from "./batches.ts";
import type { Encoded } from "./encode.ts";

/** Rows of these lengths. */
function rows(...lengths: number[]): Encoded[] {
  return lengths.map((length) => ({
    ids: new Array(length).fill(length),
    types: [],
    truncated: false,
  }));
}

/** Answers each row's length; a run ends when `step` is called. */
function start(maxTokens: number) {
  const runs: number[][] = [];
  const ends: (() => void)[] = [];
  const batches = new Batches<number>(async (batch) => {
    runs.push(batch.map(({ ids }) => ids.length));
    const { promise, resolve } = Promise.withResolvers<void>();
    ends.push(resolve);
    await promise;
    if (batch.some(({ ids }) => ids.length === 13)) throw new AppError("INVALID_OUTPUT", "13");
    return { unpack: () => batch.map(({ ids }) => ids.length) };
  }, { maxTokens });
  const settle = () => new Promise((resolve) => setTimeout(resolve));
  const step = async () => {
    await settle();
    ends.shift()?.();
    await settle();
  };
  return { batches, runs, step };
}

Deno.test("Batches runs what is asked at once together, and answers each caller its own in order", async () => {
  const { batches, runs, step } = start(1000);
  const answers = Promise.all([
    batches.run(rows(5, 3)),
    batches.run(rows(4)),
    batches.run(rows(3, 7, 5)),
    batches.run([]),
  ]);
  await step();
  assert.deepEqual(await answers, [[5, 3], [4], [3, 7, 5], []]);
  assert.deepEqual(runs, [[3, 3, 4, 5, 5, 7]]);
});

Deno.test("Batches keeps to its budget, with padding counted, and takes a row that is over it alone", async () => {
  const { batches, runs, step } = start(600);
  const answer = batches.run(rows(300, 290, 280, 900, 8, 9));
  for (let count = 0; count < 6; count++) await step();
  assert.deepEqual(await answer, [300, 290, 280, 900, 8, 9]);
  assert.deepEqual(runs, [[900], [290, 300], [280], [8, 9]]);
});

Deno.test("Batches lets a single question in between the runs of a whole book", async () => {
  const { batches, runs, step } = start(512);
  const book = batches.run(rows(...new Array(20).fill(256)));
  await step();
  let answered = false;
  const question = batches.run(rows(6)).then(() => answered = true);
  for (let count = 0; count < 3; count++) await step();
  await question;
  assert.ok(answered && runs.length < 7, `${runs.length} runs`);
  for (let count = 0; count < 12; count++) await step();
  assert.equal((await book).length, 20);
});

Deno.test("Batches: who leaves is told at once, takes no run, and nobody else with it", async () => {
  const { batches, runs, step } = start(300);
  const abort = new AbortController();
  const first = batches.run(rows(250));
  await Promise.resolve();
  const leaving = batches.run(rows(256, 257), { signal: abort.signal });
  const staying = batches.run(rows(255));
  const left = assert.rejects(leaving, { code: "CANCELLED" });
  abort.abort();
  await left;
  for (let count = 0; count < 4; count++) await step();
  assert.deepEqual([await first, await staying], [[250], [255]]);
  assert.deepEqual(runs.flat().filter((length) => length > 255), []);
  const late = batches.run(rows(1), { signal: abort.signal });
  await assert.rejects(late, { code: "CANCELLED" });
});

Deno.test("Batches: a run that fails fails its callers with all their rows, and the next one runs", async () => {
  const { batches, runs, step } = start(13);
  const bad = assert.rejects(batches.run(rows(13, 13, 12, 11, 10)), { code: "INVALID_OUTPUT" });
  const good = batches.run(rows(2));
  for (let count = 0; count < 5; count++) await step();
  await bad;
  assert.deepEqual(await good, [2]);
  // One more of them had begun.
  assert.ok(runs.length <= 3, JSON.stringify(runs));
});

Deno.test("Batches.close rejects all that wait", async () => {
  const { batches, step } = start(10);
  const running = batches.run(rows(10));
  await Promise.resolve();
  await Promise.resolve();
  const waiting = assert.rejects(batches.run(rows(9)), { code: "UNAVAILABLE" });
  batches.close(new AppError("UNAVAILABLE", "gone"));
  await waiting;
  await step();
  assert.deepEqual(await running, [10]);
});
