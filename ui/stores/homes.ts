// Where each plugin runs for this person: on the server, or in this browser. One way to every capability.
// The page's own host is loaded when the first plugin is switched to this browser.

import { AppError, toAppError, type WireError } from "../../plugins/runtime/contract/error.ts";
import type { PluginView } from "../../plugins/runtime/host/host.ts";
import type { Api } from "../api/client.ts";
import type { LocalHost, Progress } from "../local/local_host.ts";
import type { BrowserProblem } from "./browser_problem.ts";
import type { BrowserStorage } from "./browser_storage.ts";
import { createNotifier, type Observable } from "./observable.ts";
import type { Session } from "./session.ts";

export type Home = "server" | "browser";

/** `moving`: it is being made ready here; `done` and `total` are bytes while something is downloaded. */
export type HomeState =
  | { kind: "server" }
  | { kind: "moving"; step: string; done?: number; total?: number }
  | { kind: "browser"; view: PluginView }
  | { kind: "failed"; error: WireError };

export interface Homes extends Observable {
  state(pluginId: string): HomeState;
  /** Why no plugin can run in this browser, and what to do; undefined when it can. */
  readonly problem: BrowserProblem | undefined;
  /** Makes the plugin run in this browser, with everything that it needs to go on without the server. */
  moveToBrowser(pluginId: string): Promise<void>;
  /** Ends it here, or ends its move; calls go to the server again. */
  moveToServer(pluginId: string): Promise<void>;
  /** Moves what ran here at the last visit; what fails shows as its state. */
  resume(): void;
  /** Ends everything here and still remembers it: the person signed out. */
  suspend(): Promise<void>;
  /** The page's host, once it was loaded. */
  readonly local: LocalHost | undefined;
  /** Loads the page's host, for what is kept here; throws as `moveToBrowser`. */
  loadLocal(): Promise<LocalHost>;
  /** Calls a capability wherever its plugin runs: items, then the result as the return value. */
  stream(
    capability: string,
    input: unknown,
    options: { signal?: AbortSignal },
  ): AsyncGenerator<unknown, unknown>;
}

export interface HomesDeps {
  api: Pick<Api, "stream">;
  session: Pick<Session, "principal">;
  storage: BrowserStorage;
  /** Brings the code of the page's host. */
  loadHost: () => Promise<LocalHost>;
  /** Settles soon after the start: some of what a browser refuses shows only when it is tried. */
  problem: Promise<BrowserProblem | undefined>;
}

