// Conversations in this browser's IndexedDB, each message a record of its own; other tabs are told of each change.

import type { Chat, ChatMessage } from "./chat.ts";
import { answer, chatRange, openChatDb, removeChat, type Stores } from "./chat_idb.ts";
import { type ChatChange, type ChatStorage, markChanged, type SyncMark } from "./chat_storage.ts";

/** Every failure is an AppError. */
export function createChatDatabase(owner: string): ChatStorage {
  const db = openChatDb(owner);
  return {
    list: () => db.run("readonly", ({ chats }) => answer<Chat[]>(chats.getAll())),
    messages: (chatId) =>
      db.run(
        "readonly",
        ({ messages }) => answer<ChatMessage[]>(messages.index("chat").getAll(chatRange(chatId))),
      ),
    async write(change) {
      await db.run("readwrite", (stores) => apply(change, stores));
      db.tell(change.chatId);
    },
    subscribe: db.subscribe,
    close: db.close,
  };
}

async function apply(change: ChatChange, stores: Stores): Promise<void> {
  const { chatId, chat, put = [], remove = [], removeChat: deleted = false } = change;
  const { chats, messages, marks } = stores;
  const stored = await answer<Chat | undefined>(chats.get(chatId));
  if (deleted) await removeChat(stores, chatId);
  else {
    // What another tab deleted does not come back in parts.
    if (stored === undefined && chat?.createdAtMs === undefined) return;
    if (chat !== undefined) chats.put({ ...stored, ...chat, id: chatId });
    for (const message of put) messages.put(message);
    for (const id of remove) messages.delete(id);
  }
  const mark = await answer<SyncMark | undefined>(marks.get(chatId));
  marks.put(markChanged(mark, { id: chatId, deleted }));
}
