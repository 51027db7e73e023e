// Vectors and rankings as clients ask for them: OpenAI's client and plain requests, over a real server and real engines.

import assert from "node:assert/strict";
import { join } from "node:path";
import OpenAI from "openai";
import { createTransformersEngine } from "../../../plugins/runtime/engines/transformers/mod.ts";
import {
  createTestHost,
  openModelFolder,
} from "../../../plugins/runtime/engines/transformers/testing_host.ts";
import { rankerFiles } from "../../../plugins/runtime/engines/transformers/testing_ranker.ts";
import { buildBundles, projectRoot } from "../../build/bundles.ts";
import { skipUnless } from "../require.ts";
import { type ServerProcess, startServer } from "../server_process.ts";
import { sharedModelsProblem } from "../shared_models.ts";

const sharedModels = join(projectRoot, "..", "shared", "models");

Deno.test("re-ranking over HTTP, by a cross-encoder that counts common words", async (t) => {
  await using server = await startServer();
  const folder = join(server.dataDir, "models", "tiny-ranker");
  for (const [name, content] of Object.entries(rankerFiles())) {
    const path = join(folder, name);
    await Deno.mkdir(join(path, ".."), { recursive: true });
    const isBytes = content instanceof Uint8Array;
    await Deno.writeFile(
      path,
      isBytes ? content : new TextEncoder().encode(JSON.stringify(content)),
    );
  }
  const asked = {
    model: "tiny-ranker",
    query: "red fox",
    documents: ["blue bird", { text: "red fox" }, "red bird"],
  };

  await t.step("the best first, in the shape of Jina and Cohere", async () => {
    const { status, body } = await post(server, "/v1/rerank", { ...asked, return_documents: true });
    assert.equal(status, 200, JSON.stringify(body));
    assert.deepEqual(body.results.map(({ index }: { index: number }) => index), [1, 2, 0]);
    assert.deepEqual(body.results[0].document, { text: "red fox" });
    for (const { relevance_score: score } of body.results) assert.ok(score > 0 && score < 1);
    assert.equal(body.model, "tiny-ranker");
    assert.equal(body.usage.total_tokens, 3 * 7);
    const few = await post(server, "/v1/rerank", { ...asked, top_n: 2 });
    assert.equal(few.body.results.length, 2);
    assert.equal(few.body.results[0].document, undefined);
    const own = await post(server, "/api/capabilities/llm.rerank", {
      ...asked,
      documents: ["blue bird", "red fox", "red bird"],
    });
    assert.equal(own.body.results[0].relevanceScore, body.results[0].relevance_score);
  });

  await t.step("what is wrong is named", async () => {
    const wrong: [change: Record<string, unknown>, status: number, param: string | null][] = [
      [{ query: "" }, 400, "query"],
      [{ documents: [] }, 400, "documents"],
      [{ documents: ["a", ""] }, 400, "documents[1]"],
      [{ top_n: 0 }, 400, "top_n"],
      [{ model: "nobody" }, 404, "model"],
      [{ model: "demo-stories-q8_0" }, 400, null],
    ];
    for (const [change, status, param] of wrong) {
      const refused = await post(server, "/v1/rerank", { ...asked, ...change });
      assert.equal(refused.status, status, JSON.stringify(refused.body));
      assert.equal(refused.body.error.param, param);
    }
    const { status, body } = await post(server, "/v1/embeddings", {
      model: "tiny-ranker",
      input: "red",
    });
    assert.equal(status, 400);
    assert.match(body.error.message, /task "rerank".*no vectors/);
  });

  await t.step("/v1/models lists it, behind those that one chats with", async () => {
    const { data } = await (await server.fetch("/v1/models")).json();
    const ids = data.map(({ id }: { id: string }) => id);
    assert.ok(ids.indexOf("tiny-ranker") > ids.indexOf("demo-stories-q8_0"), ids.join());
  });

  await t.step("a language model makes vectors too, and chats go on", async () => {
    const { status, body } = await post(server, "/v1/embeddings", {
      model: "demo-stories-q8_0",
      input: ["A fox", "A lantern"],
    });
    assert.equal(status, 200, JSON.stringify(body));
    for (const { embedding } of body.data) {
      assert.ok(Math.abs(Math.hypot(...embedding) - 1) < 1e-4);
    }
    const listed = await post(server, "/api/capabilities/llm.models", {});
    const demo = listed.body.models.find(({ id }: { id: string }) => id === "demo-stories-q8_0");
    assert.deepEqual(demo.uses, ["text", "vectors"]);
    assert.equal(demo.loaded[0].use, "vectors");
    assert.equal(demo.loaded[0].dimensions, body.data[0].embedding.length);
  });
});

