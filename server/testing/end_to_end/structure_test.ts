// Answers by a schema, as OpenAI's client asks for them, on a served model that only tells stories.

import assert from "node:assert/strict";
import OpenAI from "openai";
import { z } from "zod";
import { compileSchema } from "../../../plugins/runtime/contract/schema.ts";
import { startServer } from "../server_process.ts";

const model = "demo-stories-q8_0";
const messages = [{ role: "user" as const, content: "Describe the fox of the story." }];

/** As the client's helper for zod makes it of a schema. */
const fox = z.toJSONSchema(
  z.strictObject({
    name: z.string().max(12),
    kind: z.enum(["red", "arctic", "grey"]),
    age: z.int().min(1).max(14),
    friends: z.array(z.union([z.string().max(8), z.null()])).max(3),
    den: z.strictObject({ code: z.string().regex(/^[A-Z]{2}-\d{2}$/), since: z.iso.date() })
      .nullable(),
  }),
) as Record<string, unknown>;

Deno.test("openai client: answers by response_format are JSON, whole and streamed", async (t) => {
  await using server = await startServer();
  const client = new OpenAI({ baseURL: `${server.url}/v1`, apiKey: server.token, maxRetries: 0 });
  const response_format = {
    type: "json_schema" as const,
    json_schema: { name: "fox", strict: true, schema: fox },
  };
  const check = compileSchema(fox, "fox");

  await t.step("json_schema: one answer, finished by stop", async () => {
    const answer = await client.chat.completions.create({ model, messages, response_format });
    const [choice] = answer.choices;
    assert.equal(choice?.finish_reason, "stop");
    assert.deepEqual(check(JSON.parse(choice.message.content!)), [], choice.message.content!);
  });

  await t.step("json_schema: the stream joins to a valid document", async () => {
    const stream = await client.chat.completions.create({
      model,
      messages,
      response_format,
      stream: true,
    });
    let text = "";
    let reason: string | null = null;
    for await (const chunk of stream) {
      text += chunk.choices[0]?.delta.content ?? "";
      reason = chunk.choices[0]?.finish_reason ?? reason;
    }
    assert.equal(reason, "stop");
    assert.deepEqual(check(JSON.parse(text)), [], text);
  });

  await t.step("json_object: an object, or the beginning of one", async () => {
    const answer = await client.chat.completions.create({
      model,
      messages,
      response_format: { type: "json_object" },
      max_tokens: 60,
    });
    const [choice] = answer.choices;
    const content = choice?.message.content ?? "";
    assert.match(content, /^\{/);
    if (choice?.finish_reason === "stop") JSON.parse(content);
    else assert.equal(choice?.finish_reason, "length");
  });

  await t.step("a grammar and a refused one, by the capability", async () => {
    const ask = async (grammar: string) => {
      const response = await server.fetch("/api/capabilities/llm.complete", {
        method: "POST",
        headers: { "content-type": "application/json" },
        body: JSON.stringify({
          model,
          prompt: "Once",
          responseFormat: { type: "grammar", grammar },
        }),
      });
      return { status: response.status, body: await response.json() };
    };
    const { status, body } = await ask('root ::= ("yes" | "no") "!"');
    assert.equal(status, 200, JSON.stringify(body));
    assert.match(JSON.stringify(body), /(yes|no)!/);
    const refused = await ask('root ::= root "a" | "b"');
    assert.equal(refused.status, 400);
    assert.deepEqual(refused.body.details, { field: "responseFormat.grammar" });
  });

  await t.step("a schema that no grammar is made of is named", async () => {
    const bad = { type: "object", properties: { a: { not: {} } } };
    const attempt = client.chat.completions.create({
      model,
      messages,
      response_format: { type: "json_schema", json_schema: { name: "bad", schema: bad } },
    });
    await assert.rejects(attempt, (error) => {
      assert.ok(error instanceof OpenAI.BadRequestError);
      assert.equal(error.param, "response_format.json_schema.schema");
      assert.equal(error.code, "unsupported_feature");
      assert.match(error.message, /"#\/properties\/a" .*"not"/);
      return true;
    });
  });
});
