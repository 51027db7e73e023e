// Conversations for as long as the page is open: where the browser stores nothing, and in tests.

import type { Chat, ChatMessage } from "./chat.ts";
import {
  type ChatStorage,
  isSent,
  markChanged,
  markRefused,
  markSent,
  markUnknown,
  type SyncMark,
  type SyncStorage,
} from "./chat_storage.ts";

export function createMemoryStorage(): ChatStorage & SyncStorage {
  const chats = new Map<string, Chat>();
  const messages = new Map<string, ChatMessage>();
  const marks = new Map<string, SyncMark>();
  const listeners = new Set<(chatId: string) => void>();
  let cursor: string | undefined;
  const ofChat = (chatId: string) =>
    [...messages.values()].filter((message) => message.chatId === chatId);
  const removeChat = (chatId: string) => {
    for (const { id } of ofChat(chatId)) messages.delete(id);
    chats.delete(chatId);
  };
  const setMark = (id: string, mark: SyncMark | undefined) => {
    if (mark === undefined) marks.delete(id);
    else marks.set(id, mark);
  };
  return {
    list: () => Promise.resolve([...chats.values()]),
    messages: (chatId) => Promise.resolve(ofChat(chatId).sort((a, b) => a.order - b.order)),
    write({ chatId, chat, put = [], remove = [], removeChat: gone = false }) {
      if (chat !== undefined) chats.set(chatId, { ...chats.get(chatId), ...chat } as Chat);
      for (const message of put) messages.set(message.id, message);
      for (const id of remove) messages.delete(id);
      if (gone) removeChat(chatId);
      marks.set(chatId, markChanged(marks.get(chatId), { id: chatId, deleted: gone }));
      return Promise.resolve();
    },
    subscribe(listener) {
      listeners.add(listener);
      return () => listeners.delete(listener);
    },
    close() {},

    cursor: () => Promise.resolve(cursor),
    setCursor(next) {
      cursor = next;
      return Promise.resolve();
    },
    unsent: () => Promise.resolve([...marks.values()].filter(({ unsent }) => unsent === 1)),
    refused: () =>
      Promise.resolve([...marks.values()].filter(({ refused }) => refused !== undefined)),
    read(chatId) {
      const chat = chats.get(chatId);
      const whole = chat === undefined
        ? undefined
        : { chat, messages: ofChat(chatId).sort((a, b) => a.order - b.order) };
      return Promise.resolve({ whole, mark: marks.get(chatId) });
    },
    replace(chatId, { whole, mark, changes }) {
      if ((marks.get(chatId)?.changes ?? 0) !== changes) return Promise.resolve(false);
      removeChat(chatId);
      if (whole !== undefined) {
        chats.set(chatId, whole.chat);
        for (const message of whole.messages) messages.set(message.id, message);
      }
      setMark(chatId, mark);
      for (const listener of listeners) listener(chatId);
      return Promise.resolve(true);
    },
    sent(chatId, sent) {
      const mark = marks.get(chatId);
      if (mark !== undefined) marks.set(chatId, markSent(mark, sent));
      return Promise.resolve();
    },
    refuse(chatId, refusal) {
      const mark = marks.get(chatId);
      if (mark !== undefined) marks.set(chatId, markRefused(mark, refusal));
      return Promise.resolve();
    },
    forgetServer() {
      for (const [id, mark] of marks) setMark(id, markUnknown(mark));
      cursor = undefined;
      return Promise.resolve();
    },
    forgetSent() {
      const ids = [...marks.values()].filter(isSent).map(({ id }) => id);
      for (const id of ids) {
        removeChat(id);
        marks.delete(id);
      }
      cursor = undefined;
      return Promise.resolve(ids);
    },
    clear() {
      for (const map of [chats, messages, marks]) map.clear();
      cursor = undefined;
      return Promise.resolve();
    },
  };
}
