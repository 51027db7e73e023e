// Tokens a second in a page: a completion by llmserver in this browser, against wllama alone in another tab of
// the same Chromium, with equal model, prompt, threads and count of tokens.

import { join } from "node:path";
import type { Page } from "playwright-core";
import { openPageTest, type PageTest, signIn } from "../server/testing/browser/browser.ts";
import {
  callInPage,
  inPage,
  moveToBrowser,
  untilInPage,
} from "../server/testing/browser/local_page.ts";
import { sharedModelsFolder } from "../server/testing/shared_models.ts";
import { serveBareWllama } from "./reference/bare_wllama_page.ts";
import { median, type Row } from "./report.ts";

const rounds = 9;
const model = "rand-15M-q8_0";
const maxTokens = 150;

export async function measurePageTokens(): Promise<Row> {
  await using test = await openPageTest({ env: { BKG_MODEL_PATHS: sharedModelsFolder } });
  await using reference = await serveBareWllama(join(sharedModelsFolder, `${model}.gguf`), {
    contextLength: 1024,
  });
  const local = await openLocal(test);
  const bare = await test.newPage();
  await bare.goto(reference.url);
  await untilInPage(bare, "globalThis.ready === true");
  await completeLocally(local, "To begin with", 4);
  await completeBare(bare, "To begin with", 4);
  const here: number[] = [];
  const alone: number[] = [];
  for (let number = 1; here.length < rounds; number++) {
    // A prompt of its own, so that nothing comes from a cache.
    const prompt = `${number} Once upon a time there was a little girl`;
    // Who goes first changes with each round: a machine's speed drifts within one.
    const early = number % 2 === 0 ? await completeLocally(local, prompt, maxTokens) : undefined;
    // Random weights may say bytes that are no UTF-8, which bare wllama takes for a failure.
    const bareMs = await completeBare(bare, prompt, maxTokens).catch(() => undefined);
    if (bareMs === undefined && number < 3 * rounds) continue;
    if (bareMs === undefined) throw new Error("bare wllama answers none of the prompts");
    alone.push(maxTokens / bareMs * 1000);
    here.push(maxTokens / (early ?? await completeLocally(local, prompt, maxTokens)) * 1000);
  }
  const ratio = median(here.map((rate, index) => rate / (alone[index] ?? NaN)));
  return {
    what: `${model} in the browser, ${maxTokens} tokens`,
    measured: `${median(here).toFixed(1)} tokens/s`,
    reference: `bare wllama, same Chromium ${median(alone).toFixed(1)} tokens/s (${
      ratio.toFixed(3)
    }x)`,
    budget: "≥ 0.97 of bare",
    met: ratio >= 0.97,
  };
}

async function openLocal(test: PageTest): Promise<Page> {
  const page = await test.newPage();
  await signIn(page, test.server);
  await moveToBrowser(page, "llmserver");
  await inPage(page, `(await host()).fetchModel(${JSON.stringify(model)})`);
  return page;
}

async function completeLocally(page: Page, prompt: string, maxTokens: number): Promise<number> {
  await page.bringToFront();
  const started = performance.now();
  const outcome = await callInPage<{ usage: { completionTokens: number } }>(
    page,
    "llm.complete",
    { model, prompt, maxTokens, temperature: 0 },
  );
  const elapsedMs = performance.now() - started;
  if (outcome.error !== undefined) throw new Error(outcome.error.message);
  const { completionTokens } = outcome.value.usage;
  if (completionTokens !== maxTokens) {
    throw new Error(`${completionTokens} tokens came, not ${maxTokens}`);
  }
  return elapsedMs;
}

async function completeBare(page: Page, prompt: string, maxTokens: number): Promise<number> {
  await page.bringToFront();
  return await page.evaluate(
    ([prompt, maxTokens]) =>
      (globalThis as unknown as { complete(p: unknown, n: unknown): Promise<number> })
        .complete(prompt, maxTokens),
    [prompt, maxTokens] as const,
  );
}
