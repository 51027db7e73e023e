// Conversations in this browser's IndexedDB, each message a record of its own; other tabs are told of each change.

import { AppError } from "../../plugins/runtime/contract/error.ts";
import type { Chat, ChatMessage } from "./chat.ts";
import type { ChatChange, ChatStorage } from "./chat_storage.ts";

/** `owner` keeps the chats of people who share a browser apart. Every failure is an AppError. */
export function createChatDatabase(owner: string): ChatStorage {
  const name = `bkg.chats.${owner}`;
  const channel = typeof BroadcastChannel === "undefined" ? undefined : new BroadcastChannel(name);
  let opened: Promise<IDBDatabase> | undefined;

  const database = () => {
    if (opened === undefined) {
      opened = openDatabase(name, { lost: () => opened = undefined });
      // A failed opening is tried again by the next call.
      opened.catch(() => opened = undefined);
    }
    return opened;
  };
  const run = async <Value>(
    mode: IDBTransactionMode,
    work: (stores: Stores) => Value | Promise<Value>,
  ): Promise<Value> => {
    try {
      const transaction = (await database()).transaction(["chats", "messages"], mode);
      const ended = endOf(transaction);
      // Without a reader of its own, a failure within `work` would count as unhandled.
      ended.catch(() => {});
      const value = await work({
        chats: transaction.objectStore("chats"),
        messages: transaction.objectStore("messages"),
      });
      await ended;
      return value;
    } catch (error) {
      throw storageError(error);
    }
  };

  return {
    list: () => run("readonly", ({ chats }) => answer<Chat[]>(chats.getAll())),
    messages: (chatId) =>
      run(
        "readonly",
        ({ messages }) => answer<ChatMessage[]>(messages.index("chat").getAll(chatRange(chatId))),
      ),
    async write(change) {
      await run("readwrite", (stores) => apply(change, stores));
      channel?.postMessage(change.chatId);
    },
    subscribe(listener) {
      const hear = ({ data }: MessageEvent<unknown>) => {
        if (typeof data === "string") listener(data);
      };
      channel?.addEventListener("message", hear);
      return () => channel?.removeEventListener("message", hear);
    },
    close() {
      channel?.close();
      opened?.then((db) => db.close(), () => {});
    },
  };
}

type Stores = Record<"chats" | "messages", IDBObjectStore>;

async function apply(change: ChatChange, { chats, messages }: Stores): Promise<void> {
  const { chatId, chat, put = [], remove = [], removeChat = false } = change;
  if (removeChat) {
    chats.delete(chatId);
    const ids = await answer<IDBValidKey[]>(messages.index("chat").getAllKeys(chatRange(chatId)));
    for (const id of ids) messages.delete(id);
    return;
  }
  const stored = await answer<Chat | undefined>(chats.get(chatId));
  // What another tab deleted does not come back in parts.
  if (stored === undefined && chat?.createdAtMs === undefined) return;
  if (chat !== undefined) chats.put({ ...stored, ...chat, id: chatId });
  for (const message of put) messages.put(message);
  for (const id of remove) messages.delete(id);
}

function chatRange(chatId: string): IDBKeyRange {
  return IDBKeyRange.bound([chatId, -Infinity], [chatId, Infinity]);
}

function openDatabase(name: string, { lost }: { lost: () => void }): Promise<IDBDatabase> {
  const { promise, resolve, reject } = Promise.withResolvers<IDBDatabase>();
  // Where storage is blocked this throws, or it never answers.
  const request = indexedDB.open(name, 1);
  const giveUp = setTimeout(() => reject(new Error("The storage does not answer")), openTimeoutMs);
  request.onupgradeneeded = () => {
    request.result.createObjectStore("chats", { keyPath: "id" });
    request.result.createObjectStore("messages", { keyPath: "id" })
      .createIndex("chat", ["chatId", "order"]);
  };
  request.onsuccess = () => {
    const db = request.result;
    // Another tab has a newer page that wants another form of it.
    db.onversionchange = () => {
      db.close();
      lost();
    };
    db.onclose = lost;
    resolve(db);
  };
  request.onerror = () => reject(request.error);
  return promise.finally(() => clearTimeout(giveUp));
}

function answer<Value>(request: IDBRequest): Promise<Value> {
  const { promise, resolve, reject } = Promise.withResolvers<Value>();
  request.onsuccess = () => resolve(request.result);
  request.onerror = () => reject(request.error);
  return promise;
}

function endOf(transaction: IDBTransaction): Promise<void> {
  const { promise, resolve, reject } = Promise.withResolvers<void>();
  transaction.oncomplete = () => resolve();
  transaction.onabort = () => reject(transaction.error ?? new Error("The storage gave up"));
  return promise;
}

function storageError(cause: unknown): AppError {
  return cause instanceof DOMException && cause.name === "QuotaExceededError"
    ? new AppError("PAYLOAD_TOO_LARGE", "This browser's storage for this site is full", { cause })
    : new AppError("UNAVAILABLE", "This browser does not let this site store anything", { cause });
}

const openTimeoutMs = 5000;
