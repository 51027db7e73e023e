// The IndexedDB of conversations as chat_sync.ts sees it: the marks of what the server has, and whole chats.

import type { Chat, ChatMessage } from "./chat.ts";
import { answer, chatRange, openChatDb, removeChat } from "./chat_idb.ts";
import {
  isSent,
  markRefused,
  markSent,
  markUnknown,
  type SyncMark,
  type SyncStorage,
} from "./chat_storage.ts";

export function createSyncDatabase(owner: string): SyncStorage {
  const db = openChatDb(owner);
  const marked = (index: "unsent" | "refused") =>
    db.run("readonly", ({ marks }) => answer<SyncMark[]>(marks.index(index).getAll()));
  const change = (chatId: string, next: (mark: SyncMark) => SyncMark) =>
    db.run("readwrite", async ({ marks }) => {
      const mark = await answer<SyncMark | undefined>(marks.get(chatId));
      if (mark !== undefined) marks.put(next(mark));
    });

  return {
    subscribe: db.subscribe,
    close: db.close,
    cursor: () =>
      db.run("readonly", async ({ state }) => {
        const stored = await answer<{ value?: string } | undefined>(state.get("cursor"));
        return stored?.value;
      }),
    setCursor: (value) =>
      db.run("readwrite", ({ state }) => void state.put({ name: "cursor", value })),
    unsent: () => marked("unsent"),
    refused: () => marked("refused"),
    read: (chatId) =>
      db.run("readonly", async ({ chats, messages, marks }) => {
        const [chat, list, mark] = await Promise.all([
          answer<Chat | undefined>(chats.get(chatId)),
          answer<ChatMessage[]>(messages.index("chat").getAll(chatRange(chatId))),
          answer<SyncMark | undefined>(marks.get(chatId)),
        ]);
        return { whole: chat === undefined ? undefined : { chat, messages: list }, mark };
      }),
    async replace(chatId, { whole, mark, changes }) {
      const isDone = await db.run("readwrite", async (stores) => {
        const { chats, messages, marks } = stores;
        const stored = await answer<SyncMark | undefined>(marks.get(chatId));
        if ((stored?.changes ?? 0) !== changes) return false;
        await removeChat(stores, chatId);
        if (whole !== undefined) {
          chats.put(whole.chat);
          for (const message of whole.messages) messages.put(message);
        }
        if (mark === undefined) marks.delete(chatId);
        else marks.put(mark);
        return true;
      });
      if (isDone) db.tell(chatId);
      return isDone;
    },
    sent: (chatId, sent) => change(chatId, (mark) => markSent(mark, sent)),
    refuse: (chatId, refusal) => change(chatId, (mark) => markRefused(mark, refusal)),
    forgetServer: () =>
      db.run("readwrite", async ({ marks, state }) => {
        for (const mark of await answer<SyncMark[]>(marks.getAll())) {
          const next = markUnknown(mark);
          if (next === undefined) marks.delete(mark.id);
          else marks.put(next);
        }
        state.clear();
      }),
    forgetSent: () =>
      db.run("readwrite", async (stores) => {
        const ids = (await answer<SyncMark[]>(stores.marks.getAll())).filter(isSent)
          .map(({ id }) => id);
        for (const id of ids) {
          await removeChat(stores, id);
          stores.marks.delete(id);
        }
        stores.state.clear();
        return ids;
      }),
    async clear() {
      await db.run("readwrite", ({ chats, messages, marks, state }) => {
        for (const store of [chats, messages, marks, state]) store.clear();
      });
      db.tell("");
    },
  };
}