export function createHomes(deps: HomesDeps): Homes {
  const { api, session, storage, loadHost } = deps;
  const notifier = createNotifier();
  /** Plugins whose home is, or is about to be, this browser; a failed move is remembered too. */
  const moved = new Map<string, Move>();
  let problem: BrowserProblem | undefined;
  let local: LocalHost | undefined;
  let loading: Promise<LocalHost> | undefined;
  const checked = deps.problem.then((found) => {
    problem = found;
    if (found !== undefined) notifier.notify();
  });

  async function load(): Promise<LocalHost> {
    await checked;
    if (problem !== undefined) {
      throw new AppError("UNSUPPORTED_FEATURE", problem.message, { details: problem });
    }
    const loaded = await loadHost().catch((cause) => {
      if (cause instanceof AppError) throw cause;
      // The browser's own words name a file, which helps nobody.
      throw new AppError(
        "UNAVAILABLE",
        "A part of the page could not be loaded: the server is gone, or a new version is there",
        { cause },
      );
    });
    loaded.subscribe(() => notifier.notify());
    return local = loaded;
  }

  function loadLocal(): Promise<LocalHost> {
    return loading ??= load().catch((error) => {
      // The next try may find the server again.
      loading = undefined;
      throw error;
    });
  }

  function remember(pluginId: string, here: boolean): void {
    const ids = new Set(readIds(storage.get(homesKey)));
    if (here) ids.add(pluginId);
    else ids.delete(pluginId);
    storage.set(homesKey, ids.size === 0 ? undefined : JSON.stringify([...ids]));
  }

  function become(move: Move, state: Move["state"]): void {
    move.state = state;
    notifier.notify();
  }

  async function bring(pluginId: string, move: Move): Promise<void> {
    const { signal } = move.cancel;
    try {
      const host = await loadLocal();
      signal.throwIfAborted();
      const progress = (step: Progress) => become(move, { kind: "moving", ...step });
      await host.start(pluginId, { progress, signal });
      signal.throwIfAborted();
      become(move, { kind: "browser" });
      remember(pluginId, true);
    } catch (thrown) {
      const error = signal.aborted
        ? new AppError("CANCELLED", "The move to this browser was ended")
        : toAppError(thrown, "UNAVAILABLE");
      if (moved.get(pluginId) === move) become(move, { kind: "failed", error: error.toWire() });
      throw error;
    }
  }

  function moveToBrowser(pluginId: string): Promise<void> {
    const known = moved.get(pluginId);
    if (known !== undefined && known.state.kind !== "failed") return known.done;
    const move: Move = {
      state: { kind: "moving", step: "Preparing" },
      cancel: new AbortController(),
      done: Promise.resolve(),
    };
    moved.set(pluginId, move);
    notifier.notify();
    return move.done = bring(pluginId, move);
  }

  /** The owner of a capability when its home is here. Works without the server. */
  function ownerHere(capability: string): LocalHost | undefined {
    for (const [pluginId, { state }] of moved) {
      if (state.kind !== "browser") continue;
      const view = local?.get(pluginId);
      if (view?.capabilities.some(({ id }) => id === capability)) return local;
    }
    return undefined;
  }

  return {
    subscribe: notifier.subscribe,
    state(pluginId) {
      const state = moved.get(pluginId)?.state;
      if (state?.kind !== "browser") return state ?? { kind: "server" };
      const view = local?.get(pluginId);
      return view === undefined ? { kind: "server" } : { kind: "browser", view };
    },
    get problem() {
      return problem;
    },
    get local() {
      return local;
    },
    loadLocal,
    moveToBrowser,
    async moveToServer(pluginId) {
      const move = moved.get(pluginId);
      remember(pluginId, false);
      moved.delete(pluginId);
      notifier.notify();
      if (move === undefined) return;
      move.cancel.abort();
      await move.done.catch(() => {});
      // Moved here anew in the meantime: then it is not to be stopped.
      if (!moved.has(pluginId) && local?.get(pluginId) !== undefined) await local.stop(pluginId);
    },
    resume() {
      for (const pluginId of readIds(storage.get(homesKey))) {
        void moveToBrowser(pluginId).catch(() => {});
      }
    },
    async suspend() {
      const moves = [...moved.values()];
      moved.clear();
      notifier.notify();
      for (const { cancel } of moves) cancel.abort();
      await Promise.allSettled(moves.map(({ done }) => done));
      // Signed in again in the meantime: what runs here then is wanted.
      if (moved.size === 0) await local?.close().catch(() => {});
    },
    stream(capability, input, options) {
      const here = ownerHere(capability);
      if (here === undefined) return api.stream(capability, input, options);
      const principal = session.principal ?? { id: "browser", role: "operator" };
      return here.bus.stream(capability, input, { principal, ...options });
    },
  };
}

interface Move {
  state: Exclude<HomeState, { kind: "server" | "browser" }> | { kind: "browser" };
  cancel: AbortController;
  done: Promise<void>;
}

const homesKey = "bkg.homes";

function readIds(text: string | undefined): string[] {
  try {
    const value: unknown = JSON.parse(text ?? "[]");
    return Array.isArray(value)
      ? value.filter((id): id is string => typeof id === "string" && id.length <= 64).slice(0, 50)
      : [];
  } catch {
    return [];
  }
}
