// The server's models, its catalogue and its disk, for the pages that show them: read when they are asked for, and
// again when a job ended that changed them. Each of the three comes, or does not come, by itself.

import { toAppError, type WireError } from "../../plugins/runtime/contract/error.ts";
import type { Live } from "../api/live.ts";
import type { Api } from "../api/client.ts";
import {
  type CatalogView,
  type DiskUse,
  getCatalog,
  getDiskUse,
  listModels,
  type Model,
  type ModelProblemView,
} from "../api/models.ts";
import type { App } from "../app.ts";
import { coalesce } from "./coalesce.ts";
import { type Jobs, jobsOf } from "./jobs.ts";
import { createNotifier, type Observable } from "./observable.ts";

export interface Models extends Observable {
  /** Sorted by id; undefined until they were read. */
  readonly list: readonly Model[] | undefined;
  /** Files that were refused; only those who may manage models are told of them. */
  readonly problems: readonly ModelProblemView[];
  readonly catalog: CatalogView | undefined;
  readonly disk: DiskUse | undefined;
  /** Why one could not be read the last time; what was known of it stays. */
  readonly errors: Readonly<Partial<Record<ModelsPart, WireError | undefined>>>;
  readonly loading: boolean;
  /** Reads all anew; who asks while it is read is served by one more reading. */
  load(): void;
}

export type ModelsPart = "list" | "catalog" | "disk";

export interface ModelsDeps {
  api: Api;
  live: Pick<Live, "subscribe" | "state">;
  jobs: Pick<Jobs, "ended">;
}

export function createModels({ api, live, jobs }: ModelsDeps): Models & Disposable {
  const notifier = createNotifier();
  let known: Known = nothingKnown;
  let errors: Models["errors"] = {};
  let loading = false;
  /** Counts sign-outs: what was asked for before one is nobody's. */
  let turn = 0;

  const read = async (part: ModelsPart, ask: () => Promise<Partial<Known>>) => {
    const started = turn;
    let found: Partial<Known> = {};
    let failure: WireError | undefined;
    try {
      found = await ask();
    } catch (thrown) {
      failure = toAppError(thrown).toWire();
    }
    if (turn !== started) return;
    known = { ...known, ...found };
    errors = { ...errors, [part]: failure };
    notifier.notify();
  };

  const load = coalesce(async () => {
    loading = true;
    notifier.notify();
    await Promise.all([
      read("list", async () => {
        const { models, problems = [] } = await listModels(api);
        return { list: models, problems };
      }),
      read("catalog", async () => ({ catalog: await getCatalog(api) })),
      read("disk", async () => ({ disk: await getDiskUse(api) })),
    ]);
    loading = false;
    notifier.notify();
  });

  const stops = [
    // A damaged file, too, takes a model off the list.
    jobs.ended(() => known !== nothingKnown && load()),
    live.subscribe(() => {
      if (live.state.kind !== "closed" || known === nothingKnown) return;
      turn++;
      known = nothingKnown;
      errors = {};
      notifier.notify();
    }),
  ];

  return {
    subscribe: notifier.subscribe,
    get list() {
      return known.list;
    },
    get problems() {
      return known.problems;
    },
    get catalog() {
      return known.catalog;
    },
    get disk() {
      return known.disk;
    },
    get errors() {
      return errors;
    },
    get loading() {
      return loading;
    },
    load,
    [Symbol.dispose]() {
      for (const stop of stops) stop();
    },
  };
}

/** The page's, created when it is first needed; it lives as long as the app. */
export function modelsOf(app: App): Models {
  let models = opened.get(app);
  if (models === undefined) opened.set(app, models = createModels({ ...app, jobs: jobsOf(app) }));
  return models;
}

interface Known {
  list: readonly Model[] | undefined;
  problems: readonly ModelProblemView[];
  catalog: CatalogView | undefined;
  disk: DiskUse | undefined;
}

const nothingKnown: Known = {
  list: undefined,
  problems: [],
  catalog: undefined,
  disk: undefined,
};
const opened = new WeakMap<App, Models>();
