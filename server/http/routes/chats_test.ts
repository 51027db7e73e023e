import assert from "node:assert/strict";
import { chatLimits, createChatStore } from "../../services/chat_store.ts";
import { addUsers } from "../../testing/database_engines.ts";
import { createTestApp } from "../../testing/test_app.ts";
import { openTestDatabase } from "../../testing/test_database.ts";
import { askAs, identityAuthenticator } from "../../testing/test_identities.ts";

Deno.test("/api/chats", async (t) => {
  await using test = await openTestDatabase();
  await addUsers(test.db);
  const { app } = createTestApp({}, {
    auth: identityAuthenticator({
      ada: ["account"],
      bob: ["account"],
      eve: ["*"],
      guest: ["models:read", "invoke:*"],
    }),
    chats: createChatStore({ db: test.db }),
  });
  const ask = (user: string, request: string, body?: unknown) => askAs(app, user, request, body);
  const chat = (change: object = {}) => ({
    title: "A fox",
    content: { messages: [{ text: "hi\0" }] },
    createdAtMs: 7,
    ...change,
  });

  await t.step("without its scope, or of somebody else, nothing is there", async () => {
    assert.equal((await ask("ada", "PUT /api/chats/chat-one", chat())).status, 200);
    for (
      const request of [
        "GET /api/chats",
        "GET /api/chats/chat-one",
        "PUT /api/chats/chat-one",
        "DELETE /api/chats/chat-one",
        "DELETE /api/chats",
        "GET /api/chats/export",
      ]
    ) {
      const { status, body } = await ask(
        "guest",
        request,
        request.startsWith("PUT") ? chat() : undefined,
      );
      assert.deepEqual([status, body.details], [403, { scope: "account" }], request);
    }
    for (const user of ["bob", "eve"]) {
      for (const request of ["GET /api/chats/chat-one", "DELETE /api/chats/chat-one"]) {
        assert.equal((await ask(user, request)).status, 404, `${user} ${request}`);
      }
    }
    assert.deepEqual((await ask("bob", "GET /api/chats")).body.chats, []);
    assert.deepEqual((await ask("bob", "GET /api/chats/export")).body.chats, []);
    assert.equal((await ask("bob", "DELETE /api/chats")).body.deleted, 0);
    assert.equal((await ask("ada", "GET /api/chats/chat-one")).body.title, "A fox");
  });

  await t.step("bad input is refused, naming the field", async () => {
    const large = { x: "y".repeat(chatLimits.contentBytes) };
    for (
      const [request, body, status, told] of [
        ["PUT /api/chats/short", chat(), 400, /8 to 64/],
        [`PUT /api/chats/${"x".repeat(65)}`, chat(), 400, /8 to 64/],
        ["PUT /api/chats/chat.one", chat(), 400, /8 to 64/],
        ["PUT /api/chats/chat-two", chat({ title: "x".repeat(201) }), 400, /\/title/],
        ["PUT /api/chats/chat-two", chat({ content: [] }), 400, /\/content/],
        ["PUT /api/chats/chat-two", chat({ content: null }), 400, /\/content/],
        ["PUT /api/chats/chat-two", chat({ version: -1 }), 400, /\/version/],
        ["PUT /api/chats/chat-two", chat({ createdAtMs: 1e16 }), 400, /\/createdAtMs/],
        ["PUT /api/chats/chat-two", chat({ owner: "bob" }), 400, /owner/],
        ["PUT /api/chats/chat-two", chat({ content: large }), 413, /"content" .* 8388608 bytes/],
        ["GET /api/chats?limit=0", undefined, 400, /"limit"/],
        ["GET /api/chats?limit=201", undefined, 400, /"limit"/],
        ["GET /api/chats?after=x", undefined, 400, /"after"/],
        ["GET /api/chats?content=yes", undefined, 400, /"content"/],
      ] as const
    ) {
      const answer = await ask("ada", request, body);
      assert.equal(answer.status, status, request);
      assert.match(answer.body.detail, told);
    }
    assert.equal((await ask("ada", "GET /api/chats/chat-two")).status, 404);
  });

  await t.step("what is nested very deeply is refused, or comes back", async () => {
    const deep = `{"a":`.repeat(500_000) + "1" + "}".repeat(500_000);
    const text = `{"title":"t","createdAtMs":1,"content":${deep}}`;
    const { status } = await ask("bob", "PUT /api/chats/chat-deep", { text });
    assert.ok(status === 200 || status === 400, `${status}`);
    const given = await ask("bob", "GET /api/chats?content=true");
    assert.deepEqual([given.status, given.body.chats.length], [200, status === 200 ? 1 : 0]);
  });

  await t.step(
    "a change is told to another device, and a conflict with the newer chat",
    async () => {
      const first = (await ask("ada", "GET /api/chats?content=true")).body;
      assert.deepEqual(first.chats[0].content, chat().content);
      const changed = chat({ version: 1, content: { n: 2 } });
      assert.equal((await ask("ada", "PUT /api/chats/chat-one", changed)).body.version, 2);
      const conflict = await ask("ada", "PUT /api/chats/chat-one", changed);
      assert.deepEqual([conflict.status, conflict.body.code], [409, "CONFLICT"]);
      const { version, content } = conflict.body.details.chat;
      assert.deepEqual([version, content], [2, { n: 2 }]);
      const news = (await ask("ada", `GET /api/chats?after=${first.cursor}`)).body;
      assert.deepEqual(
        news.chats.map((
          { version, content }: { version: number; content: unknown },
        ) => [version, content]),
        [[2, undefined]],
      );
      assert.equal(news.next, undefined);
      await ask("ada", "DELETE /api/chats/chat-one");
      const gone = (await ask("ada", `GET /api/chats?after=${news.cursor}&content=true`)).body;
      assert.deepEqual(
        gone.chats.map(({ id, deleted }: { id: string; deleted: boolean }) => [id, deleted]),
        [["chat-one", true]],
      );
    },
  );

  await t.step("export: a file of all that is there; delete: nothing is", async () => {
    await ask("ada", "PUT /api/chats/chat-aaa", chat({ title: 'A "quoted" <b>' }));
    await ask("ada", "PUT /api/chats/chat-bbb", chat({ content: {} }));
    const { headers, body } = await ask("ada", "GET /api/chats/export");
    assert.match(
      headers.get("content-disposition") ?? "",
      /^attachment; filename="bkg-chats.json"$/,
    );
    assert.equal(body.format, "bkg-chats");
    assert.deepEqual(
      body.chats.map(({ id, title, content }: Record<string, unknown>) => [id, title, content]),
      [["chat-aaa", 'A "quoted" <b>', chat().content], ["chat-bbb", "A fox", {}]],
    );
    assert.equal((await ask("ada", "DELETE /api/chats")).body.deleted, 2);
    assert.deepEqual((await ask("ada", "GET /api/chats/export")).body.chats, []);
  });
});
