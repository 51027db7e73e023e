import assert from "node:assert/strict";
import { AppError } from "../../contract/error.ts";
import { Slots } from "./slots.ts";

const alive = () => {};

Deno.test("Slots admit in the order of asking", async () => {
  const slots = new Slots(1);
  const order: number[] = [];
  await slots.take(undefined, alive);
  const waiting = [1, 2, 3].map((id) => slots.take(undefined, alive).then(() => order.push(id)));
  for (const _ of waiting) slots.release();
  await Promise.all(waiting);
  assert.deepEqual(order, [1, 2, 3]);
});

Deno.test("Slots let a cancelled call leave the queue without taking a slot", async () => {
  const slots = new Slots(1);
  const abort = new AbortController();
  await slots.take(undefined, alive);
  const cancelled = slots.take(abort.signal, alive);
  const next = slots.take(undefined, alive);
  abort.abort();
  await assert.rejects(cancelled, { name: "AbortError" });
  slots.release();
  await next;
  await assert.rejects(slots.take(abort.signal, alive), { name: "AbortError" });
});

Deno.test("Slots refuse all when closed", async () => {
  const slots = new Slots(1);
  await slots.take(undefined, alive);
  const waiting = slots.take(undefined, alive);
  slots.close(new AppError("UNAVAILABLE", "gone"));
  await assert.rejects(waiting, { code: "UNAVAILABLE" });
  await assert.rejects(slots.take(undefined, alive), { code: "UNAVAILABLE" });
});
