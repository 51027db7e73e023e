// The conversations of who is signed in, created when they are first shown. They live as long as the app, so that an
// answer goes on being written while another page is shown.

import type { App } from "../app.ts";
import { createChatClaims } from "./chat_claim.ts";
import type { LocalHost } from "../local/local_host.ts";
import { createChatDatabase } from "./chat_database.ts";
import type { ChatInput } from "./chat_prompt.ts";
import { type Chats, createChats } from "./chats.ts";
import type { Home } from "./homes.ts";

/** The same for each call, until someone else signs in. */
export function chatsOf(app: App): Chats {
  const owner = app.session.principal?.id ?? "operator";
  const known = opened.get(app);
  if (known?.owner === owner) return known.chats;
  void known?.chats.close();
  const chats = createChats({
    storage: createChatDatabase(owner),
    claims: createChatClaims(),
    stream: (input, options) => streamChat(app, input, options),
    home: () => chatHome(app),
    nextFrame(show) {
      // A page that nobody sees has no frames.
      if (document.hidden) setTimeout(show, hiddenFrameMs);
      else requestAnimationFrame(show);
    },
  });
  opened.set(app, { owner, chats });
  return chats;
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

const opened = new WeakMap<App, { owner: string; chats: Chats }>();
const hiddenFrameMs = 250;
