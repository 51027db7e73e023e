import assert from "node:assert/strict";
import type { ChatMessage } from "./chat.ts";
import { toJsonFile, toMarkdownFile } from "./chat_export.ts";
import type { WholeChat } from "./chat_storage.ts";

function whole(title: string): WholeChat {
  const message = { chatId: "c", createdAtMs: 0, state: "done" as const };
  const messages: ChatMessage[] = [
    { ...message, id: "1", order: 1, role: "user", text: "Why?\n# no heading" },
    {
      ...message,
      id: "2",
      order: 2,
      role: "assistant",
      text: "<think>hm</think>Because.",
      facts: { model: "m", preset: "story", home: "server" },
    },
    { ...message, id: "3", order: 3, role: "assistant", text: "" },
  ];
  return { chat: { id: "c", title, createdAtMs: 0, updatedAtMs: 0, sampling: {} }, messages };
}

Deno.test("toMarkdownFile: who said what, under a title of one line", () => {
  assert.deepEqual(toMarkdownFile(whole("A fox\nand ../more")), {
    name: "A-fox-and-more.md",
    type: "text/markdown",
    text: `# A fox and ../more

1970-01-01

## Question

Why?
# no heading

## Answer by story

Because.

## Answer


`,
  });
});

Deno.test("toJsonFile: the chat as the server exports it", () => {
  const { name, text } = toJsonFile(whole("///"));
  assert.equal(name, "chat.json");
  const { id, content } = JSON.parse(text);
  assert.deepEqual([id, content.messages.length, content.messages[1].text], [
    "c",
    3,
    "<think>hm</think>Because.",
  ]);
});
