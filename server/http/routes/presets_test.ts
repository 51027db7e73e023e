import assert from "node:assert/strict";
import { AppError } from "../../../plugins/runtime/contract/error.ts";
import type { ModelRecord } from "../../../models/model.ts";
import { createPresetStore } from "../../services/preset_store.ts";
import { addUsers } from "../../testing/database_engines.ts";
import { createTestApp } from "../../testing/test_app.ts";
import { openTestDatabase } from "../../testing/test_database.ts";
import { askAs, identityAuthenticator } from "../../testing/test_identities.ts";

Deno.test("/api/presets", async (t) => {
  await using test = await openTestDatabase();
  await addUsers(test.db);
  const models = {
    list: () =>
      Promise.resolve([
        { id: "m", format: "gguf", task: "chat", createdAtMs: 1000 } as ModelRecord,
      ]),
    get: (id: string) =>
      id === "m"
        ? Promise.resolve({ id, createdAtMs: 1000 } as ModelRecord)
        : Promise.reject(new AppError("NOT_FOUND", `There is no model "${id}"`)),
  };
  const { app } = createTestApp({}, {
    auth: identityAuthenticator({
      ada: ["account", "models:read"],
      bob: ["account", "models:read"],
      guest: ["models:read", "invoke:*"],
    }),
    models,
    presets: createPresetStore({ db: test.db, models }),
  });
  const ask = (user: string, request: string, body?: unknown) => askAs(app, user, request, body);
  const story = { name: "story", model: "m", systemPrompt: "Be kind" };
  const { body: made } = await ask("ada", "POST /api/presets", story);

  await t.step("without its scope, or of somebody else, nothing is there", async () => {
    for (
      const [request, body] of [
        ["GET /api/presets"],
        ["POST /api/presets", story],
        [`PUT /api/presets/${made.id}`, story],
        [`DELETE /api/presets/${made.id}`],
      ] as const
    ) {
      assert.equal((await ask("guest", request, body)).status, 403, request);
    }
    assert.deepEqual((await ask("bob", "GET /api/presets")).body.presets, []);
    assert.equal((await ask("bob", `PUT /api/presets/${made.id}`, story)).status, 404);
    assert.equal((await ask("bob", `DELETE /api/presets/${made.id}`)).status, 404);
    assert.equal((await ask("bob", "GET /v1/models/story")).status, 404);
  });

  await t.step("bad input is refused, naming the field", async () => {
    for (
      const [change, status, told] of [
        [{ name: "a b" }, 400, /\/name/],
        [{ name: "m" }, 409, /name of a model/],
        [{}, 409, /name is in use/],
        [{ name: "x", model: "none" }, 400, /no model "none"/],
        [{ name: "x", parameters: { temperature: 9 } }, 400, /\/parameters\/temperature/],
        [{ name: "x", parameters: { messages: [] } }, 400, /messages/],
        [{ name: "x", userId: "bob" }, 400, /userId/],
      ] as const
    ) {
      const answer = await ask("ada", "POST /api/presets", { ...story, ...change });
      assert.equal(answer.status, status, answer.body.detail);
      assert.match(answer.body.detail, told);
    }
  });

  await t.step("/v1/models lists models, and the presets that one may use", async () => {
    const ids = async (user: string) =>
      (await ask(user, "GET /v1/models")).body.data.map(({ id }: { id: string }) => id);
    assert.deepEqual(await ids("ada"), ["m", "story"]);
    assert.deepEqual(await ids("bob"), ["m"]);
    await ask("ada", `PUT /api/presets/${made.id}`, { ...story, shared: true });
    assert.deepEqual(await ids("bob"), ["m", "story"]);
    assert.equal((await ask("bob", "GET /v1/models/story")).body.owned_by, "preset");
    const { presets } = (await ask("bob", "GET /api/presets")).body;
    assert.deepEqual(
      presets.map(({ name, own, shared }: Record<string, unknown>) => [name, own, shared]),
      [["story", false, true]],
    );
    assert.equal((await ask("ada", `DELETE /api/presets/${made.id}`)).status, 200);
    assert.deepEqual(await ids("bob"), ["m"]);
  });
});
