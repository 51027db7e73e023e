import assert from "node:assert/strict";
import type { AppError } from "../../plugins/runtime/contract/error.ts";
import type { Db } from "../db/db.ts";
import { type ChatInput, chatLimits, createChatStore } from "./chat_store.ts";
import { testOnEngines } from "../testing/database_engines.ts";

const text = (value: unknown) => JSON.stringify(value);

testOnEngines("createChatStore", async (t, db) => {
  let nowMs = 1_000_000;
  const store = createChatStore({ db, now: () => nowMs, maxChats: 5, pageBytes: 1000 });
  const put = (id: string, change: Partial<ChatInput> = {}, userId = "ada") =>
    store.put(userId, id, {
      title: id,
      content: text({ id }),
      version: 0,
      createdAtMs: 5,
      ...change,
    });
  const step = (name: string, run: () => Promise<void>) =>
    t.step(name, async () => {
      await db.sql`delete from chats`;
      await run();
    });
  const changed = async (after?: string) => {
    const page = await store.changes("ada", { limit: 50, after, withContent: false });
    return { ...page, ids: page.chats.map(({ id, deleted }) => deleted ? `-${id}` : id) };
  };

  await step("wrong owner: another's chat is not there, in any way", async () => {
    await put("chat-one");
    for (
      const attempt of [
        () => store.get("bob", "chat-one"),
        () => store.delete("bob", "chat-one"),
        () => store.get("ada", "chat-two"),
        () => store.get("nobody", "chat-one"),
        () => store.put("nobody", "chat-one", input()),
      ]
    ) await assert.rejects(attempt, { code: "NOT_FOUND" });
    assert.deepEqual((await Array.fromAsync(store.export("bob"))).length, 0);
    assert.equal(await store.deleteAll("bob"), 0);
    assert.equal((await store.get("ada", "chat-one")).content, text({ id: "chat-one" }));
    // The same id of another person is another chat.
    await put("chat-one", { title: "of bob" }, "bob");
    assert.equal((await store.get("ada", "chat-one")).title, "chat-one");
  });

  await step("bounds: size, title and count are refused by name, and change nothing", async () => {
    const { contentBytes, titleChars } = chatLimits;
    // Two bytes a character: bytes are what counts.
    const large = text({ x: "ü".repeat(contentBytes / 2) });
    await assert.rejects(put("chat-big", { content: large }), {
      code: "PAYLOAD_TOO_LARGE",
      details: { field: "content", limit: contentBytes },
    });
    await assert.rejects(put("chat-big", { title: "x".repeat(titleChars + 1) }), {
      code: "INVALID_INPUT",
      details: { field: "title", limit: titleChars },
    });
    for (let index = 0; index < 5; index++) await put(`chat-${index}`);
    const full = { code: "CONFLICT", details: { field: "chats", limit: 5 } };
    await assert.rejects(put("chat-5"), full);
    await put("chat-4", { version: 1 });
    await store.delete("ada", "chat-0");
    await put("chat-5");
    await assert.rejects(put("chat-0", { version: 2 }), full);
    assert.deepEqual((await changed()).ids, [
      ...["chat-1", "chat-2", "chat-3", "chat-4"],
      ...["-chat-0", "chat-5"],
    ]);
  });

  await step("put: what a model may write comes back as it was", async () => {
    const content = text({
      nul: "a\0b",
      half: "\ud800",
      "__proto__": 1,
      deep: [[{ big: 2 ** 53 }]],
    });
    await put("chat-odd", { content, title: "a\0b\ud800" });
    const stored = await store.get("ada", "chat-odd");
    assert.equal(stored.content, content);
    assert.equal(stored.title, "a\ufffdb\ufffd");
    assert.deepEqual([stored.version, stored.createdAtMs, stored.updatedAtMs], [1, 5, nowMs]);
  });

  await step(
    "put: a change that builds on an older one is refused, with the newer one",
    async () => {
      await put("chat-one");
      nowMs++;
      assert.deepEqual(await put("chat-one", { version: 1, content: text({ n: 2 }) }), {
        version: 2,
        updatedAtMs: nowMs,
        before: "1000-1",
        cursor: "1000-2",
      });
      for (const version of [0, 1, 3]) {
        await assert.rejects(put("chat-one", { version }), (error: AppError) => {
          assert.equal(error.code, "CONFLICT");
          assert.deepEqual(error.details, {
            chat: {
              id: "chat-one",
              title: "chat-one",
              version: 2,
              createdAtMs: 5,
              updatedAtMs: nowMs,
              deleted: false,
              content: { n: 2 },
            },
          });
          return true;
        });
      }
      await store.delete("ada", "chat-one");
      await assert.rejects(
        put("chat-one", { version: 2 }),
        (error: AppError & { details: { chat: { deleted: boolean; version: number } } }) =>
          error.details.chat.deleted && error.details.chat.version === 3,
      );
      // Whoever has seen the deletion may take it back.
      assert.equal((await put("chat-one", { version: 3 })).version, 4);
      assert.deepEqual((await changed()).ids, ["chat-one"]);
    },
  );

  await step("put: of many at once that build on the same one, one is taken", async () => {
    await put("chat-one");
    const tries = await Promise.allSettled(
      Array.from({ length: 10 }, (_, n) => put("chat-one", { version: 1, content: text({ n }) })),
    );
    assert.equal(tries.filter(({ status }) => status === "fulfilled").length, 1);
    assert.equal((await store.get("ada", "chat-one")).version, 2);
  });

  await step("changes: a cursor misses nothing, whoever writes meanwhile", async () => {
    const seen = new Map<string, number>();
    let cursor: string | undefined;
    const look = async () => {
      const page = await store.changes("ada", { limit: 2, after: cursor, withContent: true });
      ({ cursor } = page);
      for (const { id, version } of page.chats) seen.set(id, version);
      return page.next !== undefined;
    };
    const writing = Promise.all(["chat-a", "chat-b", "chat-c", "chat-d"].map(async (id) => {
      for (let version = 0; version < 10; version++) await put(id, { version });
    }));
    let isWriting = true;
    writing.then(() => isWriting = false);
    while (isWriting) await look();
    while (await look());
    assert.deepEqual(Object.fromEntries(seen), {
      "chat-a": 10,
      "chat-b": 10,
      "chat-c": 10,
      "chat-d": 10,
    });
    assert.deepEqual((await changed(cursor)).ids, []);
    assert.equal((await changed(cursor)).cursor, cursor);
  });

  await step(
    "changes: a page ends by number and by size, and says that there is more",
    async () => {
      for (const id of ["chat-a", "chat-b", "chat-c"]) {
        await put(id, { content: text({ x: "y".repeat(600) }) });
      }
      const ids = async (page: { limit: number; withContent: boolean }) => {
        const pages: string[][] = [];
        let after: string | undefined;
        do {
          const { chats, next } = await store.changes("ada", { ...page, after });
          pages.push(chats.map(({ id }) => id));
          after = next;
        } while (after !== undefined);
        return pages;
      };
      assert.deepEqual(await ids({ limit: 50, withContent: true }), [["chat-a", "chat-b"], [
        "chat-c",
      ]]);
      assert.deepEqual(await ids({ limit: 1, withContent: true }), [["chat-a"], ["chat-b"], [
        "chat-c",
      ]]);
      assert.deepEqual(await ids({ limit: 50, withContent: false }), [[
        "chat-a",
        "chat-b",
        "chat-c",
      ]]);
    },
  );

  await step("changes: a cursor that is not of this database is refused", async () => {
    await put("chat-one");
    const { cursor } = await changed();
    for (const after of ["", "x", "1000-2", "999-1", "1000--1", `${cursor}0`, "9".repeat(99)]) {
      await assert.rejects(changed(after), { code: "INVALID_INPUT", details: { field: "after" } });
    }
  });

  await step("deleteAll: all go and are told as gone; the count goes on", async () => {
    await put("chat-a");
    await put("chat-b");
    await store.delete("ada", "chat-a");
    await put("chat-c", {}, "bob");
    const { cursor } = await changed();
    assert.equal(await store.deleteAll("ada"), 1);
    assert.deepEqual((await changed(cursor)).ids, ["-chat-b"]);
    const [row] = await db.sql`
      select count(content) as contents, max(title) as title from chats where user_id = ${"ada"}`;
    assert.deepEqual(row, { contents: 0, title: "" });
    await put("chat-d");
    assert.deepEqual((await changed()).ids, ["-chat-a", "-chat-b", "chat-d"]);
    assert.equal((await store.get("bob", "chat-c")).id, "chat-c");
  });

  await step(
    "delete: it is told for 90 days; the number of the last change is never used again",
    async () => {
      await put("chat-a");
      await put("chat-b");
      await store.delete("ada", "chat-a");
      await store.delete("ada", "chat-b");
      const { cursor } = await changed();
      nowMs += 91 * 24 * 60 * 60_000;
      await put("chat-c", {}, "bob");
      await store.delete("bob", "chat-c");
      assert.deepEqual((await changed()).ids, ["-chat-b"]);
      await put("chat-d");
      assert.deepEqual((await changed(cursor)).ids, ["chat-d"]);
    },
  );

  await step("export: every chat once, though it is changed meanwhile", async () => {
    for (const id of ["chat-a", "chat-b", "chat-c", "chat-d"]) {
      await put(id, { content: text({ x: "y".repeat(400) }) });
    }
    await store.delete("ada", "chat-b");
    const ids: string[] = [];
    for await (const { id } of store.export("ada")) {
      ids.push(id);
      if (id === "chat-a") await put("chat-a", { version: 1 });
    }
    assert.deepEqual(ids, ["chat-a", "chat-c", "chat-d"]);
  });

  await step("a user who is deleted takes all along", async () => {
    await put("chat-one", {}, "bob");
    await db.sql`delete from users where id = ${"bob"}`;
    assert.equal(await count(db), 0);
  });
});

function input(): ChatInput {
  return { title: "", content: "{}", version: 0, createdAtMs: 0 };
}

async function count(db: Db): Promise<unknown> {
  return (await db.sql`select count(*) as count from chats`)[0]?.["count"];
}
