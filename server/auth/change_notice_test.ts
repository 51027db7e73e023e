import assert from "node:assert/strict";
import { AppError } from "../../plugins/runtime/contract/error.ts";
import { changing } from "./change_notice.ts";
import type { Change } from "./identities.ts";

Deno.test("changing tells after the change, and before the caller goes on", async () => {
  const events: string[] = [];
  await changing({
    identities: { changed: () => void events.push("told") },
    run: () => Promise.resolve().then(() => void events.push("committed")),
    touches: () => [{ kind: "key", id: "a" }],
  });
  events.push("answered");
  assert.deepEqual(events, ["committed", "told", "answered"]);
});

Deno.test("changing tells of what may have been committed, and not of what was refused", async () => {
  const told: Change[] = [];
  const fail = (error: Error) =>
    changing({
      identities: { changed: (change) => void told.push(change) },
      run: () => Promise.reject(error),
      touches: () => [{ kind: "user", id: "a" }],
    });
  for (const code of ["NOT_FOUND", "CONFLICT", "FORBIDDEN", "INVALID_INPUT"] as const) {
    await assert.rejects(fail(new AppError(code, "no")), { code });
  }
  assert.deepEqual(told, []);
  for (const code of ["UNAVAILABLE", "DEADLINE_EXCEEDED", "INTERNAL"] as const) {
    await assert.rejects(fail(new AppError(code, "who knows")), { code });
  }
  await assert.rejects(fail(new TypeError("x")), /x/);
  assert.equal(told.length, 4);
});
