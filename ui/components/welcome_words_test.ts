import assert from "node:assert/strict";
import type { Machine } from "../api/machine.ts";
import {
  advise,
  describeBrowserGpu,
  describeMachine,
  describeServerGpu,
  paceOf,
} from "./welcome_words.ts";

const gib = 1024 ** 3;
const machine: Machine = {
  cores: 2,
  memoryBytes: 16 * gib,
  availableBytes: 12 * gib,
  diskFreeBytes: 40 * gib,
  diskTotalBytes: 100 * gib,
  webgpu: undefined,
  os: "linux",
  arch: "x86_64",
  offline: false,
};

Deno.test("describeMachine: few cores, many cores, and memory that is scarce", () => {
  assert.equal(
    describeMachine(machine),
    "Models of up to 0.5 billion parameters answer well on this machine; those of 1 billion and " +
      "more are slow here.",
  );
  assert.match(describeMachine({ ...machine, cores: 64 }), /those of 7 billion and more are slow/);
  assert.match(
    describeMachine({ ...machine, pluginMemoryBytes: gib }),
    /Memory is scarce: a model may use 1 GiB\.$/,
  );
});

Deno.test("paceOf: more parameters are slower, more cores faster up to what memory gives", () => {
  assert.equal(paceOf(135e6, 2), "quick");
  assert.equal(paceOf(0.5e9, 2), "steady");
  assert.equal(paceOf(1.5e9, 2), "slow");
  assert.equal(paceOf(1e9, 8), "quick");
  assert.equal(paceOf(7e9, 128), "slow");
});

Deno.test("GPUs: software is said as such, and a server's is not promised", () => {
  const drawn = describeBrowserGpu({ adapter: "google swiftshader", software: true });
  assert.match(`${drawn.value} ${drawn.hint}`, /In software .*no faster than the processor/);
  assert.equal(describeBrowserGpu(undefined).value, "None");
  assert.equal(describeServerGpu({ available: false }).value, "None");
  assert.match(describeServerGpu({ available: true, adapter: "x" }).hint, /run on the processor/);
});

Deno.test("advise: names HF_TOKEN unless the message does, and is silent where it knows nothing", () => {
  const typed = { typed: true };
  const refusal = { code: "FORBIDDEN", retryable: false } as const;
  assert.match(advise({ ...refusal, message: "It is gated" }, typed) ?? "", /HF_TOKEN/);
  assert.equal(advise({ ...refusal, message: "It is gated: set HF_TOKEN" }, typed), undefined);
  assert.equal(advise({ code: "INTERNAL", message: "Oh", retryable: false }, typed), undefined);
});
