// The conversations of who is signed in, created when they are first needed. They live as long as the app, so that an
// answer goes on being written, and is sent to the server, while another page is shown.

import type { App } from "../app.ts";
import { createPagePresence } from "../api/page_presence.ts";
import { type ChatClaims, createChatClaims, type Locks } from "./chat_claim.ts";
import type { LocalHost } from "../local/local_host.ts";
import { createChatDatabase } from "./chat_database.ts";
import { createPresets, type Presets } from "./chat_presets.ts";
import type { ChatInput } from "./chat_prompt.ts";
import { type ChatSync, createChatSync } from "./chat_sync.ts";
import { createSyncDatabase } from "./chat_sync_database.ts";
import { startSyncing } from "./chat_sync_times.ts";
import { type Chats, createChats } from "./chats.ts";
import type { Home } from "./homes.ts";

/** What belongs to one person. */
export interface OwnChats {
  readonly owner: string;
  readonly chats: Chats;
  readonly sync: ChatSync;
  readonly presets: Presets;
  /** Stops what runs, and stores it. */
  close(): Promise<void>;
}

/** The same for each call, until someone else signs in. */
export function chatsOf(app: App): OwnChats {
  const owner = app.session.principal?.id ?? "operator";
  const known = opened.get(app);
  if (known?.owner === owner) return known;
  void known?.close();
  const own = openChats(app, owner);
  opened.set(app, own);
  return own;
}

/** Closes what is open, and removes from this browser what the server has too. */
export async function forgetChats(app: App, owner: string): Promise<void> {
  const known = opened.get(app);
  if (known?.owner === owner) {
    opened.delete(app);
    await known.close();
  }
  const storage = createSyncDatabase(owner);
  try {
    const ids = await storage.forgetSent();
    for (const key of [...ids, `new.${owner}`]) localStorage.removeItem(`bkg.draft.${key}`);
  } catch {
    // Where nothing can be stored, nothing is there.
  } finally {
    storage.close();
  }
}

function openChats(app: App, owner: string): OwnChats {
  const claims = createChatClaims();
  const chats = createChats({
    storage: createChatDatabase(owner),
    claims,
    stream: (input, options) => streamChat(app, input, options),
    home: () => chatHome(app),
    nextFrame(show) {
      // A page that nobody sees has no frames.
      if (document.hidden) setTimeout(show, hiddenFrameMs);
      else requestAnimationFrame(show);
    },
  });
  const { sync, stop } = openSync(app, { owner, claims });
  const presets = createPresets(app);
  return {
    owner,
    chats,
    sync,
    presets,
    async close() {
      stop();
      sync.close();
      await chats.close();
    },
  };
}

function openSync(
  app: App,
  { owner, claims }: { owner: string; claims: ChatClaims },
): { sync: ChatSync; stop: () => void } {
  const storage = createSyncDatabase(owner);
  const sync = createChatSync({
    api: app.api,
    storage,
    claims,
    locks: (navigator as { locks?: Locks }).locks,
    owner,
    isOwner: () => app.session.token !== undefined && app.session.principal?.id === owner,
    watchOwner: (changed) => app.session.subscribe(changed),
  });
  const page = createPagePresence({ document, window });
  return { sync, stop: startSyncing({ sync, storage, page, live: app.live }) };
}

export const chatCapability = "llm.chat";

/** The plugin that answers chats. */
export function chatPlugin(app: App): string {
  const owner = app.plugins.list?.find(({ capabilities }) =>
    capabilities.some(({ id }) => id === chatCapability)
  );
  return owner?.id ?? "llmserver";
}

/** Where chats are answered now. */
export function chatHome(app: App): Home {
  return app.homes.state(chatPlugin(app)).kind === "browser" ? "browser" : "server";
}

async function* streamChat(
  app: App,
  input: ChatInput,
  { signal }: { signal: AbortSignal },
): AsyncGenerator<unknown, unknown> {
  // A call does not wait for as long as a model's download takes; whoever asks does, and can stop it.
  if (chatHome(app) === "browser") await bringModel(app.homes.local, { id: input.model, signal });
  return yield* app.homes.stream(chatCapability, input, { signal });
}

async function bringModel(
  local: LocalHost | undefined,
  { id, signal }: { id: string; signal: AbortSignal },
): Promise<void> {
  const models = (await local?.storage())?.models ?? [];
  if (models.some((model) => model.id === id && model.complete)) return;
  await local?.fetchModel(id, { signal });
}

const opened = new WeakMap<App, OwnChats>();
const hiddenFrameMs = 250;
