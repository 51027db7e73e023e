// The conversations of who is signed in, created when they are first shown. They live as long as the app, so that an
// answer goes on being written while another page is shown.

import type { App } from "../app.ts";
import { createChatClaims } from "./chat_claim.ts";
import { createChatDatabase } from "./chat_database.ts";
import { type Chats, createChats } from "./chats.ts";

/** The same for each call, until someone else signs in. */
export function chatsOf(app: App): Chats {
  const owner = app.session.principal?.id ?? "operator";
  const known = opened.get(app);
  if (known?.owner === owner) return known.chats;
  void known?.chats.close();
  const chats = createChats({
    storage: createChatDatabase(owner),
    claims: createChatClaims(),
    stream: (input, options) => app.homes.stream(chatCapability, input, options),
    home: () => app.homes.state(chatPlugin(app)).kind === "browser" ? "browser" : "server",
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

const opened = new WeakMap<App, { owner: string; chats: Chats }>();
const hiddenFrameMs = 250;
