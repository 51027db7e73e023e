// The models that can be asked, wherever the plugin runs: those of the server, and which of them this browser has.

import { toAppError, type WireError } from "../../plugins/runtime/contract/error.ts";
import { writesText } from "../../plugins/runtime/contract/model_summary.ts";
import type { App } from "../app.ts";
import type { Progress, RemoteModel } from "../local/local_host.ts";
import { createNotifier, type Observable } from "./observable.ts";

export interface ChatModel extends RemoteModel {
  /** Whether all of it is kept in this browser. */
  here: boolean;
}

export interface ChatModels extends Observable {
  /** Models with a chat template first; undefined until they were read. */
  readonly list: readonly ChatModel[] | undefined;
  /** Why the server's were not read; `list` then holds what is in this browser. */
  readonly error: WireError | undefined;
  readonly loading: boolean;
  /** Reads them anew; who asks while they are read waits for the same. */
  load(): Promise<void>;
  /** How far a model's way into this browser is. */
  download(modelId: string): Progress | undefined;
}

export function createChatModels(app: Pick<App, "api" | "homes" | "live">): ChatModels {
  const notifier = createNotifier();
  let remote: readonly RemoteModel[] | undefined;
  let list: readonly ChatModel[] | undefined;
  let error: WireError | undefined;
  let loading: Promise<void> | undefined;

  const readRemote = async () => {
    try {
      ({ models: remote } = await app.api.get<{ models: RemoteModel[] }>("/api/models"));
      error = undefined;
    } catch (thrown) {
      error = toAppError(thrown).toWire();
    }
  };
  const readHere = async () => {
    const storage = await app.homes.local?.storage().catch(() => undefined);
    return new Map(
      storage?.models.filter(({ complete }) => complete).map((model) => [model.id, model.bytes]),
    );
  };

  const load = () => {
    loading ??= read().finally(() => {
      loading = undefined;
      notifier.notify();
    });
    notifier.notify();
    return loading;
  };

  return {
    subscribe(listener) {
      const stop = notifier.subscribe(listener);
      // A model that was pulled meanwhile can be asked at once.
      const unfollow = app.live.follow({ topic: "jobs" }, {
        event(event) {
          if (event.type !== "jobs") return;
          const { kind, status } = event.payload.job;
          if (kind === "model.pull" && status === "done") void load();
        },
      });
      return () => {
        stop();
        unfollow();
      };
    },
    get list() {
      return list;
    },
    get error() {
      return error;
    },
    get loading() {
      return loading !== undefined;
    },
    download: (modelId) => app.homes.local?.downloads.get(modelId),
    load,
  };

  async function read(): Promise<void> {
    const [, here] = await Promise.all([readRemote(), readHere()]);
    const known = new Set(remote?.map(({ id }) => id));
    // Without the server, what is here can be asked all the same.
    const onlyHere = [...here].filter(([id]) => !known.has(id)).map(([id, size]) => ({
      id,
      format: "gguf",
      size,
      chatTemplate: true,
    }));
    const all = [...remote ?? [], ...onlyHere].filter(writesText);
    if (remote !== undefined || all.length > 0 || error !== undefined) {
      list = all.map((model) => ({ ...model, here: here.has(model.id) }))
        .sort((a, b) => Number(b.chatTemplate) - Number(a.chatTemplate) || compare(a.id, b.id));
    }
  }
}

/** The model to ask when none was chosen: the last one, else the first that was made to chat. */
export function defaultModel(
  list: readonly ChatModel[],
  last: string | undefined,
): ChatModel | undefined {
  return list.find(({ id }) => id === last) ?? list[0];
}

/** "7b" comes before "13b". */
const { compare } = new Intl.Collator("en", { numeric: true });
