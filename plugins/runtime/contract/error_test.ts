import assert from "node:assert/strict";
import { AppError, toAppError } from "./error.ts";

Deno.test("AppError is known across bundles, and nothing else is one", async () => {
  // An engine is a module with a copy of its own.
  const other = await import(new URL("./error.ts?copy", import.meta.url).href) as {
    AppError: typeof AppError;
  };
  assert.notEqual(other.AppError, AppError);
  const error = new other.AppError("CONTEXT_OVERFLOW", "The prompt is too long", { details: 1 });
  assert.ok(error instanceof AppError);
  assert.deepEqual(toAppError(error, "PLUGIN_ERROR").toWire(), {
    code: "CONTEXT_OVERFLOW",
    message: "The prompt is too long",
    retryable: false,
    details: 1,
  });
  class Slow extends AppError {}
  assert.ok(new Slow("TIMEOUT", "It is slow") instanceof AppError);
  assert.ok(new Slow("TIMEOUT", "It is slow") instanceof Slow);
  assert.ok(!(error instanceof Slow));
  for (const value of [new Error("plain"), { code: "TIMEOUT" }, null, undefined, "AppError"]) {
    assert.ok(!(value instanceof AppError));
  }
});
