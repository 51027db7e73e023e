// Devices of one person, each with its own storage, and the server's own routes over a database between them.

import assert from "node:assert/strict";
import { AppError } from "../../plugins/runtime/contract/error.ts";
import { createChatStore } from "../../server/services/chat_store.ts";
import { addUsers } from "../../server/testing/database_engines.ts";
import { createTestApp } from "../../server/testing/test_app.ts";
import { openTestDatabase } from "../../server/testing/test_database.ts";
import { identityAuthenticator } from "../../server/testing/test_identities.ts";
import { createApi } from "../api/client.ts";
import type { Chat, ChatMessage } from "./chat.ts";
import { createMemoryStorage } from "./chat_memory.ts";
import { createChatSync } from "./chat_sync.ts";

Deno.test("createChatSync", async (t) => {
  await using test = await openTestDatabase();
  await addUsers(test.db);
  const store = createChatStore({ db: test.db, maxChats: 6, pageBytes: 2000 });
  const { app } = createTestApp({}, {
    auth: identityAuthenticator({ ada: ["account"], bob: ["account"] }),
    chats: store,
  });

  function createDevice(person = "ada") {
    const storage = createMemoryStorage();
    const answering = new Set<string>();
    const requests: string[] = [];
    const device = {
      storage,
      answering,
      requests,
      /** What a request meets; it may be changed. */
      network: (request: Request) => app.fetch(request),
      signedIn: person,
      /** What happens before a request is sent. */
      renewing: (): unknown => undefined,
      signIn(next: string) {
        device.signedIn = next;
        for (const listener of listeners) listener();
      },
      sync: undefined as unknown as ReturnType<typeof createChatSync>,
      write: (chatId: string, ids: string, change: Partial<Chat> = {}) =>
        storage.write({ chatId, chat: chat(chatId, change), put: [...ids].map(messageOf(chatId)) }),
      texts: async (chatId: string) =>
        (await storage.messages(chatId)).map(({ text }) => text).join(""),
      titles: async () => (await storage.list()).map(({ title }) => title).sort(),
    };
    const listeners = new Set<() => void>();
    const session = {
      get token() {
        return device.signedIn;
      },
      async bearer() {
        await device.renewing();
        return device.signedIn;
      },
      refresh: () => Promise.resolve("ended" as const),
      verify: () => Promise.resolve("valid" as const),
      expire: (notice: string) => assert.fail(notice),
    };
    device.sync = createChatSync({
      api: createApi({
        session,
        baseUrl: "http://localhost/",
        fetch: async (input, init) => {
          const request = new Request(input, init);
          requests.push(`${request.method} ${new URL(request.url).pathname}`);
          return await device.network(request);
        },
      }),
      storage,
      claims: {
        claim: (id) => Promise.resolve(answering.has(id) ? undefined : () => {}),
        free: () => Promise.resolve(true),
      },
      locks: undefined,
      owner: person,
      isOwner: () => device.signedIn === person,
      watchOwner(changed) {
        listeners.add(changed);
        return () => listeners.delete(changed);
      },
    });
    return device;
  }

  const step = (name: string, run: () => Promise<void>) =>
    t.step(name, async () => {
      await test.db.sql`delete from chats`;
      await run();
    });
  const settled = ({ sync }: ReturnType<typeof createDevice>) =>
    assert.deepEqual(sync.state, {
      running: false,
      unsent: 0,
      refused: undefined,
      error: undefined,
      once: true,
    });

  await step("away: what is written waits, and is sent when the server is back", async () => {
    const one = createDevice();
    one.network = () => Promise.reject(new TypeError("no network"));
    await one.write("chat-one", "ab");
    await one.sync.run();
    assert.deepEqual([one.sync.state.unsent, one.sync.state.error?.code], [1, "UNAVAILABLE"]);
    assert.equal(one.sync.state.once, false);
    one.network = (request) => app.fetch(request);
    await one.sync.run();
    settled(one);
    const asked = one.requests.length;
    await one.sync.run();
    assert.deepEqual(one.requests.slice(asked), ["GET /api/chats"]);
    const two = createDevice();
    await two.sync.run();
    settled(two);
    assert.equal(await two.texts("chat-one"), "ab");
    assert.deepEqual(await two.storage.list(), await one.storage.list());
    assert.deepEqual(
      await two.storage.messages("chat-one"),
      await one.storage.messages("chat-one"),
    );
  });

  await step("an answer that was lost on its way: sent again, and there once", async () => {
    const one = createDevice();
    await one.write("chat-one", "ab");
    one.network = async (request) => {
      const response = await app.fetch(request);
      if (request.method === "PUT") throw new TypeError("lost");
      return response;
    };
    await one.sync.run();
    assert.equal(one.sync.state.unsent, 1);
    one.network = (request) => app.fetch(request);
    await one.sync.run();
    settled(one);
    assert.equal((await store.get("ada", "chat-one")).version, 1);
    assert.equal(await one.texts("chat-one"), "ab");
  });

  await step(
    "another person signs in amid it: nothing of the first goes to the second",
    async () => {
      const one = createDevice();
      await one.write("chat-one", "a");
      await one.write("chat-two", "b");
      one.network = async (request) => {
        const response = await app.fetch(request);
        if (request.method === "PUT") one.signIn("bob");
        return response;
      };
      await one.sync.run();
      assert.equal(one.sync.state.error?.code, "CANCELLED");
      assert.deepEqual((await store.changes("bob", page)).chats, []);
      assert.equal((await store.changes("ada", page)).chats.length, 1);
      // Before a request is sent its token may have to be renewed, which takes a while.
      one.network = (request) => app.fetch(request);
      one.signIn("ada");
      let bearers = 0;
      one.renewing = () => ++bearers === 2 && one.signIn("bob");
      await one.sync.run();
      assert.equal(bearers, 2);
      assert.equal(one.sync.state.error?.code, "CANCELLED");
      assert.deepEqual((await store.changes("bob", page)).chats, []);
      one.renewing = () => undefined;
      one.signIn("ada");
      await one.sync.run();
      settled(one);
      assert.equal((await store.changes("ada", page)).chats.length, 2);
    },
  );

  await step("two devices write at once: each has what both wrote, after few rounds", async () => {
    const one = createDevice();
    const two = createDevice();
    await one.write("chat-one", "ab");
    await one.sync.run();
    await two.sync.run();
    await one.write("chat-one", "ce", { title: "of one" });
    await two.write("chat-one", "df", { model: "n" });
    await Promise.all([one.sync.run(), two.sync.run()]);
    await one.sync.run();
    await two.sync.run();
    for (const device of [one, two]) {
      settled(device);
      assert.equal(await device.texts("chat-one"), "abcdef");
      const [{ title, model }] = await device.storage.list() as [Chat];
      assert.deepEqual([title, model], ["of one", "n"]);
    }
    const { version } = await store.get("ada", "chat-one");
    await Promise.all([one.sync.run(), two.sync.run()]);
    assert.equal((await store.get("ada", "chat-one")).version, version);
  });

  await step(
    "an answer made anew stays in the place of the old one, beside what another wrote",
    async () => {
      const one = createDevice();
      const two = createDevice();
      await one.write("chat-one", "ab");
      await one.sync.run();
      await two.sync.run();
      await one.storage.write({ chatId: "chat-one", remove: ["chat-one.b"] });
      await one.write("chat-one", "c");
      await two.write("chat-one", "de");
      await two.sync.run();
      await one.sync.run();
      await two.sync.run();
      for (const device of [one, two]) assert.equal(await device.texts("chat-one"), "acde");
    },
  );

  await step("while an answer is made: not sent, not overwritten; merged at its end", async () => {
    const one = createDevice();
    const two = createDevice();
    await one.write("chat-one", "a");
    await one.sync.run();
    await two.sync.run();
    one.answering.add("chat-one");
    const running = { ...messageOf("chat-one")("c"), state: "running" as const };
    await one.storage.write({ chatId: "chat-one", put: [running] });
    await two.write("chat-one", "b");
    await two.sync.run();
    await one.sync.run();
    assert.equal(one.sync.state.unsent, 1);
    assert.equal(await one.texts("chat-one"), "ac");
    one.answering.clear();
    await one.storage.write({ chatId: "chat-one", put: [messageOf("chat-one")("c")] });
    await one.sync.run();
    await two.sync.run();
    for (const device of [one, two]) assert.equal(await device.texts("chat-one"), "abc");
  });

  await step("a page that ended amid an answer: what had come is sent, as broken off", async () => {
    const one = createDevice();
    const running = { ...messageOf("chat-one")("a"), state: "running" as const };
    await one.storage.write({ chatId: "chat-one", chat: chat("chat-one"), put: [running] });
    await one.sync.run();
    settled(one);
    const two = createDevice();
    await two.sync.run();
    assert.equal((await two.storage.messages("chat-one"))[0]?.state, "interrupted");
  });

  await step("deleted: it goes everywhere, and undo brings it back everywhere", async () => {
    const one = createDevice();
    const two = createDevice();
    await one.write("chat-one", "ab");
    await one.sync.run();
    await two.sync.run();
    await one.storage.write({ chatId: "chat-one", removeChat: true });
    await one.sync.run();
    await two.sync.run();
    settled(one);
    assert.deepEqual(await two.titles(), []);
    await one.write("chat-one", "ab");
    await one.sync.run();
    await two.sync.run();
    settled(one);
    assert.equal(await two.texts("chat-one"), "ab");
  });

  await step("deleted before it was ever sent: nobody hears of it", async () => {
    const one = createDevice();
    await one.write("chat-one", "ab");
    await one.storage.write({ chatId: "chat-one", removeChat: true });
    await one.sync.run();
    settled(one);
    assert.deepEqual((await store.changes("ada", page)).chats, []);
  });

  await step(
    "deleted here, gone on with there: what was written is not lost, either way",
    async () => {
      for (const first of ["one", "two"] as const) {
        const one = createDevice();
        const two = createDevice();
        const id = `chat-${first}`;
        await one.write(id, "ab");
        await one.sync.run();
        await two.sync.run();
        await one.storage.write({ chatId: id, removeChat: true });
        await two.write(id, "cd");
        const order = first === "one" ? [one, two, one] : [two, one, two];
        for (const device of order) await device.sync.run();
        for (const device of [one, two]) assert.equal(await device.texts(id), "abcd", first);
        // A new name alone does not bring it back.
        await one.storage.write({ chatId: id, removeChat: true });
        await two.write(id, "", { title: "renamed" });
        await two.sync.run();
        await one.sync.run();
        await two.sync.run();
        for (const device of [one, two]) assert.deepEqual(await device.titles(), []);
      }
    },
  );

  await step(
    "bounds: what the server refuses stays here, is told, and holds nothing up",
    async () => {
      const one = createDevice();
      const large = { ...messageOf("chat-big")("a"), text: "x".repeat(8 * 1024 * 1024) };
      await one.storage.write({ chatId: "chat-big", chat: chat("chat-big"), put: [large] });
      await one.write("chat-two", "b");
      await one.sync.run();
      assert.deepEqual([one.sync.state.unsent, one.sync.state.error], [0, undefined]);
      assert.match(one.sync.state.refused ?? "", /"content" is larger than 8388608 bytes/);
      const asked = one.requests.length;
      await one.sync.run();
      // It is not sent again and again.
      assert.deepEqual(one.requests.slice(asked), ["GET /api/chats"]);
      assert.deepEqual(await one.storage.forgetSent(), ["chat-two"]);
      assert.deepEqual(await one.titles(), ["chat-big"]);
      await one.storage.write({ chatId: "chat-big", put: [messageOf("chat-big")("a")] });
      await one.sync.run();
      settled(one);
      for (const id of ["chat-3", "chat-4", "chat-5", "chat-6"]) await one.write(`${id}xx`, "a");
      await one.write("chat-7xx", "a");
      await one.sync.run();
      assert.match(one.sync.state.refused ?? "", /There are 6 chats already/);
    },
  );

  await step("many: all come, page by page", async () => {
    const one = createDevice();
    for (let index = 0; index < 6; index++) {
      const text = "y".repeat(900);
      const id = `chat-no-${index}`;
      await one.storage.write({
        chatId: id,
        chat: chat(id),
        put: [{ ...messageOf(id)("a"), text }],
      });
    }
    await one.sync.run();
    const two = createDevice();
    await two.sync.run();
    assert.equal((await two.titles()).length, 6);
    assert.ok(two.requests.length >= 3, `${two.requests.length}`);
  });

  await step("another database: what is here is sent to it, and nothing is lost", async () => {
    const one = createDevice();
    await one.write("chat-one", "ab");
    await one.write("chat-two", "cd");
    await one.sync.run();
    // As after a restore: one chat is older than here, the other is not known.
    await test.db.sql`delete from chats`;
    await store.put("ada", "chat-one", {
      title: "chat-one",
      content: JSON.stringify({ updatedAtMs: 1, messages: [messageOf("chat-one")("a")] }),
      version: 0,
      createdAtMs: 1,
    });
    await one.sync.run();
    settled(one);
    const two = createDevice();
    await two.sync.run();
    assert.equal(await two.texts("chat-one"), "ab");
    assert.equal(await two.texts("chat-two"), "cd");
  });

  await step("deleteAll: the server first; when it is away, nothing is deleted", async () => {
    const one = createDevice();
    await one.write("chat-one", "a");
    await one.sync.run();
    await one.write("chat-two", "b");
    one.network = () => Promise.reject(new TypeError("no network"));
    await assert.rejects(one.sync.deleteAll(), { code: "UNAVAILABLE" });
    assert.deepEqual(await one.titles(), ["chat-one", "chat-two"]);
    one.network = (request) => app.fetch(request);
    await one.sync.deleteAll();
    assert.deepEqual(await one.titles(), []);
    const two = createDevice();
    await two.sync.run();
    assert.deepEqual(await two.titles(), []);
    await one.sync.run();
    settled(one);
  });

  await step(
    "forgetSent: what the server has goes, what it has not stays, and all comes back",
    async () => {
      const one = createDevice();
      await one.write("chat-one", "a");
      await one.sync.run();
      await one.write("chat-two", "b");
      assert.deepEqual(await one.storage.forgetSent(), ["chat-one"]);
      assert.deepEqual(await one.titles(), ["chat-two"]);
      await one.sync.run();
      settled(one);
      assert.deepEqual(await one.titles(), ["chat-one", "chat-two"]);
    },
  );

  await step("close: nothing is asked any more", async () => {
    const one = createDevice();
    await one.write("chat-one", "a");
    one.sync.close();
    await one.sync.run();
    assert.deepEqual(one.requests, []);
    assert.ok(!(new AppError("CANCELLED", "")).retryable);
  });
});

const page = { limit: 50, withContent: false };

function chat(id: string, change: Partial<Chat> = {}): Chat {
  return { id, title: id, createdAtMs: 1, updatedAtMs: 2, sampling: {}, ...change };
}

/** "a" to "z", in that order. */
function messageOf(chatId: string): (letter: string) => ChatMessage {
  return (letter) => ({
    id: `${chatId}.${letter}`,
    chatId,
    order: letter.charCodeAt(0),
    role: "user",
    text: letter,
    createdAtMs: 1,
    state: "done",
  });
}
