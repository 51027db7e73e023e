// What OpenAI's client sees of models that come and go while the server runs: of bkg's store, and of another program's.

import assert from "node:assert/strict";
import { dirname, join } from "node:path";
import OpenAI from "openai";
import { encodeHeader, padding, stringValue, u32Value } from "../../../models/gguf/encode.ts";
import type { ModelManifest } from "../../../models/model.ts";
import { projectRoot } from "../../build/bundles.ts";
import { type ServerProcess, startServer } from "../server_process.ts";

const demoPath = join(projectRoot, "models/demo/demo-stories-q8_0.gguf");
const stored = "Owner/Stored-GGUF:Q8_0";
const cached = "Owner/Cached-GGUF:Q8_0";

Deno.test("models that come are served at once, and gone when they are removed, not from under a chat", async (t) => {
  const cache = await Deno.makeTempDir({ prefix: "bkg-hub-" });
  // The other program has no store yet.
  await Deno.remove(cache);
  await using server = await startServer({ env: { BKG_MODEL_CACHES: cache } });
  const client = new OpenAI({ baseURL: `${server.url}/v1`, apiKey: server.token, maxRetries: 0 });
  const listed = async () =>
    (await client.models.list()).data.filter(({ id }) => id.startsWith("Owner/"))
      .map(({ id, owned_by }) => `${id} of ${owned_by}`);
  const ask = (model: string) =>
    client.chat.completions.create({
      model,
      messages: [{ role: "user", content: "Tell me a story" }],
      max_tokens: 20,
    });
  const isUnknown = (error: unknown) =>
    error instanceof OpenAI.NotFoundError && error.code === "model_not_found";
  await ask("demo-stories-q8_0");

  await t.step("a model of the store, by any spelling", async () => {
    await assert.rejects(ask(stored), isUnknown);
    await store(server);
    assert.deepEqual(await listed(), [`${stored} of Owner`]);
    assert.equal((await client.models.retrieve(stored)).id, stored);
    const plain = await server.fetch(`/v1/models/${stored}`);
    assert.equal((await plain.json()).id, stored);
    for (const model of [stored, "owner/stored-gguf", stored.toUpperCase()]) {
      assert.ok((await ask(model)).usage!.completion_tokens > 0);
    }
  });

  await t.step(
    "one that is loaded is not removed; unloaded it is, and is gone at once",
    async () => {
      const path = `/api/models/${encodeURIComponent(stored)}`;
      const refused = await server.fetch(path, { method: "DELETE" });
      assert.equal(refused.status, 409, await refused.text());
      const last = await server.fetch("/api/capabilities/llm.complete", {
        method: "POST",
        headers: { "content-type": "application/json" },
        body: JSON.stringify({ model: stored, prompt: "Once", maxTokens: 1, keepAliveMs: 0 }),
      });
      assert.equal(last.status, 200, await last.text());
      // It is unloaded behind the answer.
      let removed = await server.fetch(path, { method: "DELETE" });
      for (let tries = 0; removed.status === 409 && tries < 200; tries++) {
        await removed.body?.cancel();
        await new Promise((resolve) => setTimeout(resolve, 20));
        removed = await server.fetch(path, { method: "DELETE" });
      }
      assert.equal(removed.status, 200, await removed.text());
      assert.deepEqual(await listed(), []);
      await assert.rejects(ask(stored), isUnknown);
    },
  );

  await t.step("a model of another program that was not there when the cell started", async () => {
    const repo = join(cache, "models--Owner--Cached-GGUF");
    const snapshot = join(repo, "snapshots", "0123456789abcdef0123456789abcdef01234567");
    await Deno.mkdir(join(repo, "blobs"), { recursive: true });
    await Deno.mkdir(snapshot, { recursive: true });
    await Deno.copyFile(demoPath, join(repo, "blobs", "f00d"));
    await Deno.symlink("../../blobs/f00d", join(snapshot, "cached-q8_0.gguf"));
    assert.deepEqual(await listed(), [`${cached} of Owner`]);
    assert.ok((await ask("owner/cached-gguf")).usage!.completion_tokens > 0);
    await Deno.remove(cache, { recursive: true });
    assert.deepEqual(await listed(), []);
    await assert.rejects(ask(cached), isUnknown);
  });

  await t.step("an embedding model is no one to chat with, and says so", async () => {
    await Deno.writeFile(join(server.dataDir, "models", "tiny-bert.gguf"), tinyBert());
    const { task } = await (await server.fetch("/api/models/tiny-bert")).json();
    assert.equal(task, "embedding");
    // It is listed, and not where clients look for one to chat with.
    const ids = (await client.models.list()).data.map(({ id }) => id);
    assert.ok(ids.indexOf("tiny-bert") > ids.indexOf("demo-stories-q8_0"), ids.join());
    await assert.rejects(ask("tiny-bert"), (error) =>
      error instanceof OpenAI.BadRequestError &&
      error.message.includes('"tiny-bert" is an embedding model'));
  });
});

/** The demo model, laid into the server's store as a pull would leave it. */
async function store({ dataDir }: ServerProcess): Promise<void> {
  const bytes = await Deno.readFile(demoPath);
  const hash = new Uint8Array(await crypto.subtle.digest("SHA-256", bytes)).toHex();
  const manifest: ModelManifest = {
    version: 1,
    id: stored,
    source: "Owner/Stored-GGUF:Q8_0",
    pinned: false,
    pulledAtMs: Date.now(),
    files: [{ name: "stored-q8_0.gguf", size: bytes.length, digest: `sha256:${hash}` }],
  };
  const blob = join(dataDir, "models", "blobs", `sha256-${hash}`);
  const path = join(dataDir, "models", "manifests", "Owner", "Stored-GGUF", "Q8_0.json");
  for (const file of [blob, path]) await Deno.mkdir(dirname(file), { recursive: true });
  await Deno.writeFile(blob, bytes);
  await Deno.writeTextFile(path, JSON.stringify(manifest));
}

/** A header that says what it is, and one tensor. */
function tinyBert(): Uint8Array {
  const header = encodeHeader({
    metadata: [
      ["general.architecture", stringValue("bert")],
      ["bert.context_length", u32Value(512)],
    ],
    tensors: [{ name: "token_embd.weight", dims: [8], type: 0, offset: 0 }],
  });
  return new Uint8Array([...header, ...padding(header.length, 32), ...new Uint8Array(32)]);
}
