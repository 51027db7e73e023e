// Drives the page's own host in tests, the way its elements do: through the App that the page made.

import type { Page } from "playwright-core";
import type { WireError } from "../../../plugins/runtime/contract/error.ts";

/** What a call in the page came to; errors cross as what they tell. */
export type Outcome<Value> = { value: Value; error?: undefined } | { error: WireError };

/** Runs `expression` in the page, where `homes` and `host` (a promise) stand for the App's. */
export async function tryInPage<Value>(page: Page, expression: string): Promise<Outcome<Value>> {
  return await page.evaluate(`(async () => {
    const { homes } = document.querySelector("bkg-app").app;
    const host = () => homes.loadLocal();
    try {
      return { value: await (${expression}) };
    } catch (error) {
      const { code, message, retryable, details } = error;
      return { error: { code: code ?? error.name, message, retryable, details } };
    }
  })()`) as Outcome<Value>;
}

/** The same; throws what the page threw. */
export async function inPage<Value>(page: Page, expression: string): Promise<Value> {
  const outcome = await tryInPage<Value>(page, expression);
  if (outcome.error === undefined) return outcome.value;
  throw new Error(`${outcome.error.code}: ${outcome.error.message}`);
}

/** Waits until `expression` is true in the page. Playwright's own way needs an eval, which the page refuses. */
export async function untilInPage(page: Page, expression: string): Promise<void> {
  const deadline = performance.now() + 15_000;
  while (await page.evaluate(expression) !== true) {
    if (performance.now() > deadline) throw new Error(`Not within 15 s: ${expression}`);
    await new Promise((resolve) => setTimeout(resolve, 20));
  }
}

/** Waits until `holds` answers true, at most 15 s. */
export async function until(holds: () => boolean | Promise<boolean>): Promise<void> {
  const deadline = performance.now() + 15_000;
  while (!await holds()) {
    if (performance.now() > deadline) throw new Error(`Not within 15 s: ${holds}`);
    await new Promise((resolve) => setTimeout(resolve, 20));
  }
}

/** What a capability answers, wherever its plugin runs: a stream's result, or the one value. */
export function callInPage<Value>(
  page: Page,
  capability: string,
  input: unknown,
): Promise<Outcome<Value>> {
  return tryInPage(
    page,
    `(async () => {
      const stream = homes.stream(${JSON.stringify(capability)}, ${JSON.stringify(input)}, {});
      let item;
      while (true) {
        const { done, value } = await stream.next();
        if (done) return value ?? item;
        item = value;
      }
    })()`,
  );
}

export function moveToBrowser(page: Page, pluginId: string): Promise<void> {
  return inPage(page, `homes.moveToBrowser(${JSON.stringify(pluginId)})`);
}

/** What llmserver answers at its end. */
export interface Completion {
  text: string;
  backend: string;
  threads: number;
}

/** Always the likeliest token, so that two engines that are one say the same. */
export const greedy = {
  model: "demo-stories-q8_0",
  prompt: "Once upon a time",
  maxTokens: 40,
  temperature: 0,
};
