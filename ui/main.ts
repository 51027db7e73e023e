// The page's start: takes a sign-in code out of the address, makes the App, hands it to the shell, and keeps the
// socket open while someone is signed in.

import { createApi } from "./api/client.ts";
import { createLive } from "./api/live.ts";
import { createPagePresence } from "./api/page_presence.ts";
import type { App } from "./app.ts";
import "./components/bkg-app.ts";
import { watchFaults } from "./components/bkg-fault-notice.ts";
import { createBrowserStorage } from "./stores/browser_storage.ts";
import { findBrowserProblem } from "./stores/browser_problem.ts";
import { keepChats } from "./stores/chat_keeping.ts";
import { createHomes } from "./stores/homes.ts";
import { createPlugins } from "./stores/plugins.ts";
import { createRefreshLock } from "./stores/refresh_lock.ts";
import { createSession } from "./stores/session.ts";
import { type LinkCode, takeCode } from "./stores/sign_in_code.ts";

const code = takeCode({ location, history });
watchFaults(window);
const app = createPageApp();
document.querySelector("bkg-app")!.app = app;
if (code !== undefined) signIn(code);
// A second link, opened in this tab, changes nothing but the fragment.
addEventListener("hashchange", () => {
  const another = takeCode({ location, history });
  if (another !== undefined) signIn(another);
});
let wasSignedIn = false;
app.session.subscribe(follow);
follow();
keepChats(app);

function createPageApp(): App {
  const server = { fetch: fetch.bind(globalThis), baseUrl: document.baseURI };
  const storage = createBrowserStorage({ open: () => localStorage, events: window });
  const session = createSession({
    ...server,
    storage,
    // Only where the origin is secure.
    lock: createRefreshLock({ locks: navigator.locks as Navigator["locks"] | undefined, storage }),
  });
  const api = createApi({ ...server, session });
  const page = createPagePresence({ document, window });
  const live = createLive({ session, WebSocket, baseUrl: server.baseUrl, page });
  const plugins = createPlugins({ live, api });
  const homes = createHomes({
    api,
    session,
    storage,
    problem: findBrowserProblem({
      isSecureContext,
      location,
      // A hardened browser may lack either, and naming it would throw.
      Worker: globalThis.Worker,
      WebAssembly: globalThis.WebAssembly,
      storage: navigator.storage,
    }),
    async loadHost() {
      const [{ createLocalHost }, { createLocalSource }] = await Promise.all([
        import("./local/create_local_host.ts"),
        import("./stores/local_source.ts"),
      ]);
      return createLocalHost({
        source: createLocalSource({ api, plugins }),
        principal: () => session.principal ?? { id: "operator", role: "operator" },
      });
    },
  });
  return { session, api, live, plugins, homes };
}

/** Why a code is not taken shows on the sign-in page; who is signed in already stays so. */
function signIn(code: LinkCode): void {
  if ("invitation" in code) app.session.setInvitation(code.invitation);
  else app.session.signIn(code).catch(() => {});
}

function follow(): void {
  const signedIn = app.session.token !== undefined;
  if (signedIn) app.live.open();
  else app.live.close();
  if (signedIn === wasSignedIn) return;
  wasSignedIn = signedIn;
  if (signedIn) {
    void app.session.verify();
    app.homes.resume();
  } else void app.homes.suspend();
}
