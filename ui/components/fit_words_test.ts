import assert from "node:assert/strict";
import type { Fit } from "../../models/fit.ts";
import { describeFit, formatAbout, gradeFit } from "./fit_words.ts";

const gib = 1024 ** 3;

function fitOf(changes: Partial<Fit>): Fit {
  return {
    backend: "wasm",
    home: "server",
    peakBytes: 0.9 * gib,
    parts: { weights: 0.5 * gib, kvCache: 0.2 * gib, runtime: 0.2 * gib },
    fits: true,
    exact: false,
    ...changes,
  };
}

Deno.test("describeFit: what does not fit names the resource that limits", () => {
  const limits = [
    ["memory", "this machine has 2 GiB free"],
    ["wasm memory", "WebAssembly can use 2 GiB at most"],
    ["plugin's memory limit", "the plugin that would run it may use 2 GiB"],
    ["file size", "WebAssembly opens files of 2 GiB at most"],
    ["disk", "the disk has 2 GiB free"],
    ["gpu memory", "the GPU gives one program 2 GiB at most"],
  ] as const;
  for (const [resource, words] of limits) {
    const fit = fitOf({
      fits: false,
      limitedBy: { resource, neededBytes: 5.04 * gib, availableBytes: 2 * gib },
    });
    const text = describeFit(fit, { availableBytes: 12 * gib });
    assert.ok(text.startsWith(`needs about 5 GiB; ${words}`), text);
  }
});

Deno.test("describeFit: what fits says its need beside what there is, exact only when it is", () => {
  const room = { availableBytes: 12.34 * gib };
  assert.equal(
    describeFit(fitOf({}), room),
    "needs about 920 MiB; this machine has 12 GiB free",
  );
  assert.equal(
    describeFit(fitOf({ exact: true, home: "browser" }), room),
    "needs 920 MiB; this browser has 12 GiB free",
  );
  assert.equal(describeFit(fitOf({})), "needs about 920 MiB of memory");
});

Deno.test("gradeFit: a model that takes more than two thirds of what is free is tight", () => {
  const room = { availableBytes: 1.5 * gib };
  assert.equal(gradeFit(fitOf({ peakBytes: gib }), room), "comfortable");
  assert.equal(gradeFit(fitOf({ peakBytes: 1.01 * gib }), room), "tight");
  assert.equal(gradeFit(fitOf({ peakBytes: 1, fits: false }), room), "too large");
  assert.equal(gradeFit(fitOf({})), "comfortable");
});

Deno.test("formatAbout: two digits, in the unit that formatBytes takes", () => {
  assert.equal(formatAbout(0), "0 B");
  assert.equal(formatAbout(998 * 1024), "990 KiB");
  assert.equal(formatAbout(1.34 * gib), "1.3 GiB");
  assert.equal(formatAbout(0.9999 * gib), "1 GiB");
  assert.equal(formatAbout(126 * gib), "130 GiB");
});
