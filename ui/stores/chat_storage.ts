// Where a browser keeps conversations, and what it notes of each for the server: the page works on these copies, and
// chat_sync.ts brings them and the server's together.

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

/** What the page works on. Each write is noted as one that the server has not seen. */
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

/** What this browser knows of a chat and the server. */
export interface SyncMark {
  id: string;
  /** The server's version that this copy builds on; 0 when the server has none. */
  version: number;
  /** Counts the changes made here. */
  changes: number;
  /** While the last of them was not sent. */
  unsent?: 1;
  /** It was deleted here. */
  deleted?: boolean;
  /** Why the server does not take it as it is. */
  refused?: string;
  /** What the server's version held, for what was taken out to stay out. */
  base?: ChatBase;
}

export interface ChatBase {
  title: string;
  model?: string | undefined;
  preset?: Chat["preset"];
  sampling: Chat["sampling"];
  /** Ids of its messages. */
  ids: readonly string[];
}

/** A chat with all that is in it. */
export interface WholeChat {
  chat: Chat;
  messages: readonly ChatMessage[];
}

/** The same storage as chat_sync.ts sees it. Its changes are told to who works on the chats. */
export interface SyncStorage extends Pick<ChatStorage, "subscribe" | "close"> {
  /** How far the server's changes were taken; undefined before the first. */
  cursor(): Promise<string | undefined>;
  setCursor(cursor: string | undefined): Promise<void>;
  unsent(): Promise<SyncMark[]>;
  /** Marks of what the server refused. */
  refused(): Promise<SyncMark[]>;
  read(chatId: string): Promise<{ whole: WholeChat | undefined; mark: SyncMark | undefined }>;
  /**
   * Puts `whole` and `mark` in the place of what is there; undefined removes either. False, and nothing is changed,
   * when the chat was changed here since it was read: `changes` is of the mark then, 0 where there was none.
   */
  replace(
    chatId: string,
    next: { whole: WholeChat | undefined; mark: SyncMark | undefined; changes: number },
  ): Promise<boolean>;
  /** Notes what the server has now; what was changed here meanwhile stays unsent. */
  sent(chatId: string, sent: { version: number; base: ChatBase; changes: number }): Promise<void>;
  refuse(chatId: string, refusal: { reason: string; changes: number }): Promise<void>;
  /** The server is another one than before: everything is to be sent to it. */
  forgetServer(): Promise<void>;
  /** Removes the chats that the server has as they are here, and answers their ids. */
  forgetSent(): Promise<string[]>;
  /** Removes everything. */
  clear(): Promise<void>;
}

/** The mark of a chat after a change made here. */
export function markChanged(
  mark: SyncMark | undefined,
  { id, deleted }: { id: string; deleted: boolean },
): SyncMark {
  const { refused: _, deleted: __, ...known } = mark ?? { version: 0, changes: 0 };
  return { ...known, id, changes: known.changes + 1, unsent: 1, ...(deleted ? { deleted } : {}) };
}

/** The mark of a chat that the server took, as it was after `changes`. */
export function markSent(
  { unsent, refused: _, ...mark }: SyncMark,
  { version, base, changes }: { version: number; base: ChatBase; changes: number },
): SyncMark {
  return {
    ...mark,
    version,
    base,
    ...(unsent !== undefined && mark.changes !== changes ? { unsent } : {}),
  };
}

export function markRefused(
  { unsent, ...mark }: SyncMark,
  { reason, changes }: { reason: string; changes: number },
): SyncMark {
  return mark.changes === changes
    ? { ...mark, refused: reason }
    : { ...mark, ...(unsent === undefined ? {} : { unsent }) };
}

/** Undefined for what was deleted here: a server that never had it need not hear of it. */
export function markUnknown({ id, changes, deleted }: SyncMark): SyncMark | undefined {
  return deleted === true ? undefined : { id, changes, version: 0, unsent: 1 };
}

/** Whether this copy says nothing that the server does not know. */
export function isSent({ unsent, refused }: SyncMark): boolean {
  return unsent === undefined && refused === undefined;
}
