import assert from "node:assert/strict";
import { startEngine, testModel } from "../testing_harness.ts";

Deno.test("embed: a language model's vectors, on random weights", async (t) => {
  const file = testModel("rand-15M-q8_0.gguf", { contextLength: 256 });
  if (file === undefined) return;
  await using harness = await startEngine();
  const model = await harness.engine.load(file, { use: "vectors" });
  const { dimensions } = model.info();
  const fox = "The quick brown fox jumps over the lazy dog";

  await t.step("one of the model's width, of the length 1, the same each time", async () => {
    const { vector, promptTokens, truncated } = await model.embed(fox);
    assert.equal(vector.length, 288);
    assert.equal(dimensions, 288);
    assert.ok(Math.abs(Math.hypot(...vector) - 1) < 1e-4);
    assert.ok(promptTokens > 5);
    assert.equal(truncated, false);
    // What an earlier text left behind plays no part, also where it begins the same.
    await model.embed("Something else");
    await model.embed(`${fox} and sleeps`);
    assert.deepEqual((await model.embed(fox)).vector, vector);
  });

  await t.step("calls at once get each their own", async () => {
    const texts = ["one", "two and more", fox];
    const alone = [];
    for (const text of texts) alone.push((await model.embed(text)).vector);
    const together = await Promise.all(texts.map((text) => model.embed(text)));
    assert.deepEqual(together.map(({ vector }) => vector), alone);
  });

  await t.step("a text past the context is cut, also one of 10 MB", async () => {
    const long = await model.embed(`${fox}. `.repeat(250_000));
    assert.equal(long.truncated, true);
    assert.ok(long.promptTokens > 200 && long.promptTokens <= 256, `${long.promptTokens}`);
    assert.ok(long.vector.every(Number.isFinite));
  });

  await t.step("a cancelled call ends, and the next one is answered", async () => {
    const abort = new AbortController();
    const left = assert.rejects(model.embed(fox.repeat(20), { signal: abort.signal }), {
      code: "CANCELLED",
    });
    const waiting = assert.rejects(model.embed(fox, { signal: abort.signal }), {
      code: "CANCELLED",
    });
    abort.abort();
    await Promise.all([left, waiting]);
    assert.equal((await model.embed(fox)).vector.length, 288);
  });

  await t.step("it writes no text, and one that was loaded for text makes no vectors", async () => {
    const stream = model.complete("Once", { principal: "a", maxTokens: 2 });
    await assert.rejects(stream.next(), { code: "UNSUPPORTED_FEATURE" });
    const writer = await harness.engine.load(file, { contextLength: 64 });
    await assert.rejects(writer.embed(fox), { code: "UNSUPPORTED_FEATURE" });
    await writer.unload();
  });
  await model.unload();
});
