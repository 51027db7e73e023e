import assert from "node:assert/strict";
import { fields, readField } from "./sampling_fields.ts";

Deno.test("readField: what llm.chat would refuse is refused here, and why", () => {
  const field = (key: string) => fields.find((one) => one.key === key)!;
  assert.deepEqual(readField(field("temperature"), " "), { value: undefined });
  assert.deepEqual(readField(field("temperature"), "0"), { value: 0 });
  assert.deepEqual(readField(field("temperature"), "2.1"), { problem: "At most 2" });
  assert.deepEqual(readField(field("topK"), "-1"), { problem: "At least 0" });
  assert.deepEqual(readField(field("topK"), "1.5"), { problem: "A whole number" });
  assert.deepEqual(readField(field("seed"), "x"), { problem: "Not a number" });
  assert.deepEqual(readField(field("seed"), "-42"), { value: -42 });
});

Deno.test("fields: their limits are those of llm.chat", async () => {
  const text = await Deno.readTextFile(
    new URL("../../plugins/llmserver/plugin.json", import.meta.url),
  );
  const { capabilities } = JSON.parse(text);
  const chat =
    capabilities.find(({ id }: { id: string }) => id === "llm.chat").inputSchema.properties;
  for (const { key, min, max, step } of fields) {
    assert.deepEqual([chat[key].minimum, chat[key].maximum], [min, max], key);
    assert.equal(chat[key].type === "integer", step === 1, key);
  }
});
