// The way from a model to a chat with it. Callers: the page of models, the first run's page.

import { navigate } from "../routes.ts";
import { createBrowserStorage } from "../stores/browser_storage.ts";
import { chooseForNewChats } from "./chat_choice.ts";

/** At the end of an address of the chats: the person is about to ask. */
export const askHash = "#ask";

/** Shows a chat that is not begun, with the model chosen. */
export function openChatWith(modelId: string): void {
  chooseForNewChats(
    createBrowserStorage({ open: () => localStorage, events: globalThis }),
    modelId,
  );
  navigate(`chats${askHash}`);
}
