import assert from "node:assert/strict";
import { parseGGUFQuantLabel } from "@huggingface/gguf";
import { quantOfFileName } from "./quant_name.ts";

const names: readonly [string, string][] = [
  ["qwen2-0_5b-instruct-q8_0.gguf", "Q8_0"],
  ["Qwen2-0.5B-Instruct-Q4_K_M.gguf", "Q4_K_M"],
  ["tinyllama-1.1b-chat-v1.0.Q5_K_S.gguf", "Q5_K_S"],
  ["ggml-model-IQ2_XXS.gguf", "IQ2_XXS"],
  ["m-IQ4_NL.gguf", "IQ4_NL"],
  ["m-IQ3_M.gguf", "IQ3_M"],
  ["m-TQ1_0.gguf", "TQ1_0"],
  ["m.BF16.gguf", "BF16"],
  ["m-f16.gguf", "F16"],
  ["m_q8_0.gguf", "Q8_0"],
  ["gpt-oss-20b-mxfp4.gguf", "MXFP4"],
  ["gpt-oss-20b-MXFP4_MOE.gguf", "MXFP4_MOE"],
  ["Qwen3-0.6B-UD-Q4_K_XL.gguf", "UD-Q4_K_XL"],
  ["m-UD-IQ1_S-00002-of-00003.gguf", "UD-IQ1_S"],
  ["BF16/m-BF16-00001-of-00002.gguf", "BF16"],
  ["m-Q3_K_L-imat.gguf", "Q3_K_L"],
  ["m-Q6_K.gguf", "Q6_K"],
  ["m-F16-Q2_K.gguf", "Q2_K"],
];

Deno.test("quantOfFileName finds none in names that only look like one", () => {
  for (
    const name of [
      "model.gguf",
      "model-q4.gguf",
      "reality0_0.gguf",
      "mf16.gguf",
      "Q4_0/model.gguf",
      "",
    ]
  ) {
    assert.equal(quantOfFileName(name), undefined, name);
  }
});

Deno.test("quantOfFileName reads the names that people give, as the hub's own parser does", () => {
  for (const [name, quant] of names) {
    assert.equal(quantOfFileName(name), quant, name);
    assert.equal(parseGGUFQuantLabel(name), quant, `the hub on ${name}`);
  }
  // Where the hub's parser stops short.
  assert.equal(quantOfFileName("m-fp16.gguf"), "F16");
  assert.equal(quantOfFileName("m-Q4_0_4_4.gguf"), "Q4_0_4_4");
});

Deno.test("quantOfFileName takes no time for a name made to take long", () => {
  const started = performance.now();
  quantOfFileName(`${"Q4_K_".repeat(20_000)}x.gguf`);
  quantOfFileName(`${"-Q4_0_4_8".repeat(20_000)}x.gguf`);
  assert.ok(performance.now() - started < 1000);
});
