import assert from "node:assert/strict";
import { catalog } from "./catalog.ts";
import { describeCatalogModel, estimateFit, type MachineFacts } from "./fit.ts";
import { parseParameters } from "./fit/guess.ts";
import { modelTasks } from "./model.ts";
import { parseSource } from "./source.ts";

Deno.test("the catalogue has each model once, and some for every task", () => {
  assert.equal(new Set(catalog.map(({ id }) => id)).size, catalog.length);
  assert.equal(new Set(catalog.map(({ source }) => source)).size, catalog.length);
  for (const task of modelTasks) {
    const models = catalog.filter((model) => model.task === task);
    assert.ok(models.length >= 2, task);
    assert.ok(models.some(({ recommended }) => recommended), task);
  }
  assert.ok(catalog.filter(({ task, recommended }) => task === "chat" && recommended).length >= 3);
});

Deno.test("the catalogue names sources of a hub that a pull can take, and no address", () => {
  for (const { id, source, engine, task } of catalog) {
    const parsed = parseSource(source);
    assert.ok(parsed.kind === "hub" && parsed.variant !== undefined, source);
    assert.ok(id.startsWith(parsed.repo), id);
    assert.doesNotMatch(source, /:\/\//);
    assert.equal(engine === "onnx", parsed.variant.endsWith(".onnx"), source);
    assert.equal(engine === "wllama", task === "chat", source);
  }
});

Deno.test("the catalogue says parameters as the model's own name does", () => {
  for (const { name, parameters } of catalog) {
    if (parameters === undefined) continue;
    assert.ok(name.includes(parameters), name);
    assert.ok((parseParameters(parameters) ?? 0) >= 1e6, parameters);
  }
});

Deno.test("the catalogue's chat models all fit a machine of 8 GiB with a context of their own", () => {
  for (const model of catalog.filter(({ task }) => task === "chat")) {
    const fit = estimateFit(describeCatalogModel(model), laptop, {
      backend: "wasm",
      contextLength: 2048,
      parallel: 1,
    });
    assert.ok(fit.fits, `${model.id}: ${JSON.stringify(fit)}`);
    assert.equal(fit.exact, false);
  }
});

const laptop: MachineFacts = {
  cores: 4,
  memoryBytes: 8e9,
  availableBytes: 6e9,
  diskFreeBytes: 50e9,
  diskTotalBytes: 250e9,
  webgpu: undefined,
  pluginMemoryBytes: 4096 * 1_048_576,
  os: "linux",
  arch: "x86_64",
};
