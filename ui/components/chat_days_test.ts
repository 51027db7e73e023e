import assert from "node:assert/strict";
import { groupByDay } from "./chat_days.ts";

Deno.test("groupByDay: days begin at midnight, and keep the order", () => {
  const now = new Date(2026, 2, 29, 0, 30).getTime();
  const chat = (id: string, hoursAgo: number) => {
    const atMs = now - hoursAgo * 3_600_000;
    return { id, title: id, createdAtMs: atMs, updatedAtMs: atMs, sampling: {} };
  };
  const groups = groupByDay([
    chat("future", -5),
    chat("now", 0),
    chat("before midnight", 1),
    chat("two days", 40),
    chat("weeks", 24 * 20),
    chat("years", 24 * 900),
  ], now);
  assert.deepEqual(groups.map(({ day, chats }) => [day, chats.map(({ id }) => id)]), [
    ["Today", ["future", "now"]],
    ["Yesterday", ["before midnight"]],
    ["Last 7 days", ["two days"]],
    ["Last 30 days", ["weeks"]],
    ["Older", ["years"]],
  ]);
});
