// When a newcomer is shown the way to a first model, and which ones are offered. Callers: the shell, the first run's page.

import { writesText } from "../../plugins/runtime/contract/model_summary.ts";
import { parseParameters } from "../../models/fit/guess.ts";
import type { Fit } from "../../models/fit.ts";
import { type CatalogEntry, listModels, type Model } from "../api/models.ts";
import { may } from "../api/scopes.ts";
import type { App } from "../app.ts";

/** `modest`: small and quick; `best`: the largest that leaves the machine usable. */
export type ChoiceRole = "modest" | "middle" | "best";

export interface Choice {
  role: ChoiceRole;
  entry: CatalogEntry;
  /** On the server; undefined where nothing is known of the model's size. */
  fit: Fit | undefined;
}

/** Up to three of the catalogue's models that chat and fit on the server, by size. */
export function chooseModels(
  entries: readonly CatalogEntry[],
  { availableBytes }: { availableBytes: number },
): Choice[] {
  const candidates = entries
    .filter(({ task, engine }) => task === "chat" && engine === "wllama")
    .map((entry) => {
      const fit = serverFit(entry);
      return { entry, fit, weight: fit?.parts.weights ?? weightOf(entry) };
    })
    .filter(({ fit }) => fit?.fits !== false)
    .sort((a, b) => a.weight - b.weight || a.entry.id.localeCompare(b.entry.id));
  const isComfortable = ({ fit, weight }: Candidate) =>
    (fit?.peakBytes ?? weight * usualShare) <= availableBytes * comfortableShare;
  const best = candidates.findLast((one) => one.entry.recommended && isComfortable(one)) ??
    candidates.findLast(isComfortable) ?? candidates[0];
  if (best === undefined) return [];
  const smaller = candidates.filter((one) => one.weight < best.weight);
  const modest = firstRecommended(smaller);
  const between = smaller.filter((one) => one !== modest && one.weight > (modest?.weight ?? 0));
  const middle = modest && nearest(between, Math.sqrt(modest.weight * best.weight));
  return [
    ...modest === undefined ? [] : [choiceOf("modest", modest)],
    ...middle === undefined ? [] : [choiceOf("middle", middle)],
    choiceOf("best", best),
  ];
}

/** How a model would run on the server; there is one estimate for each backend. */
export function serverFit({ fits }: Pick<CatalogEntry, "fits">): Fit | undefined {
  const there = fits.filter(({ home }) => home === "server");
  return there.find(({ backend }) => backend === "wasm") ?? there[0];
}

/** Whether one can talk with it: not the demo, which only tells stories. */
export function isForChat(model: Model): boolean {
  return writesText(model) && model.origin !== "demo";
}

/** The one that came with bkg. */
export function isDemo(model: Model): boolean {
  return writesText(model) && model.origin === "demo";
}

/**
 * Whether who is signed in shall see the first run's page in place of the dashboard: there is nothing to chat with,
 * they may change that, and did not put the page away. Never rejects, and does not take long.
 */
export async function isWelcomeDue(
  { session, api }: Pick<App, "session" | "api">,
): Promise<boolean> {
  if (isWelcomeDismissed()) return false;
  if (session.principal === undefined) await session.verify();
  if (!may(session.principal, "models:manage")) return false;
  try {
    const { models } = await listModels(api, AbortSignal.timeout(dueTimeoutMs));
    return !models.some(isForChat);
  } catch {
    return false;
  }
}

/** From now on it is not shown by itself in this browser. */
export function dismissWelcome(): void {
  try {
    localStorage.setItem(dismissedKey, "1");
  } catch {
    // Storage may be blocked; it then comes again with the next sign-in.
  }
}

export function isWelcomeDismissed(): boolean {
  try {
    return localStorage.getItem(dismissedKey) !== null;
  } catch {
    return false;
  }
}

type Candidate = { entry: CatalogEntry; fit: Fit | undefined; weight: number };

const dismissedKey = "bkg.welcome.dismissed";
const dueTimeoutMs = 2000;
/** Of the free memory: the rest is for the machine's other work. */
const comfortableShare = 2 / 3;
/** Memory to weights, where no estimate is there. */
const usualShare = 1.5;

function choiceOf(role: ChoiceRole, { entry, fit }: Candidate): Choice {
  return { role, entry, fit };
}

/** Where there is no estimate: bytes, or as many as its parameters would take with eight bits each. */
function weightOf({ size, parameters }: CatalogEntry): number {
  return size ?? parseParameters(parameters ?? "") ?? 0;
}

function firstRecommended(candidates: readonly Candidate[]): Candidate | undefined {
  return candidates.find(({ entry }) => entry.recommended) ?? candidates[0];
}

/** The recommended ones first. */
function nearest(candidates: readonly Candidate[], weight: number): Candidate | undefined {
  const distance = (one: Candidate) =>
    (one.entry.recommended ? 0 : 1e6) + Math.abs(Math.log(Math.max(1, one.weight) / weight));
  return candidates.toSorted((a, b) => distance(a) - distance(b))[0];
}
