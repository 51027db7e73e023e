// Conversations with a model. A running answer belongs to this store, not to a page, and goes on when the page is
// left. What cannot be stored is kept in memory, and `notice` says so. Created lazily by chats_of.ts.

import { AppError, toAppError } from "../../plugins/runtime/contract/error.ts";
import {
  type Chat,
  type ChatMessage,
  newChatId,
  newMessage,
  type Sampling,
  titleOf,
} from "./chat.ts";
import { runAnswer, type StreamChat } from "./chat_answer.ts";
import type { ChatClaims } from "./chat_claim.ts";
import { createMemoryStorage } from "./chat_memory.ts";
import type { Preset } from "./chat_presets.ts";
import { toChatInput } from "./chat_prompt.ts";
import type { ChatChange, ChatStorage } from "./chat_storage.ts";
import { coalesce } from "./coalesce.ts";
import type { Home } from "./homes.ts";
import { createNotifier, type Observable } from "./observable.ts";

export interface Chats extends Observable {
  /** Newest first; undefined until it was read. */
  readonly list: readonly Chat[] | undefined;
  /** Why chats are not stored, and what to do. */
  readonly notice: string | undefined;
  /** What the last removal can be taken back by. */
  readonly undo: { label: string; run(): Promise<void> } | undefined;
  dismissUndo(): void;
  chat(chatId: string): Chat | undefined;
  /** Undefined while they are read, which the first call starts. */
  messages(chatId: string): readonly ChatMessage[] | undefined;
  /** Where an answer is being made. */
  running(chatId: string): "here" | "elsewhere" | undefined;
  /** Asks, in a new chat without a `chatId`, and answers the chat's id; CONFLICT while an answer is being made. */
  send(text: string, request: AskRequest): Promise<string>;
  /** Makes the last answer anew, which replaces it. */
  regenerate(request: AskRequest & { chatId: string }): Promise<void>;
  /** Replaces the last question and everything after it. */
  editLast(text: string, request: AskRequest & { chatId: string }): Promise<void>;
  stop(chatId: string): void;
  rename(chatId: string, title: string): Promise<void>;
  /** What its next answer is made with. */
  configure(
    chatId: string,
    change: Partial<Pick<Chat, "model" | "preset" | "sampling">>,
  ): Promise<void>;
  remove(chatId: string): Promise<void>;
  /** Stops every answer that is made here. */
  stopAll(): Promise<void>;
  /** Stops what runs, and stores it. */
  close(): Promise<void>;
}

export interface AskRequest {
  chatId?: string | undefined;
  /** A preset's own, where there is one. */
  model: string;
  preset?: Preset | undefined;
  sampling: Sampling;
}

export interface ChatsDeps {
  storage: ChatStorage;
  claims: ChatClaims;
  stream: StreamChat;
  /** Where `llm.chat` runs now. */
  home: () => Home;
  /** Calls back when it is time to show something new, such as at the next frame. */
  nextFrame: (show: () => void) => void;
}

