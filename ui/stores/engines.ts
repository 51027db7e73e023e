// The server's native engines, for the card that says which backend is used: read when asked for, and whenever a job
// ends. A server that knows of none answers NOT_FOUND, which is no fault: `list` stays undefined.

import type { EngineChoice, EngineId } from "../../plugins/runtime/contract/engine_choice.ts";
import { toAppError, type WireError } from "../../plugins/runtime/contract/error.ts";
import type { Api } from "../api/client.ts";
import { addEngine, listEngines, removeEngine } from "../api/engines.ts";
import type { App } from "../app.ts";
import { coalesce } from "./coalesce.ts";
import { type Jobs, jobsOf } from "./jobs.ts";
import { createNotifier, type Observable } from "./observable.ts";

export interface Engines extends Observable {
  /** Undefined until they were read, and where the server has no such thing. */
  readonly list: readonly EngineChoice[] | undefined;
  /** Why they could not be read; what was known stays. */
  readonly error: WireError | undefined;
  load(): void;
  /** Throws as the server refuses. */
  add(id: EngineId): Promise<void>;
  remove(id: EngineId): Promise<void>;
}

export interface EnginesDeps {
  api: Api;
  jobs: Pick<Jobs, "ended">;
}

export function createEngines({ api, jobs }: EnginesDeps): Engines & Disposable {
  const notifier = createNotifier();
  let list: readonly EngineChoice[] | undefined;
  let error: WireError | undefined;
  let asked = false;

  const read = coalesce(async () => {
    try {
      list = await listEngines(api);
      error = undefined;
    } catch (thrown) {
      const { code, ...rest } = toAppError(thrown).toWire();
      if (code === "NOT_FOUND" || code === "FORBIDDEN") list = error = undefined;
      else error = { code, ...rest };
    }
    notifier.notify();
  });
  const load = () => {
    asked = true;
    read();
  };
  const change = async (act: () => Promise<void>) => {
    try {
      await act();
    } finally {
      load();
    }
  };
  const stop = jobs.ended(() => asked && load());

  return {
    subscribe: notifier.subscribe,
    get list() {
      return list;
    },
    get error() {
      return error;
    },
    load,
    add: (id) => change(() => addEngine(api, id)),
    remove: (id) => change(() => removeEngine(api, id)),
    [Symbol.dispose]: stop,
  };
}

/** The page's, created when it is first needed; it lives as long as the app. */
export function enginesOf(app: App): Engines {
  let engines = opened.get(app);
  if (engines === undefined) {
    opened.set(app, engines = createEngines({ ...app, jobs: jobsOf(app) }));
  }
  return engines;
}

const opened = new WeakMap<App, Engines>();
