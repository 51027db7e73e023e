// What a model in memory does at the moment, in words. Caller: the list of loaded models.

import type { LoadedModel, ModelUse } from "../stores/llm_models.ts";
import { formatCount, formatDuration, formatNumber, formatPlural } from "./format.ts";

export const useWords: Readonly<Record<ModelUse, string>> = {
  text: "Writes text",
  vectors: "Makes vectors",
  scores: "Re-ranks",
};

export interface Activity {
  /** "In use", "Idle" */
  word: string;
  /** "3 calls, 1 waits", the waiting ones counted; "for 12 s, pinned"; may be "". */
  more: string;
  isBusy: boolean;
}

export function describeActivity(
  { users, waiting = 0, idleMs, pinned = false }: LoadedModel,
): Activity {
  const isBusy = users > 0;
  const more = [
    isBusy ? `${formatPlural(users, "call")}` : idleMs === undefined
      ? ""
      // Less than a second would flicker.
      : idleMs < 1000
      ? "just now"
      : `for ${formatDuration(idleMs)}`,
    waiting === 0 ? "" : waiting === 1 ? "1 waits" : `${formatCount(waiting)} wait`,
    pinned ? "pinned" : "",
  ];
  return {
    word: isBusy ? "In use" : "Idle",
    more: more.filter((text) => text !== "").join(", "),
    isBusy,
  };
}

export function formatSpeed(tokensPerSecond: number | undefined): string {
  return tokensPerSecond === undefined
    ? formatNumber(undefined)
    : `${formatNumber(tokensPerSecond)} tokens/s`;
}
