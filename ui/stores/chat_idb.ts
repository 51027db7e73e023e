// The IndexedDB of conversations, one a person: how it is opened, and transactions whose failures are AppErrors.
// Callers: chat_database.ts (the page's side), chat_sync_database.ts (the server's side).

import { AppError } from "../../plugins/runtime/contract/error.ts";
import type { SyncMark } from "./chat_storage.ts";

export const storeNames = ["chats", "messages", "marks", "state"] as const;

export type Stores = Record<typeof storeNames[number], IDBObjectStore>;

export interface ChatDb {
  /** All of `work`, or nothing: within it only await what `answer` gives. */
  run<Value>(
    mode: IDBTransactionMode,
    work: (stores: Stores) => Value | Promise<Value>,
  ): Promise<Value>;
  /** Tells every other handle of it, in this tab too. */
  tell(chatId: string): void;
  subscribe(listener: (chatId: string) => void): () => void;
  close(): void;
}

/** `owner` keeps the chats of people who share a browser apart. */
export function openChatDb(owner: string): ChatDb {
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

  return {
    async run(mode, work) {
      try {
        const transaction = (await database()).transaction(storeNames, mode);
        const ended = endOf(transaction);
        // Without a reader of its own, a failure within `work` would count as unhandled.
        ended.catch(() => {});
        const stores = storeNames.map((name) => [name, transaction.objectStore(name)]);
        const value = await work(Object.fromEntries(stores) as Stores);
        await ended;
        return value;
      } catch (error) {
        throw storageError(error);
      }
    },
    tell: (chatId) => channel?.postMessage(chatId),
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

export function answer<Value>(request: IDBRequest): Promise<Value> {
  const { promise, resolve, reject } = Promise.withResolvers<Value>();
  request.onsuccess = () => resolve(request.result);
  request.onerror = () => reject(request.error);
  return promise;
}

/** Of the messages of a chat, by their order. */
export function chatRange(chatId: string): IDBKeyRange {
  return IDBKeyRange.bound([chatId, -Infinity], [chatId, Infinity]);
}

export async function removeChat({ chats, messages }: Stores, chatId: string): Promise<void> {
  chats.delete(chatId);
  const ids = await answer<IDBValidKey[]>(messages.index("chat").getAllKeys(chatRange(chatId)));
  for (const id of ids) messages.delete(id);
}

function openDatabase(name: string, { lost }: { lost: () => void }): Promise<IDBDatabase> {
  const { promise, resolve, reject } = Promise.withResolvers<IDBDatabase>();
  // Where storage is blocked this throws, or it never answers.
  const request = indexedDB.open(name, 2);
  const giveUp = setTimeout(() => reject(new Error("The storage does not answer")), openTimeoutMs);
  request.onupgradeneeded = ({ oldVersion }) => upgrade(request, oldVersion);
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

function upgrade({ result: db, transaction }: IDBOpenDBRequest, oldVersion: number): void {
  if (oldVersion < 1) {
    db.createObjectStore("chats", { keyPath: "id" });
    db.createObjectStore("messages", { keyPath: "id" })
      .createIndex("chat", ["chatId", "order"]);
  }
  if (oldVersion < 2) {
    const marks = db.createObjectStore("marks", { keyPath: "id" });
    // Records without the property are in no index.
    marks.createIndex("unsent", "unsent");
    marks.createIndex("refused", "refused");
    db.createObjectStore("state", { keyPath: "name" });
    // What is here from before was never sent.
    const known = transaction!.objectStore("chats").getAllKeys();
    known.onsuccess = () => {
      for (const id of known.result) {
        marks.put({ id: String(id), version: 0, changes: 1, unsent: 1 } satisfies SyncMark);
      }
    };
  }
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
    : new AppError("UNAVAILABLE", "This browser does not let this site store anything", {
      cause,
      retryable: false,
    });
}

const openTimeoutMs = 5000;
