// Brings the conversations of this browser and of the server together, whole chats at a time: what changed elsewhere
// comes first, then what changed here goes. A change on both sides is merged. Without the server nothing is lost:
// what waits is noted in the storage. Created by chats_of.ts.

import { AppError, toAppError, type WireError } from "../../plugins/runtime/contract/error.ts";
import type { Api } from "../api/client.ts";
import type { ChatClaims, Locks } from "./chat_claim.ts";
import { baseOf, readContent, type RemoteChat, toContent } from "./chat_content.ts";
import { mergeChats } from "./chat_merge.ts";
import type { SyncMark, SyncStorage } from "./chat_storage.ts";
import { createNotifier, type Observable } from "./observable.ts";

export interface ChatSync extends Observable {
  readonly state: SyncState;
  /** Never throws: `state` says what came of it. Who asks while it runs waits for one that begins after. */
  run(): Promise<void>;
  /** Deletes every chat of this person, on the server first: when that fails, nothing is deleted. */
  deleteAll(): Promise<void>;
  /** Ends what runs; nothing is asked of the server any more. */
  close(): void;
}

export interface SyncState {
  running: boolean;
  /** Chats with changes that the server has not. */
  unsent: number;
  /** Why the server does not take a chat as it is. */
  refused: string | undefined;
  /** Why the last run came to no end. */
  error: WireError | undefined;
  /** Whether a run has come to its end. */
  once: boolean;
}

export interface ChatSyncDeps {
  api: Pick<Api, "get" | "send">;
  storage: SyncStorage;
  claims: ChatClaims;
  /** One tab at a time; without it, merging sorts out what two do. */
  locks: Locks | undefined;
  /** Of the lock: the person. */
  owner: string;
  /** Whether the person is the one who is signed in, and when that may have changed. */
  isOwner: () => boolean;
  watchOwner: (changed: () => void) => () => void;
}

