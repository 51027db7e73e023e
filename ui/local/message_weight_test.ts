import assert from "node:assert/strict";
import { weighMessage } from "./message_weight.ts";

function problemOf(message: unknown): string | undefined {
  return weighMessage(message).problem;
}

Deno.test("weighMessage refuses what would stop the page: too much, too many, and circles", () => {
  assert.match(problemOf("x".repeat(33 * 1024 * 1024)) ?? "", /more than 33554432 bytes/);
  assert.match(problemOf({ bytes: new Uint8Array(33 * 1024 * 1024) }) ?? "", /more than/);
  // A view of little of a large buffer brings the whole buffer along.
  assert.match(problemOf(new Uint8Array(33 * 1024 * 1024).subarray(0, 1)) ?? "", /more than/);
  assert.match(problemOf(new Blob([new Uint8Array(33 * 1024 * 1024)])) ?? "", /more than/);
  assert.match(problemOf(Array.from({ length: 300_000 }, () => 1)) ?? "", /too many values/);
  const circle: Record<string, unknown> = {};
  circle["self"] = circle;
  assert.match(problemOf(circle) ?? "", /too many values/);
  let deep: unknown = 1;
  for (let depth = 0; depth < 300_000; depth++) deep = [deep];
  assert.match(problemOf(deep) ?? "", /too many values/);
});

Deno.test("weighMessage refuses maps, sets and ports", () => {
  const { port1, port2 } = new MessageChannel();
  for (const value of [new Map(), new Set(), port1]) {
    assert.equal(problemOf({ value }), "holds what is no JSON");
  }
  port1.close();
  port2.close();
});

Deno.test("weighMessage takes what channels send", () => {
  const message = {
    kind: "chunk",
    id: 1,
    seq: 0,
    value: { text: "a word", tensor: new Float32Array(1000) },
  };
  const { bytes, problem } = weighMessage({ port: "host", message });
  assert.equal(problem, undefined);
  assert(bytes > 4000 && bytes < 4500, String(bytes));
  for (const value of [null, undefined, 1, true, "text", new Uint8Array(0)]) {
    assert.equal(problemOf(value), undefined);
  }
});
