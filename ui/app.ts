// What the page is made of, created once by main.ts and handed to elements by context.

import { createContext } from "@lit/context";
import type { Api } from "./api/client.ts";
import type { Live } from "./api/live.ts";
import type { Homes } from "./stores/homes.ts";
import type { Plugins } from "./stores/plugins.ts";
import type { Session } from "./stores/session.ts";

export interface App {
  readonly session: Session;
  /** The server's HTTP API, as the signed-in person. */
  readonly api: Api;
  /** The server's events, over one WebSocket that comes back by itself. */
  readonly live: Live;
  /** Every plugin as the server sees it, kept up to date. */
  readonly plugins: Plugins;
  /** Where each plugin runs for this person, and the way to its capabilities. */
  readonly homes: Homes;
}

export const appContext = createContext<App>(Symbol("bkg.app"));
