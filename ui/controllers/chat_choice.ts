// What the shown chat is asked with: a model or a preset, and the sampling. A chat that is begun keeps its own; what
// was chosen last stands for one that is not.

import type { ReactiveController, ReactiveControllerHost } from "lit";
import { AppError } from "../../plugins/runtime/contract/error.ts";
import type { BrowserStorage } from "../stores/browser_storage.ts";
import type { Chat, Sampling } from "../stores/chat.ts";
import { type ChatModels, defaultModel } from "../stores/chat_models.ts";
import { draftOf, type Preset, type PresetDraft, type Presets } from "../stores/chat_presets.ts";
import type { AskRequest, Chats } from "../stores/chats.ts";

export interface ChatChoiceDeps {
  storage: BrowserStorage;
  /** The shown one; undefined when it is not begun. */
  chat: () => Chat | undefined;
  chats: () => Chats;
  models: () => ChatModels;
  presets: () => Presets;
  /** Called when another model or preset was chosen. */
  chosen: () => void;
}

export class ChatChoice implements ReactiveController {
  readonly #host: ReactiveControllerHost;
  readonly #deps: ChatChoiceDeps;
  #last: { model: string | undefined; preset: string | undefined } = {
    model: undefined,
    preset: undefined,
  };
  #sampling: Sampling = {};

  constructor(host: ReactiveControllerHost, deps: ChatChoiceDeps) {
    this.#host = host;
    this.#deps = deps;
    host.addController(this);
  }

  hostConnected(): void {
    const { storage } = this.#deps;
    this.#last = { model: storage.get(modelKey), preset: storage.get(presetKey) };
  }

  get sampling(): Sampling {
    return this.#deps.chat()?.sampling ?? this.#sampling;
  }

  set sampling(sampling: Sampling) {
    const chat = this.#deps.chat();
    if (chat === undefined) this.#sampling = sampling;
    else void this.#deps.chats().configure(chat.id, { sampling });
    this.#host.requestUpdate();
  }

  /** Whether it differs from what the model, or the preset, has by itself. */
  get isChanged(): boolean {
    return Object.values(this.sampling).some((value) => value !== undefined);
  }

  /** Undefined too for one that is gone. */
  get preset(): Preset | undefined {
    const chat = this.#deps.chat();
    const id = chat === undefined ? this.#last.preset : chat.preset?.id;
    return id === undefined ? undefined : this.#find(id);
  }

  /** Also of one that is gone: no model was chosen in its place yet. */
  get presetId(): string | undefined {
    return this.#deps.chat()?.preset?.id ?? this.preset?.id;
  }

  /** The preset's; else the chat's own, even when it is gone; else what was chosen last. */
  get model(): string | undefined {
    return this.preset?.model ?? this.#deps.chat()?.model ??
      defaultModel(this.#deps.models().list ?? [], this.#last.model)?.id;
  }

  /** A model, or a preset in its place, by id. */
  choose({ model, preset }: { model?: string; preset?: string }): void {
    const { storage, chats } = this.#deps;
    this.#last = { model: model ?? this.#last.model, preset };
    storage.set(modelKey, this.#last.model);
    storage.set(presetKey, preset);
    const chat = this.#deps.chat();
    if (chat !== undefined) {
      const named = preset === undefined ? undefined : this.#find(preset);
      void chats().configure(chat.id, {
        model: named?.model ?? model,
        preset: named === undefined ? undefined : { id: named.id, name: named.name },
      });
    }
    this.#deps.chosen();
    this.#host.requestUpdate();
  }

  /** Waits for what is not known yet; throws when there is nothing to ask. */
  async request(): Promise<Omit<AskRequest, "chatId">> {
    const { models, presets, chat } = this.#deps;
    // Whoever is fast asks before the models are known.
    if (models().list === undefined) await models().load();
    if (presets().list === undefined) await presets().load();
    const { model, preset, sampling } = this;
    if (model === undefined) throw new AppError("NOT_FOUND", "Choose a model first");
    if (preset === undefined && chat()?.preset !== undefined) {
      throw new AppError(
        "UNAVAILABLE",
        "The preset could not be read: try again, or choose a model",
      );
    }
    return { model, preset, sampling };
  }

  /** The chat that was not begun is, and has its own now. */
  begun(): void {
    this.#sampling = {};
  }

  /** What a preset of this choice begins with. */
  draft(): PresetDraft {
    return draftOf({ model: this.model ?? "", preset: this.preset, sampling: this.sampling });
  }

  #find(id: string): Preset | undefined {
    return this.#deps.presets().list?.find((preset) => preset.id === id);
  }
}

/** What chats that are not begun are asked with from now on. */
export function chooseForNewChats(storage: BrowserStorage, model: string): void {
  storage.set(modelKey, model);
  storage.set(presetKey, undefined);
}

const modelKey = "bkg.chats.model";
const presetKey = "bkg.chats.preset";
