// What keeps a question from being asked, and what an answer waits for, in words. Caller: the chat page.

import type { PluginView } from "../../plugins/runtime/host/host.ts";
import type { Progress } from "../local/local_host.ts";
import type { Chat } from "../stores/chat.ts";
import type { ChatModel } from "../stores/chat_models.ts";
import type { Preset } from "../stores/chat_presets.ts";
import { capText, formatBytes } from "./format.ts";

export interface Asking {
  running: "here" | "elsewhere" | undefined;
  /** Undefined while they are not known. */
  models: readonly ChatModel[] | undefined;
  presets: readonly Preset[] | undefined;
  /** The one that would be asked. */
  model: string | undefined;
  /** Undefined for one that is not begun. */
  chat: Chat | undefined;
  /** The server's plugin, where that is the one to answer. */
  plugin: PluginView | undefined;
}

/** A full sentence without its stop; undefined when nothing does. */
export function whyBlocked(asking: Asking): string | undefined {
  const { running, models, presets, model, chat, plugin } = asking;
  if (running === "elsewhere") return "Another tab is answering in this chat";
  if (models === undefined) return undefined;
  if (models.length === 0) return "There is no model to ask";
  const preset = chat?.preset;
  if (preset !== undefined && presets?.every(({ id }) => id !== preset.id) === true) {
    return `The preset “${preset.name}” is no longer there: choose another one, or a model, above`;
  }
  if (!models.some(({ id }) => id === model)) {
    return `The model “${capText(model ?? "", 60)}” is no longer there: choose another one above`;
  }
  return plugin?.enabled === false
    ? `${capText(plugin.name, 60)} is turned off: turn it on under “Plugins”`
    : undefined;
}

/** Undefined: for nothing but the answer itself. */
export function whyWaiting(download: Progress | undefined): string | undefined {
  if (download === undefined) return undefined;
  const { step, done, total } = download;
  return done === undefined || total === undefined
    ? step
    : `Bringing the model into this browser: ${formatBytes(done)} of ${formatBytes(total)}`;
}
