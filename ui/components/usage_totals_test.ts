import assert from "node:assert/strict";
import type { UsageDay } from "../api/account.ts";
import { lastDays, totalsByCapability, totalsByDay } from "./usage_totals.ts";

const used = (day: string, capability: string, calls: number): UsageDay => ({
  day,
  capability,
  pluginId: "p",
  keyId: "",
  calls,
  errors: 1,
  promptTokens: 2,
  completionTokens: 3,
  busyMs: 4,
});

Deno.test("lastDays ends today and crosses months and leap days, in UTC", () => {
  const nowMs = Date.parse("2024-03-01T00:30:00Z");
  assert.deepEqual(lastDays(3, nowMs), ["2024-02-28", "2024-02-29", "2024-03-01"]);
  assert.deepEqual(lastDays(0, nowMs), []);
});

Deno.test("totalsByDay has each day once, those without usage too, and drops days outside", () => {
  const usage = [
    used("2026-01-02", "a.b", 2),
    used("2026-01-02", "c.d", 3),
    used("2025-01-01", "a.b", 9),
  ];
  const totals = totalsByDay(usage, ["2026-01-01", "2026-01-02"]);
  assert.deepEqual(totals.map(({ day, calls, errors }) => [day, calls, errors]), [
    ["2026-01-01", 0, 0],
    ["2026-01-02", 5, 2],
  ]);
});

Deno.test("totalsByCapability adds days up, most calls first, whatever the name is", () => {
  const usage = [used("1", "a.b", 1), used("2", "__proto__", 4), used("3", "a.b", 2)];
  const totals = totalsByCapability(usage);
  assert.deepEqual(totals.map(({ capability, calls, busyMs }) => [capability, calls, busyMs]), [
    ["__proto__", 4, 4],
    ["a.b", 3, 8],
  ]);
});
