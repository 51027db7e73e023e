// A model whose chat template does not end, beside one that goes on; throws where that is not so. Caller: engine_test.ts.

import assert from "node:assert/strict";
import { startEngine, testModel } from "../testing_harness.ts";
import type { Completion, Piece } from "./interface.ts";
import { withChatTemplate } from "./testing_template.ts";

const greedy = { principal: "test", temperature: 0 };

const file = testModel("aidreams260K-f32.gguf", { contextLength: 128 })!;
await using harness = await startEngine();
const good = await harness.engine.load(file);
const loop = "{% for a in range(99999) %}{% for b in range(99999) %}{% endfor %}{% endfor %}";
const later = "{% if 'loop' in messages[0]['content'] %}" + loop + "{% endif %}x";
const endless = await harness.engine.load(await withChatTemplate(file, later));
const ask = (content: string) =>
  collect(endless.chat([{ role: "user", content }], { ...greedy, maxTokens: 3 }));
assert.equal((await ask("hi")).usage.completionTokens, 3);
const asking = assert.rejects(ask("loop"), {
  code: "INVALID_MODEL",
  message: "The model's chat template did not end within 10 s",
});
assert.equal(
  (await collect(good.complete("Once", { ...greedy, maxTokens: 20 }))).usage.completionTokens,
  20,
);
await asking;
await assert.rejects(ask("hi"), { code: "INVALID_MODEL" });
await endless.unload();
const loading = assert.rejects(harness.engine.load(await withChatTemplate(file, loop)), {
  code: "INVALID_MODEL",
  message: /^The engine was silent for 20 s while it loaded the model: its chat template may/,
});
assert.equal(
  (await collect(good.complete("Once", { ...greedy, maxTokens: 20 }))).usage.completionTokens,
  20,
);
await loading;
assert.equal(
  (await collect(good.complete("Once", { ...greedy, maxTokens: 20 }))).usage.completionTokens,
  20,
);
Deno.exit(0);

async function collect(stream: AsyncGenerator<Piece, Completion>): Promise<Completion> {
  while (true) {
    const { done, value } = await stream.next();
    if (done) return value;
  }
}
