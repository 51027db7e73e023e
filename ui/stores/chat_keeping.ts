// Conversations follow the person: they are brought together with the server from the sign-in on, and at the sign-out
// what the server has too goes from this device. Its code comes when it is needed. Caller: main.ts.

import type { App } from "../app.ts";

export function keepChats(app: App): void {
  let owner: string | undefined;
  let work: Promise<void> = Promise.resolve();
  const follow = () => {
    const { principal, token, notice } = app.session;
    const next = token === undefined ? undefined : principal?.id;
    if (next === owner) return;
    const left = owner;
    owner = next;
    // One after the other: who signs in again at once must not have anything removed.
    work = work.then(load).then(async ({ chatsOf, forgetChats }) => {
      // A session that ended by itself says so, and its person may come back; so does another tab's sign-out.
      if (left !== undefined && next === undefined && notice === undefined) {
        await forgetChats(app, left);
      }
      if (next !== undefined && app.session.principal?.id === next) chatsOf(app);
    }, () => {
      // Without the server there is none of it, and nothing to bring together.
      owner = undefined;
    });
  };
  app.session.subscribe(follow);
  follow();
}

function load() {
  return import("./chats_of.ts");
}
