import assert from "node:assert/strict";
import type { Fit } from "../../models/fit.ts";
import {
  bestFit,
  downloadSize,
  formatContext,
  formatParameters,
  modelExample,
  trustWords,
} from "./model_words.ts";

const mebibyte = 1024 * 1024;

Deno.test("downloadSize is exact where it is known, about where its weights are guessed", () => {
  const fits = [fit({ weights: 531.4 * mebibyte })];
  assert.equal(downloadSize({ size: 507 * mebibyte, fits }), "507 MiB");
  assert.equal(downloadSize({ size: null, fits }), "about 530 MiB");
  assert.equal(downloadSize({ size: null, fits: [] }), "size not known yet");
});

Deno.test("bestFit is the first backend that fits, else the one that needs least", () => {
  const small = fit({ fits: false, peakBytes: 5 });
  const large = fit({ fits: false, peakBytes: 9 });
  const good = fit({ fits: true, peakBytes: 99 });
  assert.equal(bestFit([large, good, small]), good);
  assert.equal(bestFit([large, small]), small);
  assert.equal(bestFit([]), undefined);
});

Deno.test("trustWords says that a model is trusted only when it is", () => {
  assert.equal(trustWords({ origin: "demo", trusted: true }), "Trusted: it came with bkg");
  assert.equal(trustWords({ origin: "store", trusted: true }), "Trusted");
  assert.equal(trustWords({ origin: "store", trusted: false }), "Not trusted");
  const changed = { origin: "folder", trusted: false, changedSinceTrusted: true } as const;
  assert.match(trustWords(changed), /^Not trusted: its files changed/);
});

Deno.test("counts of a model have their units", () => {
  assert.deepEqual([2_890_000, 494_000_000, 7_241_000_000].map(formatParameters), [
    "2.89 M",
    "494 M",
    "7.24 B",
  ]);
  assert.deepEqual([undefined, 512, 32_768, 100_000].map(formatContext), [
    "",
    "512 tokens",
    "32 K tokens",
    "100,000 tokens",
  ]);
});

Deno.test("modelExample is one call of a shell, whatever the model is called", () => {
  const model = `owner/it's $(touch owned) "x"\u202e:Q8_0`;
  const text = modelExample({ baseUrl: "https://bkg.example/prefix/", model });
  assert.match(text, /^curl 'https:\/\/bkg\.example\/prefix\/v1\/chat\/completions'/);
  assert.doesNotMatch(text, /\u202e/);
  // Within single quotes nothing is a shell's.
  const body = /--data-raw '([^]*)'$/.exec(text)![1]!.replaceAll(`'\\''`, "'");
  assert.equal(JSON.parse(body).model, model);
});

function fit({ weights = 0, ...part }: Partial<Fit> & { weights?: number }): Fit {
  return {
    backend: "wasm",
    home: "server",
    peakBytes: weights,
    parts: { weights, kvCache: 0, runtime: 0 },
    fits: true,
    exact: false,
    ...part,
  };
}
