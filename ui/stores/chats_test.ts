import assert from "node:assert/strict";
import { AppError } from "../../plugins/runtime/contract/error.ts";
import type { ChatInput } from "./chat_prompt.ts";
import { createMemoryStorage } from "./chat_memory.ts";
import type { ChatStorage } from "./chat_storage.ts";
import { createChats } from "./chats.ts";

const result = {
  text: "",
  finishReason: "length",
  usage: { promptTokens: 3, cachedTokens: 0, completionTokens: 2 },
  timings: { promptMs: 1, generationMs: 2, tokensPerSecond: 40 },
  backend: "wasm",
  threads: 2,
};
const ask = { model: "m", sampling: {} };

/** A model whose answers are given by `script`, one a call. */
function setUp({ script, storage = createMemoryStorage() }: {
  script: ((signal: AbortSignal) => AsyncGenerator<unknown, unknown>)[];
  storage?: ChatStorage;
}) {
  const inputs: ChatInput[] = [];
  const held = new Set<string>();
  const chats = createChats({
    storage,
    claims: {
      claim(chatId) {
        if (held.has(chatId)) return Promise.resolve(undefined);
        held.add(chatId);
        return Promise.resolve(() => void held.delete(chatId));
      },
      free: () => Promise.resolve(true),
    },
    stream(input, { signal }) {
      inputs.push(input);
      return script[inputs.length - 1]!(signal);
    },
    home: () => "server",
    nextFrame: (show) => queueMicrotask(show),
  });
  const ended = async (chatId: string) => {
    while (chats.running(chatId) !== undefined) await new Promise((go) => setTimeout(go, 1));
  };
  return { chats, inputs, held, storage, ended };
}

async function* says(...deltas: string[]): AsyncGenerator<unknown, unknown> {
  for (const delta of deltas) yield { delta };
  await Promise.resolve();
  return result;
}

async function* breaks(delta: string, error: unknown): AsyncGenerator<unknown, unknown> {
  yield { delta };
  await Promise.resolve();
  throw error;
}

async function* hangs(delta: string): AsyncGenerator<unknown, unknown> {
  yield { delta };
  await new Promise(() => {});
  return result;
}

Deno.test("send: question and answer are stored, with how it was made", async () => {
  const { chats, storage, ended } = setUp({ script: [() => says("Once ", "upon")] });
  const chatId = await chats.send("Tell me\na story", ask);
  await ended(chatId);
  const stored = await storage.messages(chatId);
  assert.deepEqual(stored.map(({ role, text, state }) => [role, text, state]), [
    ["user", "Tell me\na story", "done"],
    ["assistant", "Once upon", "done"],
  ]);
  const { firstTokenMs, ...facts } = stored[1]!.facts!;
  assert.ok(firstTokenMs !== undefined && firstTokenMs >= 0);
  assert.deepEqual(facts, {
    model: "m",
    home: "server",
    backend: "wasm",
    threads: 2,
    finishReason: "length",
    promptTokens: 3,
    completionTokens: 2,
    tokensPerSecond: 40,
  });
  assert.equal(chats.list![0]!.title, "Tell me");
});

Deno.test("send: an answer that breaks off keeps its text and says why", async () => {
  const error = new AppError("CELL_LOST", "The plugin ended");
  const { chats, inputs, storage, ended } = setUp({
    script: [() => breaks("half", error), () => says("whole")],
  });
  const chatId = await chats.send("q", ask);
  await ended(chatId);
  const broken = chats.messages(chatId)![1]!;
  assert.deepEqual([broken.text, broken.state, broken.error?.code], [
    "half",
    "interrupted",
    "CELL_LOST",
  ]);
  await chats.regenerate({ ...ask, chatId });
  await ended(chatId);
  assert.deepEqual((await storage.messages(chatId)).map(({ text }) => text), ["q", "whole"]);
  assert.deepEqual(inputs[1]!.messages, [{ role: "user", content: "q" }]);
});

Deno.test("send: a stream without a result, or with something else than pieces, is interrupted", async () => {
  const { chats, ended } = setUp({
    script: [
      async function* () {
        yield { delta: "a" };
      },
      async function* () {
        yield { delta: 5 };
        return result;
      },
    ],
  });
  for (const code of ["UNAVAILABLE", "INVALID_OUTPUT"]) {
    const chatId = await chats.send("q", ask);
    await ended(chatId);
    const last = chats.messages(chatId)!.at(-1)!;
    assert.deepEqual([last.state, last.error?.code], ["interrupted", code]);
  }
});

Deno.test("stop: ends at once, even when the plugin does not notice", async () => {
  const { chats, held, storage, ended } = setUp({ script: [() => hangs("part")] });
  const chatId = await chats.send("q", ask);
  while (chats.messages(chatId)!.at(-1)!.text === "") await new Promise((go) => setTimeout(go, 1));
  chats.stop(chatId);
  await ended(chatId);
  await chats.close();
  assert.deepEqual((await storage.messages(chatId)).map(({ text, state }) => [text, state]), [
    ["q", "done"],
    ["part", "stopped"],
  ]);
  assert.equal(held.size, 0);
});

