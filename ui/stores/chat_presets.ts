// Presets: models under other names, with a system prompt and parameters; one's own, and those that others share.
// The page applies them itself, so that they hold for a model that runs in the browser too.

import { toAppError, type WireError } from "../../plugins/runtime/contract/error.ts";
import type { Api } from "../api/client.ts";
import type { Sampling } from "./chat.ts";
import { createNotifier, type Observable } from "./observable.ts";

/** What `llm.chat` takes beside model and messages. */
export interface PresetParameters extends Omit<Sampling, "system"> {
  frequencyPenalty?: number | undefined;
  presencePenalty?: number | undefined;
  stop?: readonly string[] | undefined;
}

export interface PresetDraft {
  name: string;
  model: string;
  systemPrompt: string;
  parameters: PresetParameters;
  /** Whether everyone on this server may use it. */
  shared: boolean;
}

export interface Preset extends PresetDraft {
  id: string;
  own: boolean;
}

export interface Presets extends Observable {
  /** By name; undefined until they were read. */
  readonly list: readonly Preset[] | undefined;
  readonly error: WireError | undefined;
  load(): Promise<void>;
  /** With an `id`, in that one's place. Throws what the server answered. */
  save(draft: PresetDraft, id?: string): Promise<Preset>;
  remove(id: string): Promise<void>;
}

export function createPresets({ api }: { api: Pick<Api, "get" | "send"> }): Presets {
  const notifier = createNotifier();
  let list: readonly Preset[] | undefined;
  let error: WireError | undefined;
  let loading: Promise<void> | undefined;

  const read = async () => {
    try {
      ({ presets: list } = await api.get<{ presets: Preset[] }>("/api/presets"));
      error = undefined;
    } catch (thrown) {
      error = toAppError(thrown).toWire();
    }
    loading = undefined;
    notifier.notify();
  };

  const put = (next: readonly Preset[]) => {
    list = next.toSorted((a, b) => a.name < b.name ? -1 : 1);
    notifier.notify();
  };

  return {
    subscribe: notifier.subscribe,
    get list() {
      return list;
    },
    get error() {
      return error;
    },
    load: () => loading ??= read(),
    async save(draft, id) {
      const path = id === undefined ? "/api/presets" : pathOf(id);
      const method = id === undefined ? "POST" : "PUT";
      const saved = await api.send<Preset>(method, path, { body: draft });
      put([...(list ?? []).filter((preset) => preset.id !== saved.id), saved]);
      return saved;
    },
    async remove(id) {
      await api.send("DELETE", pathOf(id));
      put((list ?? []).filter((preset) => preset.id !== id));
    },
  };
}

/** What a chat is asked with becomes a preset: its own prompt follows that of the preset it has. */
export function draftOf(
  { model, preset, sampling }: {
    model: string;
    preset?: Preset | undefined;
    sampling: Sampling;
  },
): PresetDraft {
  const { system = "", ...numbers } = sampling;
  const given = Object.entries(numbers).filter(([, value]) => value !== undefined);
  return {
    name: "",
    model,
    systemPrompt: [preset?.systemPrompt ?? "", system].filter((text) => text.trim() !== "")
      .join("\n\n"),
    parameters: { ...preset?.parameters, ...Object.fromEntries(given) },
    shared: false,
  };
}

function pathOf(id: string): string {
  return `/api/presets/${encodeURIComponent(id)}`;
}
