import assert from "node:assert/strict";
import { grammarLimits } from "../../contract/gbnf.ts";
import { startEngine, testModel } from "../testing_harness.ts";
import type { Completion, Piece } from "./interface.ts";

async function collect(stream: AsyncGenerator<Piece, Completion>) {
  let text = "";
  while (true) {
    const { done, value } = await stream.next();
    if (done) return { ...value, text };
    text += value.text;
  }
}

Deno.test("wllama engine keeps to a grammar, and bears whatever the check lets through", async (t) => {
  const file = testModel("aidreams260K-f32.gguf", { contextLength: 128 });
  if (file === undefined) return;
  await using harness = await startEngine();
  const model = await harness.engine.load(file);
  const ask = (grammar: string, prompt = "Once upon a time") =>
    collect(model.complete(prompt, { principal: "a", seed: 1, maxTokens: 40, grammar }));

  await t.step("a refused grammar is INVALID_INPUT, and the next call is answered", async () => {
    for (
      const grammar of [
        'a ::= "x"',
        'root ::= root "a" | "b"',
        `root ::= ${"(".repeat(20_000)}"a"${")".repeat(20_000)}`,
        'root ::= ("a"?){0,300}',
        "root ::= [z-a]",
      ]
    ) {
      await assert.rejects(ask(grammar), { code: "INVALID_INPUT", details: { field: "grammar" } });
      assert.equal((await ask('root ::= "yes"')).text, "yes");
    }
  });

  await t.step("the answer ends with the grammar, also a chat's", async () => {
    const grammar = 'root ::= "{" [a-f]{3,9} "}"';
    const stream = model.chat([{ role: "user", content: "Hi" }], { principal: "a", grammar });
    for (const answer of [await ask(grammar), await collect(stream)]) {
      assert.match(answer.text, /^\{[a-f]{3,9}\}$/);
      assert.equal(answer.finishReason, "stop");
    }
  });

  await t.step("a grammar that may begin with anything begins with anything", async () => {
    for (const begin of [" ", "\n", "é", "x", "  {"]) {
      const { text } = await ask(`root ::= ${JSON.stringify(begin)} "!"`);
      assert.equal(text, `${begin}!`);
    }
  });

  await t.step("what is as large as the check allows is answered", async () => {
    const { nesting, repetitions, leftmost } = grammarLimits;
    const row = Array.from({ length: leftmost - 4 }, (_, index) => `r${index} ::= r${index + 1}`);
    for (
      const grammar of [
        `root ::= ${"(".repeat(nesting)}"a"${")".repeat(nesting)}`,
        `root ::= [a-z]{${repetitions}}`,
        `root ::= "a"{0,${repetitions}} "b"`,
        `${row.join("\n")}\nr${leftmost - 4} ::= "x"\nroot ::= r0`,
        `root ::= ${'"a"{0,1900} "b" '.repeat(25)}`,
        'root ::= ("a"?){0,10} "b"',
        'root ::= [^"]* "\\"" .* "x"',
      ]
    ) {
      const { finishReason } = await ask(grammar);
      assert.match(finishReason, /^(stop|length)$/);
    }
  });
  await model.unload();
});
