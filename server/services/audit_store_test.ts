import assert from "node:assert/strict";
import { testIdentity } from "../testing/test_guard.ts";
import type { Deed } from "./audit_log.ts";
import { openAuditStore } from "./audit_store.ts";
import { testOnEngines } from "../testing/database_engines.ts";

testOnEngines("AuditStore as a log", async (t, db) => {
  const open = () =>
    openAuditStore({ db, oldPaths: [], failed: (error) => assert.fail(String(error)) });

  await t.step("tells who, by what credential, from where, and by whose name now", async () => {
    await using audit = await open();
    audit.record(deed({ principal: undefined, action: "session.begin", outcome: "denied" }));
    audit.record(deed({ principal: testIdentity({ key: { id: "k1" } }), pluginId: "alpha" }));
    audit.record(deed({ principal: testIdentity({ id: "gone" }) }));
    const { entries, next } = await audit.list({});
    assert.equal(next, undefined);
    assert.deepEqual(
      entries.map(({ id: _id, atMs: _atMs, ...entry }) => entry),
      [
        { ...plain, principal: "gone", credential: "session:s1" },
        {
          ...plain,
          principal: "ada",
          principalName: "ada",
          credential: "key:k1",
          pluginId: "alpha",
        },
        { ...plain, principal: "", credential: "", action: "session.begin", outcome: "denied" },
      ],
    );
    assert.ok(entries.every(({ atMs }) => Math.abs(atMs - Date.now()) < 60_000));
  });

  await t.step(
    "finds by each filter and by all of them, and takes text for nothing else",
    async () => {
      await using audit = await open();
      const count = async (query: Parameters<typeof audit.list>[0]) =>
        (await audit.list(query)).entries.length;
      assert.equal(await count({ principal: "ada" }), 1);
      assert.equal(await count({ action: "session.begin" }), 1);
      assert.equal(await count({ object: "user:ab12" }), 3);
      assert.equal(await count({ pluginId: "alpha" }), 1);
      assert.equal(await count({ pluginId: "alpha", principal: "gone" }), 0);
      const nowMs = Date.now();
      assert.equal(await count({ fromMs: nowMs - 60_000, toMs: nowMs + 1 }), 3);
      assert.equal(await count({ toMs: nowMs - 60_000 }), 0);
      for (const odd of ["' or 1=1; --", "%", "\0", "a\ud800"]) {
        assert.equal(await count({ object: odd }), 0, odd);
      }
    },
  );

  await t.step(
    "pages by id: nothing twice and nothing left out while more is written",
    async () => {
      await db.sql`delete from audit`;
      await using audit = await open();
      for (let i = 0; i < 450; i++) audit.record(deed({ object: `${i}` }));
      const seen: string[] = [];
      let after: string | undefined;
      do {
        const page = await audit.list({ limit: 200, after });
        seen.push(...page.entries.map(({ object }) => object));
        after = page.next;
        audit.record(deed({ object: "new" }));
      } while (after !== undefined);
      assert.deepEqual(seen, Array.from({ length: 450 }, (_, i) => `${449 - i}`));
      for (const bad of ["x", btoa("[1e99]"), btoa('["1"]'), "[1]", "A".repeat(10_000)]) {
        await assert.rejects(audit.list({ after: bad }), { code: "INVALID_INPUT" }, bad);
      }
      for (const limit of [0, 201, 1.5, Number.NaN]) {
        await assert.rejects(audit.list({ limit }), { code: "INVALID_INPUT" }, `${limit}`);
      }
    },
  );

  await t.step("keeps what others wrote short and storable", async () => {
    await using audit = await open();
    audit.record(deed({ object: "\0\ud800" + "x".repeat(100_000), address: "y".repeat(9000) }));
    const [entry] = (await audit.list({ limit: 1 })).entries;
    assert.equal(entry?.object, "\ufffd\ufffd" + "x".repeat(998));
    assert.equal(entry?.address.length, 1000);
  });
});

const plain = {
  address: "192.0.2.7",
  pluginId: "",
  action: "user.change",
  object: "user:ab12",
  outcome: "ok",
  count: 1,
};

function deed(change: Partial<Deed>): Deed {
  return {
    principal: testIdentity(),
    address: "192.0.2.7",
    action: "user.change",
    object: "user:ab12",
    outcome: "ok",
    ...change,
  };
}