Deno.test("send: a second question while an answer is made is refused, here and from another tab", async () => {
  const { chats, held } = setUp({ script: [() => hangs("part")] });
  const chatId = await chats.send("q", ask);
  await assert.rejects(chats.send("r", { ...ask, chatId }), { code: "CONFLICT" });
  chats.stop(chatId);
  await chats.close();
  held.add(chatId);
  await assert.rejects(chats.send("r", { ...ask, chatId }), { code: "CONFLICT" });
  assert.equal(chats.messages(chatId)!.length, 2);
});

Deno.test("regenerate, editLast, remove: undo puts the chat back as it was", async () => {
  const script = [() => says("first"), () => says("second"), () => says("third")];
  const { chats, storage, ended } = setUp({ script });
  const texts = async () => (await storage.messages(chatId)).map(({ text }) => text);
  const chatId = await chats.send("q", ask);
  await ended(chatId);
  await chats.regenerate({ ...ask, chatId });
  await ended(chatId);
  assert.deepEqual(await texts(), ["q", "second"]);
  await chats.undo!.run();
  assert.deepEqual(await texts(), ["q", "first"]);
  await chats.editLast("changed", { ...ask, chatId });
  await ended(chatId);
  assert.deepEqual(await texts(), ["changed", "third"]);
  await chats.undo!.run();
  assert.deepEqual(await texts(), ["q", "first"]);
  await chats.remove(chatId);
  assert.deepEqual([await texts(), chats.list], [[], []]);
  await chats.undo!.run();
  assert.deepEqual(await texts(), ["q", "first"]);
  assert.equal(chats.undo, undefined);
});

Deno.test("undo: while the new answer runs, it ends that one", async () => {
  const { chats, storage, ended } = setUp({ script: [() => says("first"), () => hangs("x")] });
  const chatId = await chats.send("q", ask);
  await ended(chatId);
  await chats.regenerate({ ...ask, chatId });
  await chats.undo!.run();
  assert.equal(chats.running(chatId), undefined);
  assert.deepEqual((await storage.messages(chatId)).map(({ text }) => text), ["q", "first"]);
});

Deno.test("createChats: storage that cannot be read is replaced by memory, and it says so", async () => {
  const storage: ChatStorage = {
    ...createMemoryStorage(),
    list: () => Promise.reject(new AppError("UNAVAILABLE", "Storage is blocked")),
  };
  const { chats, ended } = setUp({ script: [() => says("a")], storage });
  const chatId = await chats.send("q", ask);
  await ended(chatId);
  assert.match(chats.notice!, /^Storage is blocked\. Chats are kept only as long/);
  assert.equal(chats.messages(chatId)!.at(-1)!.text, "a");
});

Deno.test("createChats: full storage is said, and everything is written when there is room again", async () => {
  let full = true;
  const inner = createMemoryStorage();
  const storage: ChatStorage = {
    ...inner,
    write: (change) =>
      full
        ? Promise.reject(new AppError("PAYLOAD_TOO_LARGE", "Storage is full"))
        : inner.write(change),
  };
  const { chats, ended } = setUp({ script: [() => says("a"), () => says("b")], storage });
  const chatId = await chats.send("q", ask);
  await ended(chatId);
  assert.match(chats.notice!, /^Storage is full/);
  assert.equal((await inner.messages(chatId)).length, 0);
  full = false;
  await chats.send("r", { ...ask, chatId });
  await ended(chatId);
  await chats.close();
  assert.equal(chats.notice, undefined);
  assert.deepEqual((await inner.messages(chatId)).map(({ text }) => text), ["q", "a", "r", "b"]);
  assert.equal((await inner.list())[0]!.title, "q");
});

Deno.test("messages: an answer whose page was closed is interrupted, and can be retried", async () => {
  const storage = createMemoryStorage();
  const chat = { id: "c", title: "t", createdAtMs: 1, updatedAtMs: 1, sampling: {} };
  const message = { chatId: "c", createdAtMs: 1 };
  await storage.write({
    chatId: "c",
    chat,
    put: [
      { ...message, id: "1", order: 1, role: "user", text: "q", state: "done" },
      { ...message, id: "2", order: 2, role: "assistant", text: "par", state: "running" },
    ],
  });
  const { chats, ended } = setUp({ script: [() => says("whole")], storage });
  while (chats.list === undefined) await new Promise((go) => setTimeout(go, 1));
  while (chats.messages("c")?.at(-1)?.state !== "interrupted") {
    await new Promise((go) => setTimeout(go, 1));
  }
  assert.equal((await storage.messages("c"))[1]!.error?.code, "UNAVAILABLE");
  await chats.regenerate({ ...ask, chatId: "c" });
  await ended("c");
  assert.equal((await storage.messages("c")).at(-1)!.text, "whole");
});