const problem = sharedModelsProblem();
Deno.test({
  name: "embeddings of MiniLM over HTTP are the engine's own",
  ignore: skipUnless("embeddings of MiniLM", problem),
  fn: async (t) => {
    const { folder } = await buildBundles({ log: () => {} });
    const engine = createTransformersEngine(createTestHost(folder));
    const direct = await engine.load(openModelFolder(join(sharedModels, "minilm")));
    await using server = await startServer({ env: { BKG_MODEL_PATHS: sharedModels } });
    const client = new OpenAI({ baseURL: `${server.url}/v1`, apiKey: server.token, maxRetries: 0 });
    const model = "minilm";
    const texts = ["The fox sleeps in its den", "A lantern", "Where do foxes sleep at night?"];

    await t.step("openai client: as base64, its default, and as numbers", async () => {
      const { vectors, promptTokens } = await direct.embed(texts);
      const answer = await client.embeddings.create({ model, input: texts });
      const floats = await client.embeddings.create({
        model,
        input: texts,
        encoding_format: "float",
      });
      // The same batch, the same numbers: also of int8, whose scale is of the whole batch.
      assert.deepEqual(answer.data.map(({ embedding }) => embedding), vectors.map((v) => [...v]));
      assert.deepEqual(floats.data, answer.data);
      assert.deepEqual(floats.data.map(({ index }) => index), [0, 1, 2]);
      assert.equal(answer.usage.prompt_tokens, promptTokens);
      assert.equal(answer.usage.total_tokens, promptTokens);
    });

    await t.step("one text; fewer dimensions, of the length 1", async () => {
      const [text] = texts;
      const { vectors: [vector] } = await direct.embed([text!]);
      const whole = await client.embeddings.create({ model, input: text! });
      assert.deepEqual(whole.data[0]?.embedding, [...vector!]);
      const cut = await client.embeddings.create({ model, input: text!, dimensions: 64 });
      const length = Math.hypot(...vector!.slice(0, 64));
      assert.equal(cut.data[0]?.embedding.length, 64);
      cut.data[0]?.embedding.forEach((value, at) => {
        assert.ok(Math.abs(value - vector![at]! / length) < 1e-6);
      });
    });

    await t.step("what is wrong is named, and tokens are not taken", async () => {
      const wrong: [change: Record<string, unknown>, code: string, status: number][] = [
        [{ input: "" }, "invalid_value", 400],
        [{ input: [] }, "invalid_value", 400],
        [{ input: ["a", ""] }, "invalid_value", 400],
        [{ input: [1, 2, 3] }, "unsupported_feature", 400],
        [{ input: [[1, 2], [3]] }, "unsupported_feature", 400],
        [{ dimensions: 0 }, "invalid_value", 400],
        [{ dimensions: 385 }, "invalid_value", 400],
        [{ encoding_format: "hex" }, "invalid_value", 400],
        [{ prompt_name: "query" }, "invalid_value", 400],
        [{ model: "nobody" }, "model_not_found", 404],
        [{ model: "yunet_n_320_320" }, "unsupported_feature", 400],
      ];
      for (const [change, code, status] of wrong) {
        const refused = await post(server, "/v1/embeddings", { model, input: "a", ...change });
        const said = JSON.stringify([change, refused.body]);
        assert.equal(refused.status, status, said);
        assert.equal(refused.body.error.code, code, said);
      }
    });

    await t.step("10 MB of text is cut, and says so", async () => {
      const input = "The quick brown fox. ".repeat(470_000);
      const { status, body } = await post(server, "/v1/embeddings", { model, input });
      assert.equal(status, 200, JSON.stringify(body).slice(0, 300));
      assert.equal(body.truncated, 1);
      assert.equal(body.usage.prompt_tokens, 512);
      assert.ok(body.data[0].embedding.every(Number.isFinite));
    });

    // By socket: Deno 2.9 tells nobody that the sender of a larger body has left before the answer begins.
    await t.step("a caller who leaves frees the slot, and others are answered", async () => {
      const address = `${server.url.replace("http", "ws")}/ws/plugins`;
      const socket = new WebSocket(address, ["bkg", `bearer.${server.token}`]);
      await new Promise((resolve) => socket.onopen = resolve);
      const ended = new Promise<{ type: string; payload: { code?: string } }>((resolve) =>
        socket.onmessage = ({ data }) => {
          const message = JSON.parse(data);
          if (message.id === 1) resolve(message);
        }
      );
      const input = Array.from({ length: 200 }, (_, at) => `${at} ${"fox ".repeat(200)}`);
      const payload = { model, input };
      socket.send(JSON.stringify({ action: "INVOKE", id: 1, capability: "llm.embed", payload }));
      await Promise.all([0, 1, 2].map(() => client.embeddings.create({ model, input: "A fox" })));
      socket.send(JSON.stringify({ action: "CANCEL", id: 1 }));
      const { type, payload: error } = await ended;
      assert.deepEqual([type, error.code], ["error", "CANCELLED"]);
      const giveUpAt = Date.now() + 10_000;
      while ((await (await server.fetch("/api/plugins/llmserver/telemetry")).json()).active > 0) {
        assert.ok(Date.now() < giveUpAt, "the slot is still taken");
        await new Promise((resolve) => setTimeout(resolve, 50));
      }
      socket.close();
    });

    await t.step("tokens are counted as the caller's usage", async () => {
      const today = async () =>
        (await (await server.fetch("/api/usage")).json()).days
          ?.reduce((sum: number, day: { promptTokens: number }) => sum + day.promptTokens, 0);
      const before = await today();
      const { usage } = await client.embeddings.create({ model, input: texts });
      const giveUpAt = Date.now() + 15_000;
      while (await today() < before + usage.prompt_tokens) {
        assert.ok(Date.now() < giveUpAt, "the tokens are not counted");
        await new Promise((resolve) => setTimeout(resolve, 100));
      }
    });
    await direct.unload();
  },
});

async function post(server: ServerProcess, path: string, body: unknown) {
  const response = await server.fetch(path, {
    method: "POST",
    headers: { "content-type": "application/json" },
    body: JSON.stringify(body),
  });
  return { status: response.status, body: await response.json() };
}