export function createChats(deps: ChatsDeps): Chats {
  const { claims } = deps;
  const notifier = createNotifier();
  const chats = new Map<string, Chat>();
  const messages = new Map<string, readonly ChatMessage[]>();
  const running = new Map<string, { controller: AbortController; ended: Promise<void> }>();
  const elsewhere = new Set<string>();
  const loading = new Set<string>();
  /** Chats whose stored form is behind: all of such a chat is written by the next write. */
  const behind = new Set<string>();
  let { storage } = deps;
  let listed = false;
  let notice: string | undefined;
  let undo: Chats["undo"];
  let frameAsked = false;

  const load = async () => {
    try {
      const stored = await storage.list();
      const gone = [...chats.keys()].filter((id) =>
        !stored.some((chat) => chat.id === id) && !behind.has(id) && !running.has(id)
      );
      for (const id of gone) {
        chats.delete(id);
        messages.delete(id);
      }
      for (const chat of stored) if (!behind.has(chat.id)) chats.set(chat.id, chat);
    } catch (error) {
      notice = `${
        toAppError(error).message
      }. Chats are kept only as long as this page is open: allow storage for this site, and load it again`;
      storage = createMemoryStorage();
    }
    listed = true;
    notifier.notify();
  };

  const loadMessages = async (chatId: string) => {
    if (loading.has(chatId)) return;
    loading.add(chatId);
    try {
      const stored = await storage.messages(chatId);
      if (running.has(chatId) || behind.has(chatId)) return;
      messages.set(chatId, stored);
      if (stored.some(({ state }) => state === "running")) watchOther(chatId);
      else elsewhere.delete(chatId);
    } catch (error) {
      notice = `${toAppError(error).message}. The messages of this chat could not be read`;
      messages.set(chatId, []);
    } finally {
      loading.delete(chatId);
      notifier.notify();
    }
  };

  /** An answer runs in another tab, or its tab is gone; the claim tells. */
  const watchOther = async (chatId: string) => {
    if (elsewhere.has(chatId)) return;
    elsewhere.add(chatId);
    const runningOf = async () =>
      (await storage.messages(chatId).catch(() => [])).filter(({ state }) => state === "running");
    let before: ChatMessage[];
    let after = await runningOf();
    let certain: boolean;
    do {
      before = after;
      certain = await claims.free(chatId);
      after = await runningOf();
    } while (!certain && after.some(({ text }, index) => text !== before[index]?.text));
    elsewhere.delete(chatId);
    if (running.has(chatId)) return;
    const put = after.map((message) => ({
      ...message,
      state: "interrupted" as const,
      error: pageClosed,
    }));
    if (put.length > 0) await write({ chatId, put });
    await loadMessages(chatId);
  };

  const write = async (change: ChatChange) => {
    const { chatId } = change;
    const chat = chats.get(chatId);
    const whole = behind.has(chatId) && chat !== undefined;
    try {
      await storage.write(
        whole ? { ...change, chat, put: messages.get(chatId) ?? change.put ?? [] } : change,
      );
      behind.delete(chatId);
      if (whole) notice = undefined;
    } catch (error) {
      const { code, message } = toAppError(error);
      behind.add(chatId);
      notice = code === "PAYLOAD_TOO_LARGE"
        ? `${message}. New messages are kept only as long as this page is open: delete chats to make room`
        : `${message}. New messages are kept only as long as this page is open`;
      notifier.notify();
    }
  };

  const putMessage = (message: ChatMessage) => {
    const known = messages.get(message.chatId) ?? [];
    const index = known.findLastIndex(({ id }) => id === message.id);
    if (index === -1) messages.set(message.chatId, [...known, message]);
    else messages.set(message.chatId, known.with(index, message));
  };

  const changeChat = async (chatId: string, change: Partial<Chat>) => {
    const chat = chats.get(chatId);
    if (chat === undefined) return;
    chats.set(chatId, { ...chat, ...change });
    notifier.notify();
    await write({ chatId, chat: change });
  };

  /** Puts the chat back as it was. */
  const offerUndo = (label: string, { chat, before }: {
    chat: Chat;
    before: readonly ChatMessage[];
  }) => {
    const offered: NonNullable<Chats["undo"]> = {
      label,
      async run() {
        if (undo === offered) undo = undefined;
        await halt(chat.id);
        const kept = new Set(before.map(({ id }) => id));
        const remove = (messages.get(chat.id) ?? []).flatMap(({ id }) => kept.has(id) ? [] : [id]);
        chats.set(chat.id, chat);
        messages.set(chat.id, before);
        notifier.notify();
        await write({ chatId: chat.id, chat, put: before, remove });
      },
    };
    undo = offered;
  };

  const halt = async (chatId: string) => {
    const run = running.get(chatId);
    run?.controller.abort();
    await run?.ended;
  };

  const stopAll = async () => void await Promise.all([...running.keys()].map(halt));

  /** Starts an answer to what the chat holds, after `change` was made to it. */
  const answer = async (request: AskRequest & { chatId: string }, change: () => ChatChange) => {
    const { chatId, model, preset, sampling } = request;
    if (running.has(chatId)) throw new AppError("CONFLICT", "Wait for the answer, or stop it");
    const controller = new AbortController();
    const ended = Promise.withResolvers<void>();
    running.set(chatId, { controller, ended: ended.promise });
    const release = await claims.claim(chatId).catch(() => undefined);
    if (release === undefined) {
      running.delete(chatId);
      ended.resolve();
      throw new AppError("CONFLICT", "Another tab is answering in this chat");
    }
    const { chat = {}, put = [], remove = [] } = change();
    const message = {
      ...newMessage(chatId, "assistant", lastOrder(chatId)),
      state: "running" as const,
      facts: {
        model,
        ...(preset === undefined ? {} : { preset: preset.name }),
        home: deps.home(),
      },
    };
    const input = toChatInput(messages.get(chatId) ?? [], { model, preset, sampling });
    putMessage(message);
    const named = preset === undefined ? undefined : { id: preset.id, name: preset.name };
    const touched = { ...chat, model, preset: named, sampling, updatedAtMs: Date.now() };
    chats.set(chatId, { ...chats.get(chatId), ...touched } as Chat);
    notifier.notify();

    let shown: ChatMessage = message;
    let savedMs = performance.now();
    const show = (next: ChatMessage) => {
      shown = next;
      if (performance.now() - savedMs > saveEveryMs) {
        savedMs = performance.now();
        write({ chatId, put: [next] });
      }
      if (frameAsked) return;
      frameAsked = true;
      deps.nextFrame(() => {
        frameAsked = false;
        if (running.get(chatId)?.controller === controller) putMessage(shown);
        notifier.notify();
      });
    };
    const saved = write({ chatId, chat: touched, put: [...put, message], remove });
    runAnswer({ message, input, stream: deps.stream, signal: controller.signal, show }).then(
      async (last) => {
        running.delete(chatId);
        putMessage(last);
        notifier.notify();
        await saved;
        await write({ chatId, put: [last] });
        release();
        ended.resolve();
      },
    );
  };

  const lastOrder = (chatId: string) => messages.get(chatId)?.at(-1)?.order ?? 0;

  const loaded = async (chatId: string) => {
    if (!messages.has(chatId)) await loadMessages(chatId);
    const chat = chats.get(chatId);
    if (chat === undefined) throw new AppError("NOT_FOUND", "This chat is no longer there");
    return { chat, before: messages.get(chatId) ?? [] };
  };

  const unsubscribe = storage.subscribe((chatId) => {
    if (running.has(chatId)) return;
    reload();
    if (messages.has(chatId)) loadMessages(chatId);
  });
  const ready = load();
  const reload = coalesce(load);

  return {
    subscribe: notifier.subscribe,
    get list() {
      if (!listed) return undefined;
      return [...chats.values()].sort((a, b) => b.updatedAtMs - a.updatedAtMs);
    },
    get notice() {
      return notice;
    },
    get undo() {
      return undo;
    },
    dismissUndo() {
      undo = undefined;
      notifier.notify();
    },
    chat: (chatId) => chats.get(chatId),
    messages(chatId) {
      const known = messages.get(chatId);
      if (known === undefined && listed) loadMessages(chatId);
      return known;
    },
    running(chatId) {
      if (running.has(chatId)) return "here";
      return elsewhere.has(chatId) ? "elsewhere" : undefined;
    },
    async send(text, request) {
      await ready;
      const isNew = request.chatId === undefined;
      const chatId = request.chatId ?? newChatId();
      if (!isNew) await loaded(chatId);
      const now = Date.now();
      await answer({ ...request, chatId }, () => {
        const question = { ...newMessage(chatId, "user", lastOrder(chatId)), text };
        putMessage(question);
        const chat = { id: chatId, title: titleOf(text), createdAtMs: now };
        return { chatId, put: [question], ...(isNew ? { chat } : {}) };
      });
      return chatId;
    },
    async regenerate(request) {
      const { chat, before } = await loaded(request.chatId);
      const last = before.at(-1);
      await answer(request, () => {
        if (last?.role !== "assistant") return { chatId: chat.id };
        if (last.text !== "") offerUndo("Answer replaced", { chat, before });
        messages.set(chat.id, before.slice(0, -1));
        return { chatId: chat.id, remove: [last.id] };
      });
    },
    async editLast(text, request) {
      const { chat, before } = await loaded(request.chatId);
      const index = before.findLastIndex(({ role }) => role === "user");
      await answer(request, () => {
        offerUndo("Question changed", { chat, before });
        const kept = before.slice(0, index);
        messages.set(chat.id, kept);
        const question = { ...newMessage(chat.id, "user", lastOrder(chat.id)), text };
        putMessage(question);
        return {
          chatId: chat.id,
          put: [question],
          remove: before.slice(index).map(({ id }) => id),
        };
      });
    },
    stop: (chatId) => running.get(chatId)?.controller.abort(),
    rename: (chatId, title) => changeChat(chatId, { title: titleOf(title) }),
    configure: changeChat,
    async remove(chatId) {
      await halt(chatId);
      const { chat, before } = await loaded(chatId);
      offerUndo(`“${chat.title}” deleted`, { chat, before });
      chats.delete(chatId);
      messages.delete(chatId);
      behind.delete(chatId);
      notifier.notify();
      await write({ chatId, removeChat: true });
    },
    stopAll,
    async close() {
      unsubscribe();
      await stopAll();
      storage.close();
    },
  };
}

const pageClosed = {
  code: "UNAVAILABLE",
  message: "The page was closed while the answer was being made",
  retryable: true,
} as const;

const saveEveryMs = 1000;
