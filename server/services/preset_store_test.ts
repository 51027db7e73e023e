import assert from "node:assert/strict";
import { AppError } from "../../plugins/runtime/contract/error.ts";
import type { ModelRecord } from "../../models/model.ts";
import { createPresetStore, presetInputSchema } from "./preset_store.ts";
import { testOnEngines } from "../testing/database_engines.ts";

testOnEngines("createPresetStore", async (t, db) => {
  let nowMs = 5000;
  const ids = new Set(["m", "n"]);
  const models = {
    get(id: string): Promise<ModelRecord> {
      if (id === "broken") throw new AppError("INVALID_MODEL", "The file is broken");
      if (!ids.has(id)) throw new AppError("NOT_FOUND", `There is no model "${id}"`);
      return Promise.resolve({ id } as ModelRecord);
    },
  };
  const store = createPresetStore({ db, models, now: () => nowMs, maxPresets: 3 });
  const preset = (change: object = {}) =>
    presetInputSchema.parse({ name: "story", model: "m", ...change });
  const step = (name: string, run: () => Promise<void>) =>
    t.step(name, async () => {
      await db.sql`delete from presets`;
      await run();
    });
  const names = async (userId: string) =>
    (await store.list(userId)).map(({ name, own }) => own ? name : `(${name})`);

  await step("wrong owner: another's preset is not found, shared or not", async () => {
    const own = await store.create("ada", preset());
    await assert.rejects(store.change("bob", own.id, preset()), { code: "NOT_FOUND" });
    await assert.rejects(store.delete("bob", own.id), { code: "NOT_FOUND" });
    assert.equal(await store.find("bob", "story"), undefined);
    assert.deepEqual(await names("bob"), []);
    await store.change("ada", own.id, preset({ shared: true }));
    await assert.rejects(store.change("bob", own.id, preset()), { code: "NOT_FOUND" });
    await assert.rejects(store.delete("bob", own.id), { code: "NOT_FOUND" });
    assert.equal((await store.find("bob", "story"))?.own, false);
    assert.deepEqual(await names("bob"), ["(story)"]);
    await store.delete("ada", own.id);
    await assert.rejects(store.delete("ada", own.id), { code: "NOT_FOUND" });
  });

  await step(
    "names: a model's, one's own and a shared one are in use; a private one is nobody's business",
    async () => {
      const taken = { code: "CONFLICT", details: { field: "name" } };
      for (const name of ["n", "broken"]) {
        await assert.rejects(store.create("ada", preset({ name })), taken);
      }
      const own = await store.create("ada", preset());
      await assert.rejects(store.create("ada", preset()), taken);
      // Nobody learns that there is such a private one.
      const other = await store.create("bob", preset({ shared: true }));
      await assert.rejects(store.change("ada", own.id, preset({ shared: true })), taken);
      await store.change("bob", other.id, preset({ name: "other", shared: true }));
      await assert.rejects(store.change("bob", other.id, preset({ name: "m" })), taken);
      await store.create("ada", preset({ name: "other" }));
      assert.deepEqual(await names("ada"), ["other", "(other)", "story"]);
      assert.equal((await store.find("ada", "other"))?.own, true);
      assert.equal((await store.find("bob", "other"))?.own, true);
    },
  );

  await step("model: an unknown one is refused, unless it is gone since", async () => {
    const unknown = { code: "INVALID_INPUT", details: { field: "model" } };
    await assert.rejects(store.create("ada", preset({ model: "none" })), unknown);
    await assert.rejects(store.create("ada", preset({ model: "broken" })), {
      code: "INVALID_MODEL",
    });
    const own = await store.create("ada", preset());
    ids.delete("m");
    ids.add("story");
    const changed = await store.change("ada", own.id, preset({ systemPrompt: "Be kind" }));
    assert.equal(changed.systemPrompt, "Be kind");
    await assert.rejects(store.change("ada", own.id, preset({ model: "none" })), unknown);
    ids.delete("story");
    ids.add("m");
  });

  await step("bounds: so many of a user and no more, also at once", async () => {
    const made = await Promise.allSettled(
      ["a", "b", "c", "d", "e"].map((name) => store.create("ada", preset({ name }))),
    );
    assert.equal(made.filter(({ status }) => status === "fulfilled").length, 3);
    await assert.rejects(store.create("ada", preset({ name: "f" })), {
      code: "CONFLICT",
      details: { field: "presets", limit: 3 },
    });
    await store.create("bob", preset({ name: "f" }));
  });

  await step("create, change: all of it is kept, also what a database would refuse", async () => {
    const parameters = { temperature: 0, topK: 0, seed: -1, stop: ["a\0", "\ud800"] };
    const made = await store.create("ada", preset({ systemPrompt: "Hi\0\ud800", parameters }));
    const expected = {
      id: made.id,
      name: "story",
      model: "m",
      systemPrompt: "Hi\ufffd\ufffd",
      parameters: { ...parameters, stop: ["a\ufffd", "\ufffd"] },
      shared: false,
      own: true,
      createdAtMs: 5000,
      updatedAtMs: 5000,
    };
    assert.deepEqual(made, expected);
    assert.deepEqual(await store.find("ada", "story"), expected);
    nowMs++;
    const change = { name: "tale", model: "n", shared: true };
    assert.deepEqual(await store.change("ada", made.id, preset(change)), {
      ...expected,
      ...change,
      systemPrompt: "",
      parameters: {},
      updatedAtMs: 5001,
    });
    assert.equal(await store.find("ada", "story"), undefined);
  });

  await step("a user who is deleted takes all along", async () => {
    await store.create("bob", preset({ shared: true }));
    await db.sql`delete from users where id = ${"bob"}`;
    assert.deepEqual(await names("ada"), []);
  });
});

Deno.test("presetInputSchema refuses names and parameters that /v1 or llm.chat would not take", () => {
  const wrong = [
    { name: "" },
    { name: "x".repeat(101) },
    { name: "a b" },
    { name: "../x" },
    { name: "ä" },
    { model: "" },
    { systemPrompt: "x".repeat(100_001) },
    { parameters: { temperature: 2.1 } },
    { parameters: { topK: 1.5 } },
    { parameters: { maxTokens: 0 } },
    { parameters: { stop: [""] } },
    { parameters: { model: "x" } },
    { parameters: { messages: [] } },
    { extra: 1 },
  ];
  for (const change of wrong) {
    const result = presetInputSchema.safeParse({ name: "a", model: "m", ...change });
    assert.equal(result.success, false, JSON.stringify(change));
  }
  for (const name of ["a", "Story-Teller_2.0:latest", "x".repeat(100)]) {
    assert.ok(presetInputSchema.safeParse({ name, model: "m" }).success);
  }
});