export function createChatSync(deps: ChatSyncDeps): ChatSync {
  const { api, storage, claims, locks, owner } = deps;
  const notifier = createNotifier();
  let state: SyncState = {
    running: false,
    unsent: 0,
    refused: undefined,
    error: undefined,
    once: false,
  };
  let closed = false;
  /** Of the requests that are under way. */
  let left = new AbortController();
  let current: Promise<void> = Promise.resolve();
  let queued: Promise<void> | undefined;

  const become = (change: Partial<SyncState>) => {
    state = { ...state, ...change };
    notifier.notify();
  };

  const isOurs = () => !closed && deps.isOwner();
  const unwatch = deps.watchOwner(() => {
    if (!isOurs()) left.abort();
  });

  /**
   * For each request, which goes with whoever is signed in when it is sent at last: the signal fires before that is
   * somebody else.
   */
  const requireOwner = (): { signal: AbortSignal } => {
    if (!isOurs()) throw new AppError("CANCELLED", "Somebody else is signed in");
    if (left.signal.aborted) left = new AbortController();
    return left;
  };

  const exclusively = <Value>(work: () => Promise<Value>): Promise<Value> =>
    locks === undefined ? work() : locks.request(`bkg.sync.${owner}`, {}, work);

  async function synchronize(): Promise<void> {
    become({ running: true });
    let error: WireError | undefined;
    try {
      await exclusively(async () => {
        await pull();
        for (const mark of await storage.unsent()) await push(mark);
      });
    } catch (thrown) {
      error = toAppError(thrown).toWire();
    }
    if (closed) return;
    const [unsent, refused] = await Promise.all([storage.unsent(), storage.refused()])
      .catch(() => [[], []]);
    become({
      running: false,
      unsent: unsent.length,
      refused: refused[0]?.refused,
      error,
      once: state.once || error === undefined,
    });
  }

  async function pull(): Promise<void> {
    let cursor = await storage.cursor();
    while (true) {
      const { signal } = requireOwner();
      const after = cursor === undefined ? "" : `&after=${encodeURIComponent(cursor)}`;
      let page: { chats: RemoteChat[]; cursor: string; next?: string };
      try {
        page = await api.get(`/api/chats?content=true&limit=100${after}`, { signal });
      } catch (error) {
        // A server with another database, or an older one that was restored.
        if (cursor === undefined || toAppError(error).code !== "INVALID_INPUT") throw error;
        await storage.forgetServer();
        cursor = undefined;
        continue;
      }
      for (const remote of page.chats) await take(remote);
      cursor = page.cursor;
      await storage.setCursor(cursor);
      if (page.next === undefined) return;
    }
  }

  /** `anew`: whatever version is known, as that of a server that was restored may be lower. */
  async function take(remote: RemoteChat, { anew = false } = {}): Promise<void> {
    const { id, version } = remote;
    for (let tries = 0; tries < maxTries; tries++) {
      const { whole, mark } = await storage.read(id);
      if (!anew && mark !== undefined && mark.version >= version) return;
      const changes = mark?.changes ?? 0;
      const taken = await decide(remote, { whole, mark });
      if (taken === undefined) return;
      if (await storage.replace(id, { ...taken, changes })) return;
    }
  }

  /** What is to be here now; undefined: all as it is. */
  async function decide(
    remote: RemoteChat,
    { whole, mark }: Awaited<ReturnType<SyncStorage["read"]>>,
  ) {
    const { id, version } = remote;
    const changes = mark?.changes ?? 0;
    const isChanged = mark?.unsent !== undefined || mark?.refused !== undefined;
    if (remote.deleted) {
      if (mark === undefined) return undefined;
      // What was written here after it was deleted elsewhere, or before that was known, stays.
      if (isChanged && whole !== undefined) return { whole, mark: { ...mark, version } };
      return { whole: undefined, mark: undefined };
    }
    const theirs = readContent(remote);
    if (theirs === undefined) return undefined;
    const sent: SyncMark = { id, version, changes, base: baseOf(theirs) };
    if (!isChanged) return { whole: theirs, mark: sent };
    if (whole === undefined) {
      // Deleted here: that holds, unless it was gone on with elsewhere.
      const known = new Set(mark?.base?.ids);
      return mark !== undefined && theirs.messages.every((message) => known.has(message.id))
        ? { whole: undefined, mark: { ...mark, version } }
        : { whole: theirs, mark: sent };
    }
    // The page holds it as it is; when the answer has ended, it is sent, and meets this version then.
    if (await isAnswering(id)) return undefined;
    const merged = mergeChats(mark?.base, { local: whole, remote: theirs });
    const isTheirs = JSON.stringify(toContent(merged)) === JSON.stringify(toContent(theirs)) &&
      merged.chat.title === theirs.chat.title;
    return { whole: merged, mark: isTheirs ? sent : { ...sent, unsent: 1 as const } };
  }

  async function isAnswering(chatId: string): Promise<boolean> {
    const release = await claims.claim(chatId);
    release?.();
    return release === undefined;
  }

  async function push({ id }: SyncMark): Promise<void> {
    for (let tries = 0; tries < maxTries; tries++) {
      const { whole, mark } = await storage.read(id);
      if (mark?.unsent === undefined) return;
      const { changes, version } = mark;
      if (whole === undefined) {
        if (mark.deleted === true) await deleteThere(id);
        if (await storage.replace(id, { whole: undefined, mark: undefined, changes })) return;
        continue;
      }
      const isRunning = whole.messages.some((message) => message.state === "running");
      if (isRunning && await isAnswering(id)) return;
      const { signal } = requireOwner();
      const { title, createdAtMs } = whole.chat;
      try {
        const body = { title, content: toContent(whole), version, createdAtMs };
        const head = await api.send<Head>("PUT", pathOf(id), { body, signal });
        await storage.sent(id, { version: head.version, base: baseOf(whole), changes });
        return await advance(head);
      } catch (thrown) {
        const error = toAppError(thrown);
        const newer = newerOf(error);
        if (newer !== undefined) await take(newer, { anew: true });
        else if (lasting.has(error.code) && !error.retryable) {
          return await storage.refuse(id, { reason: error.message, changes });
        } else throw error;
      }
    }
  }

  /** Its own change need not be fetched, unless there was another one before it. */
  async function advance({ before, cursor }: Head): Promise<void> {
    if (await storage.cursor() === before) await storage.setCursor(cursor);
  }

  async function deleteThere(id: string): Promise<void> {
    const { signal } = requireOwner();
    try {
      await advance(await api.send<Head>("DELETE", pathOf(id), { signal }));
    } catch (error) {
      if (toAppError(error).code !== "NOT_FOUND") throw error;
    }
  }

  return {
    subscribe: notifier.subscribe,
    get state() {
      return state;
    },
    run() {
      if (closed) return Promise.resolve();
      queued ??= current.then(() => {
        queued = undefined;
        return current = synchronize();
      });
      return queued;
    },
    async deleteAll() {
      await exclusively(async () => {
        const { signal } = requireOwner();
        await api.send("DELETE", "/api/chats", { signal });
        await storage.clear();
      });
      become({ unsent: 0, refused: undefined });
    },
    close() {
      closed = true;
      left.abort();
      unwatch();
      storage.close();
    },
  };
}

/** What a change came to, at the server. */
interface Head {
  version: number;
  before: string;
  cursor: string;
}

/** A chat that changes again and again under its sync waits for the next one. */
const maxTries = 5;
/** What another try does not mend. */
const lasting = new Set(["PAYLOAD_TOO_LARGE", "INVALID_INPUT", "CONFLICT"]);

function pathOf(chatId: string): string {
  return `/api/chats/${encodeURIComponent(chatId)}`;
}

/** The chat that a conflict answers. */
function newerOf({ code, details }: AppError): RemoteChat | undefined {
  const { chat } = (details ?? {}) as { chat?: RemoteChat };
  return code === "CONFLICT" && typeof chat?.version === "number" ? chat : undefined;
}
