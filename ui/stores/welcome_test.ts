import assert from "node:assert/strict";
import type { CatalogEntry, Model } from "../api/models.ts";
import { chooseModels, isForChat } from "./welcome.ts";

const gib = 1024 ** 3;
const machine = { availableBytes: 6 * gib };

/** A model that takes its size and a fifth. */
function entryOf(id: string, sizeGib: number | null, changes: Partial<CatalogEntry> = {}) {
  const peakBytes = (sizeGib ?? 0) * 1.2 * gib;
  const fit = {
    backend: "wasm",
    home: "server",
    peakBytes,
    parts: { weights: peakBytes, kvCache: 0, runtime: 0 },
    fits: peakBytes < machine.availableBytes,
    exact: false,
  } as const;
  return {
    id,
    name: id,
    description: "",
    task: "chat",
    engine: "wllama",
    source: `hub/${id}`,
    size: sizeGib === null ? null : sizeGib * gib,
    recommended: true,
    installed: null,
    job: null,
    fits: sizeGib === null ? [] : [fit, { ...fit, home: "browser", fits: false }],
    ...changes,
  } as CatalogEntry;
}

function idsOf(entries: readonly CatalogEntry[]) {
  return chooseModels(entries, machine).map(({ role, entry }) => `${role} ${entry.id}`);
}

Deno.test("chooseModels: nothing that chats, or nothing that fits, is no choice", () => {
  assert.deepEqual(idsOf([]), []);
  assert.deepEqual(idsOf([entryOf("embeds", 0.1, { task: "embedding" })]), []);
  assert.deepEqual(idsOf([entryOf("huge", 20)]), []);
  assert.deepEqual(idsOf([entryOf("onnx", 0.1, { engine: "onnx" })]), []);
});

Deno.test("chooseModels: the largest comfortable one, the smallest, and one between, by size", () => {
  const entries = [
    entryOf("tight", 4.5),
    entryOf("large", 3),
    entryOf("medium", 0.9),
    entryOf("small", 0.3),
    entryOf("tiny", 0.1, { recommended: false }),
  ];
  assert.deepEqual(idsOf(entries), ["modest small", "middle medium", "best large"]);
  assert.deepEqual(idsOf(entries.slice(0, 2)), ["best large"]);
  assert.deepEqual(idsOf(entries.slice(1, 3)), ["modest medium", "best large"]);
});

Deno.test("chooseModels: a recommended one comes before a larger that is not", () => {
  const entries = [entryOf("other", 3, { recommended: false }), entryOf("ours", 1)];
  assert.deepEqual(idsOf(entries), ["best ours"]);
});

Deno.test("chooseModels: what only just fits is offered where nothing fits well", () => {
  assert.deepEqual(idsOf([entryOf("tight", 4.5)]), ["best tight"]);
});

Deno.test("chooseModels: sizes that nobody knows are taken from the parameters", () => {
  const unknown = [
    entryOf("b", null, { parameters: "1.5B" }),
    entryOf("a", null, { parameters: "360M" }),
    entryOf("c", null, { parameters: "70B" }),
  ];
  assert.deepEqual(idsOf(unknown), ["modest a", "best b"]);
  assert.deepEqual(idsOf([...unknown, entryOf("known", 1)]), [
    "modest a",
    "middle known",
    "best b",
  ]);
});

Deno.test("isForChat: neither the demo nor what embeds", () => {
  const model = { format: "gguf", origin: "store", task: "chat" } as Model;
  assert.equal(isForChat(model), true);
  assert.equal(isForChat({ ...model, task: undefined, chatTemplate: true }), true);
  assert.equal(isForChat({ ...model, task: undefined, chatTemplate: false }), false);
  assert.equal(isForChat({ ...model, origin: "demo" }), false);
  assert.equal(isForChat({ ...model, task: "embedding" }), false);
  assert.equal(isForChat({ ...model, format: "onnx" }), false);
});
