// Where conversations are kept. The browser's own database today; a server's can take its place.

import type { Chat, ChatMessage } from "./chat.ts";

/** Only what is given is changed; all of it, or nothing. */
export interface ChatChange {
  chatId: string;
  /** Merged into what is stored, so that two tabs do not undo each other's changes. */
  chat?: Partial<Chat>;
  put?: readonly ChatMessage[];
  /** Ids of messages. */
  remove?: readonly string[];
  /** Removes the chat and its messages. */
  removeChat?: boolean;
}

export interface ChatStorage {
  /** In no order; throws when the storage cannot be used. */
  list(): Promise<Chat[]>;
  /** By `order`. */
  messages(chatId: string): Promise<ChatMessage[]>;
  write(change: ChatChange): Promise<void>;
  /** Calls `listener` when somebody else changed a chat. */
  subscribe(listener: (chatId: string) => void): () => void;
  close(): void;
}

/** For as long as the page is open. */
export function createMemoryStorage(): ChatStorage {
  const chats = new Map<string, Chat>();
  const messages = new Map<string, ChatMessage>();
  const ofChat = (chatId: string) =>
    [...messages.values()].filter((message) => message.chatId === chatId);
  return {
    list: () => Promise.resolve([...chats.values()]),
    messages: (chatId) => Promise.resolve(ofChat(chatId).sort((a, b) => a.order - b.order)),
    write({ chatId, chat, put = [], remove = [], removeChat = false }) {
      if (chat !== undefined) chats.set(chatId, { ...chats.get(chatId), ...chat } as Chat);
      for (const message of put) messages.set(message.id, message);
      const removed = removeChat ? ofChat(chatId).map(({ id }) => id) : remove;
      for (const id of removed) messages.delete(id);
      if (removeChat) chats.delete(chatId);
      return Promise.resolve();
    },
    subscribe: () => () => {},
    close() {},
  };
}
