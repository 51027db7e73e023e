import assert from "node:assert/strict";
import { AppError } from "../../contract/error.ts";
import { Slots } from "./slots.ts";

const alice = { principal: "alice", alive: () => {} };

Deno.test("Slots admit in the order of asking", async () => {
  const slots = new Slots(1);
  const order: number[] = [];
  await slots.take(alice);
  const waiting = [1, 2, 3].map((id) => slots.take(alice).then(() => order.push(id)));
  for (const _ of waiting) slots.release();
  await Promise.all(waiting);
  assert.deepEqual(order, [1, 2, 3]);
});

Deno.test("Slots let a cancelled call leave the queue without taking a slot", async () => {
  const slots = new Slots(1);
  const abort = new AbortController();
  await slots.take(alice);
  const cancelled = slots.take({ ...alice, signal: abort.signal });
  const next = slots.take(alice);
  abort.abort();
  await assert.rejects(cancelled, { name: "AbortError" });
  slots.release();
  await next;
  await assert.rejects(slots.take({ ...alice, signal: abort.signal }), { name: "AbortError" });
});

Deno.test("Slots refuse all when closed", async () => {
  const slots = new Slots(1);
  await slots.take(alice);
  const waiting = slots.take(alice);
  slots.close(new AppError("UNAVAILABLE", "gone"));
  await assert.rejects(waiting, { code: "UNAVAILABLE" });
  await assert.rejects(slots.take(alice), { code: "UNAVAILABLE" });
});

Deno.test("Slots let principals take turns, however many calls one of them has", async () => {
  const slots = new Slots(1);
  const order: string[] = [];
  await slots.take(alice);
  const ask = (principal: string, name: string) =>
    slots.take({ ...alice, principal }).then(() => order.push(name));
  const waiting = [
    ...["a1", "a2", "a3", "a4"].map((name) => ask("alice", name)),
    ...["b1", "b2"].map((name) => ask("bob", name)),
    ask("carol", "c1"),
  ];
  for (const _ of waiting) slots.release();
  await Promise.all(waiting);
  assert.deepEqual(order, ["a1", "b1", "c1", "a2", "b2", "a3", "a4"]);
});

Deno.test("Slots tell those who wait their place in the line, when it changes", async () => {
  const slots = new Slots(1);
  const seen: string[] = [];
  const abort = new AbortController();
  const ask = (principal: string, name: string, signal?: AbortSignal) =>
    slots.take({ ...alice, principal, signal, moved: (place) => seen.push(`${name}${place}`) });
  const told = () => seen.splice(0).join(" ");
  await slots.take(alice);
  const a = ask("alice", "a");
  const left = ask("alice", "l", abort.signal).catch(() => {});
  assert.equal(told(), "a1 l2");
  const b = ask("bob", "b");
  assert.equal(told(), "b2 l3");
  slots.release();
  await a;
  assert.equal(told(), "b1 l2");
  abort.abort();
  await left;
  assert.equal(told(), "");
  slots.release();
  await b;
});
