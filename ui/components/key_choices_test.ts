import assert from "node:assert/strict";
import { expiryOf, isoDay, scopesOf } from "./key_choices.ts";

const nowMs = new Date(2026, 0, 31, 12).getTime();

Deno.test("expiryOf refuses days that have gone, that are none and that no clock reaches", () => {
  for (const day of ["", "2026-01-30", "31.1.2027", "2026-1-5", "999999-01-01"]) {
    assert.equal(expiryOf("custom", { day, nowMs }), undefined, day);
  }
});

Deno.test("expiryOf takes today until its end, where the person is", () => {
  const endMs = expiryOf("custom", { day: isoDay(nowMs), nowMs });
  assert.equal(endMs, new Date(2026, 1, 1).getTime() - 1000);
  assert.equal(expiryOf("never", { day: "", nowMs }), null);
  assert.equal(expiryOf("30 days", { day: "", nowMs }), nowMs + 30 * 24 * 60 * 60_000);
});

Deno.test("scopesOf for chats never asks for more than the person has", () => {
  const chat = (mine: string[]) => scopesOf("chat", { mine, custom: ["*"] });
  assert.deepEqual(chat([]), []);
  assert.deepEqual(chat(["account", "models:read"]), []);
  assert.deepEqual(chat(["invoke:llm.chat", "invoke:face.find"]), ["invoke:llm.chat"]);
  assert.deepEqual(chat(["*"]), ["invoke:llm.*", "models:read"]);
});
