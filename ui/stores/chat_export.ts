// A chat as a file that people and programs can read; it needs no server.

import { splitThinking } from "../markdown/thinking.ts";
import type { ChatMessage } from "./chat.ts";
import { toContent } from "./chat_content.ts";
import type { WholeChat } from "./chat_storage.ts";

export interface ExportedFile {
  name: string;
  type: string;
  text: string;
}

/** Questions and answers under headings, as they were written; what a model only thought is left out. */
export function toMarkdownFile({ chat, messages }: WholeChat): ExportedFile {
  const parts = messages.map((message) => {
    const text = message.role === "user" ? message.text : splitThinking(message.text).answer;
    return `## ${speakerOf(message)}\n\n${text.trim()}\n`;
  });
  const date = new Date(chat.createdAtMs).toISOString().slice(0, 10);
  const text = [`# ${chat.title.replaceAll(/\s+/g, " ")}\n`, `${date}\n`, ...parts].join("\n");
  return { name: `${fileName(chat.title)}.md`, type: "text/markdown", text };
}

/** As the chats in the export of all of them. */
export function toJsonFile(whole: WholeChat): ExportedFile {
  const { id, title, createdAtMs } = whole.chat;
  const text = JSON.stringify({ id, title, createdAtMs, content: toContent(whole) }, null, 2);
  return { name: `${fileName(title)}.json`, type: "application/json", text: `${text}\n` };
}

function speakerOf({ role, facts }: ChatMessage): string {
  if (role === "user") return "Question";
  const model = facts?.preset ?? facts?.model;
  return model === undefined ? "Answer" : `Answer by ${model}`;
}

/** What every file system takes. */
function fileName(title: string): string {
  const name = title.normalize().replaceAll(/[^\p{L}\p{N}]+/gu, "-").replaceAll(/^-+|-+$/g, "");
  return name.slice(0, 60).toWellFormed() || "chat";
}
