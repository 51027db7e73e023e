import assert from "node:assert/strict";
import type { Chat, ChatMessage } from "./chat.ts";
import { baseOf, readContent, toContent } from "./chat_content.ts";
import { mergeChats } from "./chat_merge.ts";
import type { WholeChat } from "./chat_storage.ts";

function whole(ids: string, change: Partial<Chat> = {}): WholeChat {
  const chat = { id: "c", title: "t", createdAtMs: 10, updatedAtMs: 10, sampling: {}, ...change };
  return { chat, messages: [...ids].map((id) => message(id)) };
}

/** "a" to "z" in that order. */
function message(id: string, change: Partial<ChatMessage> = {}): ChatMessage {
  return {
    id,
    chatId: "c",
    order: id.charCodeAt(0),
    role: "user",
    text: id,
    createdAtMs: 1,
    state: "done",
    ...change,
  };
}

const idsOf = ({ messages }: WholeChat) => messages.map(({ id }) => id).join("");

Deno.test("mergeChats: what either wrote is there, what either took out is not, whoever merges", () => {
  for (
    const [base, local, remote, merged] of [
      ["ab", "ab", "abcd", "abcd"],
      ["ab", "abcd", "ab", "abcd"],
      ["ab", "abce", "abdf", "abcdef"],
      // One made the answer anew, the other went on.
      ["ab", "ac", "abde", "acde"],
      ["ab", "ac", "ad", "acd"],
      ["abcd", "ab", "abcd", "ab"],
      ["ab", "", "abc", "c"],
      [undefined, "abc", "abd", "abcd"],
    ] as const
  ) {
    const before = base === undefined ? undefined : baseOf(whole(base));
    const one = mergeChats(before, { local: whole(local), remote: whole(remote) });
    const other = mergeChats(before, { local: whole(remote), remote: whole(local) });
    assert.equal(idsOf(one), merged, `${base}: ${local} and ${remote}`);
    assert.deepEqual(other, one);
  }
});

Deno.test("mergeChats: of one message, the state that is nearer to its end", () => {
  const state = (change: Partial<ChatMessage>) => ({
    ...whole(""),
    messages: [message("a", change)],
  });
  for (
    const [nearer, farther] of [
      [{ state: "done", text: "all" }, { state: "running", text: "a" }],
      [{ state: "running", text: "al" }, { state: "running", text: "a" }],
      [{ state: "stopped", text: "al" }, { state: "interrupted", text: "all" }],
    ] as const
  ) {
    for (const [local, remote] of [[nearer, farther], [farther, nearer]] as const) {
      const merged = mergeChats(undefined, { local: state(local), remote: state(remote) });
      assert.deepEqual(merged.messages, [message("a", nearer)]);
    }
  }
});

Deno.test("mergeChats: a field that one side changed wins over what the other left", () => {
  const base = baseOf(whole("", { title: "t", model: "m" }));
  const local = whole("", { title: "mine", model: "m", updatedAtMs: 30, createdAtMs: 9 });
  const remote = whole("", { title: "t", model: "n", updatedAtMs: 20 });
  const { chat } = mergeChats(base, { local, remote });
  assert.deepEqual(
    [chat.title, chat.model, chat.updatedAtMs, chat.createdAtMs],
    ["mine", "n", 30, 9],
  );
  const both = mergeChats(base, {
    local,
    remote: whole("", { title: "theirs", model: "m", updatedAtMs: 20 }),
  });
  assert.equal(both.chat.title, "mine");
});

Deno.test("readContent gives back what toContent made, and leaves out what is none", () => {
  const chat: WholeChat = {
    chat: {
      ...whole("").chat,
      model: "m",
      preset: { id: "p", name: "story" },
      sampling: { system: "s", temperature: 0, seed: -1 },
    },
    messages: [
      message("a"),
      message("b", {
        role: "assistant",
        state: "interrupted",
        error: { code: "CELL_LOST", message: "gone", retryable: true },
        facts: { model: "m", home: "browser", threads: 2, finishReason: "stop" },
      }),
    ],
  };
  const told = (content: unknown) => ({
    id: "c",
    title: "t",
    version: 1,
    createdAtMs: 10,
    deleted: false,
    content,
  });
  const content = JSON.parse(JSON.stringify(toContent(chat)));
  assert.deepEqual(readContent(told(content)), chat);
  for (const nothing of [undefined, null, [], 5, {}, { messages: {} }]) {
    assert.equal(readContent(told(nothing)), undefined);
  }
  const odd = readContent(told({
    model: 5,
    preset: { id: {} },
    sampling: { system: [], temperature: "hot", other: 1, topP: 1 },
    messages: [
      null,
      { id: "x" },
      { ...message("y"), role: "system" },
      { ...message("z"), chatId: "other", state: "running", facts: { model: [] }, error: "no" },
    ],
  }));
  assert.deepEqual(odd, {
    chat: { ...whole("").chat, sampling: { topP: 1 } },
    messages: [message("z", { state: "interrupted" })],
  });
});

Deno.test("toContent: an answer that is being made is sent as one that broke off", () => {
  const running = { ...whole(""), messages: [message("a", { state: "running", text: "par" })] };
  const [sent] = toContent(running)["messages"] as ChatMessage[];
  assert.deepEqual([sent?.state, sent?.text, sent?.error?.code], [
    "interrupted",
    "par",
    "UNAVAILABLE",
  ]);
  assert.equal("chatId" in sent!, false);
});
