// What a newcomer does: from an empty data folder to an answer that streams, on the network and off it, and when a pull
// fails. The hub is one of our own, which has every chat model of the catalogue: the demo's bytes under their names.

import assert from "node:assert/strict";
import { join } from "node:path";
import type { Locator, Page } from "playwright-core";
import { catalog } from "../../../models/catalog.ts";
import { parseSource } from "../../../models/source.ts";
import { projectRoot } from "../../build/bundles.ts";
import { type Hub, type HubOptions, startHub } from "../hub_server.ts";
import { skipUnless } from "../require.ts";
import { findAccessibilityProblems } from "./accessibility.ts";
import { browserProblem, openPageTest, type PageTest } from "./browser.ts";
import { until, untilInPage } from "./local_page.ts";

const demo = join(projectRoot, "models/demo/demo-stories-q8_0.gguf");
const chatModels = catalog.filter(({ task, engine }) => task === "chat" && engine === "wllama");

firstRunTest(
  "first run: from an empty machine to a streamed answer by one click",
  { bytesPerSecond: 300_000 },
  async (test) => {
    const page = await test.newPage({ reducedMotion: "reduce" });
    await signInAtRoot(page, test);
    await until(() => new URL(page.url()).pathname === "/welcome");
    const machine = page.getByRole("region", { name: "This machine", exact: true });
    await machine.getByText(/answer well on this machine/).waitFor();
    assert.match(await machine.innerText(), /Processor\s+\d+ cores?[^]*Memory\s+[\d.]+ \wiB free/);
    assert.match(await machine.innerText(), /This browser\s+\d+ threads?/);
    const cards = page.locator("bkg-welcome-model");
    await cards.first().waitFor();
    assert.ok(await cards.count() <= 3);
    await checkLooks(page, "offered");

    const card = page.locator("bkg-welcome-model[first]");
    const name = await card.getByRole("heading").innerText();
    const chosen = chatModels.find((model) => model.name === name)!;
    await card.getByRole("button", { name: `Pull and chat with ${name}` }).focus();
    await page.keyboard.press("Enter");
    const bar = card.getByRole("progressbar", { name: chosen.source });
    await bar.waitFor();
    assert.match(await focused(page), /^DIV.way/);
    const seen = await watchProgress(page, bar);
    await card.getByRole("button", { name: /^Pause/ }).click();
    await card.getByText("Paused", { exact: true }).waitFor();
    await checkLooks(page, "paused");
    await card.getByRole("button", { name: /^Resume/ }).click();
    seen.push(...await watchProgress(page, bar, { toTheEnd: true }));
    assert.deepEqual(seen, seen.toSorted((a, b) => a - b));

    await until(() => new URL(page.url()).pathname === "/chats");
    await page.getByRole("button", { name: `Model: ${chosen.id}` }).waitFor();
    await until(async () => await focused(page) === "TEXTAREA");
    assert.equal(new URL(page.url()).hash, "");
    await askAndReadAlong(page);

    // With a model here the dashboard is home again.
    await page.goto("/");
    await page.getByRole("heading", { level: 1, name: "Dashboard" }).waitFor();
    assert.equal(await page.getByText("There is no model to chat with yet").count(), 0);
    await page.goto("/models");
    await page.getByRole("link", { name: "What fits this machine" }).click();
    await page.getByRole("button", { name: `Chat with ${name}`, exact: true }).click();
    await page.getByRole("button", { name: `Model: ${chosen.id}` }).waitFor();
    assert.deepEqual(test.problems, []);
  },
);

firstRunTest(
  "first run: offline it says so, asks nobody, and the demo answers",
  {},
  async (test, hub) => {
    const page = await test.newPage({ reducedMotion: "reduce" });
    await signInAtRoot(page, test);
    await page.getByRole("heading", { name: "This server is offline" }).waitFor();
    await page.getByText("BKG_MODEL_PATHS").waitFor();
    assert.equal(await page.getByRole("button", { name: /Pull/ }).count(), 0);
    await checkLooks(page, "offline");
    await page.getByRole("button", { name: "Chat with the demo" }).click();
    await page.getByRole("button", { name: "Model: demo-stories-q8_0" }).waitFor();
    await until(async () => await focused(page) === "TEXTAREA");
    await askAndReadAlong(page);
    assert.deepEqual(hub.requests, []);
    assert.deepEqual(test.problems, []);
  },
  { BKG_OFFLINE: "1" },
);

firstRunTest(
  "first run: a pull that fails says why in its place, and the next try goes on from there",
  { gated: ["Somebody/Gated-GGUF"], bytesPerSecond: 600_000 },
  async (test, hub) => {
    const page = await test.newPage({ reducedMotion: "reduce" });
    await signInAtRoot(page, test);
    const card = page.locator("bkg-welcome-model[first]");
    const pull = card.getByRole("button", { name: /^Pull and chat with/ });
    await pull.waitFor();

    // By its name: what is no name, what the hub does not have, and what it gives to some alone.
    const byName = page.locator("bkg-welcome-name");
    const ask = async (source: string) => {
      await byName.getByRole("textbox").fill(source);
      await byName.getByRole("textbox").press("Enter");
    };
    await ask("no name");
    await byName.getByRole("alert").filter({ hasText: /no name/ }).waitFor();
    await ask("Nobody/Nothing:Q8_0");
    await byName.getByRole("alert").filter({ hasText: /Nobody\/Nothing/ }).waitFor();
    await ask("Somebody/Gated-GGUF:Q8_0");
    await byName.getByRole("alert").filter({ hasText: /HF_TOKEN/ }).waitFor();
    await checkLooks(page, "refused");

    // The bytes stop coming, for good; then they come again.
    hub.setFault({ kind: "status", at: "cdn", status: 404 });
    await pull.click();
    const failure = card.getByRole("alert");
    await failure.filter({ hasText: "It could not be pulled" }).waitFor();
    assert.equal(new URL(page.url()).pathname, "/welcome");
    await checkLooks(page, "failed");
    hub.clearFaults();
    await failure.getByRole("button", { name: "Try again" }).click();
    await until(() => new URL(page.url()).pathname === "/chats");
    await until(async () => await focused(page) === "TEXTAREA");
    assert.deepEqual(test.problems, []);
  },
);

firstRunTest(
  "first run: put away it stays away; who may not pull is told whom to ask",
  {},
  async (test) => {
    const page = await test.newPage({ reducedMotion: "reduce" });
    await signInAtRoot(page, test);
    await page.getByRole("heading", { level: 1, name: "Your first model" }).waitFor();
    await page.goto("/dashboard");
    await page.getByRole("link", { name: "Choose a model" }).waitFor();
    await page.goto("/welcome");
    await page.getByRole("button", { name: "Skip this" }).click();
    await page.getByRole("heading", { level: 1, name: "Dashboard" }).waitFor();
    await page.goto("/");
    await page.getByRole("heading", { level: 1, name: "Dashboard" }).waitFor();
    await page.locator("bkg-model-list").waitFor();
    assert.equal(await page.getByRole("link", { name: "Choose a model" }).count(), 0);

    // As the server would answer somebody of a narrower role.
    await page.route("**/auth/me", async (route) => {
      const answer = await (await route.fetch()).json() as { principal: object };
      const scopes = ["account", "models:read", "invoke:*"];
      await route.fulfill({ json: { principal: { ...answer.principal, role: "user", scopes } } });
    });
    await page.goto("/welcome");
    await page.getByRole("heading", { name: "Somebody else brings models here" }).waitFor();
    assert.equal(await page.getByRole("button", { name: /Pull/ }).count(), 0);
    await page.getByRole("button", { name: "Chat with the demo" }).waitFor();
    await checkLooks(page, "not allowed");
    assert.deepEqual(test.problems, []);
  },
);

function firstRunTest(
  name: string,
  options: Omit<HubOptions, "files">,
  run: (test: PageTest, hub: Hub) => Promise<void>,
  env: Record<string, string> = {},
): void {
  Deno.test({
    name,
    ignore: skipUnless(name, browserProblem()),
    async fn() {
      await using hub = await startHub({ files: filesOfCatalog(), license: "mit", ...options });
      await using test = await openPageTest({ env: { HF_ENDPOINT: hub.url, ...env } });
      await run(test, hub);
    },
  });
}

function filesOfCatalog(): HubOptions["files"] {
  const sources = [...chatModels.map(({ source }) => source), "Somebody/Gated-GGUF:Q8_0"];
  return Object.fromEntries(sources.map((text) => {
    const source = parseSource(text);
    assert.equal(source.kind, "hub");
    const { repo, variant = "" } = source as { repo: string; variant?: string };
    return [repo, { [`model-${variant.toLowerCase()}.gguf`]: demo }];
  }));
}

/** As by the link of `bkg login`, which leads to no page in particular. */
async function signInAtRoot(page: Page, { server }: PageTest): Promise<void> {
  const response = await server.fetch("/auth/codes", { method: "POST" });
  const { code } = await response.json() as { code: string };
  await page.goto(`${server.url}/#code=${code}`);
}

/** Light, dark, and on a small phone. */
async function checkLooks(page: Page, state: string): Promise<void> {
  const size = page.viewportSize()!;
  for (const colorScheme of ["light", "dark"] as const) {
    await page.emulateMedia({ colorScheme, reducedMotion: "reduce" });
    await untilInPage(page, `!!document.querySelector(".wa-dark") === ${colorScheme === "dark"}`);
    for (const width of [size.width, 360]) {
      await page.setViewportSize({ width, height: size.height });
      assert.deepEqual(
        await findAccessibilityProblems(page),
        [],
        `${state} ${colorScheme} ${width}`,
      );
      assert.ok(
        await page.evaluate("document.documentElement.scrollWidth <= innerWidth"),
        `${state} ${colorScheme} ${width} scrolls sideways`,
      );
    }
  }
  await page.setViewportSize(size);
}

/** Percents as a screen reader would meet them: some of them, or until the page is another. */
async function watchProgress(
  page: Page,
  bar: Locator,
  { toTheEnd = false }: { toTheEnd?: boolean } = {},
): Promise<number[]> {
  const seen = new Set<number>();
  let words = "";
  await until(async () => {
    const value = await bar.getAttribute("aria-valuenow", { timeout: 100 }).catch(() => null);
    if (value !== null) seen.add(Number(value));
    words += await page.locator("bkg-pull-progress .job").innerText({ timeout: 100 }).catch(() =>
      ""
    );
    return toTheEnd
      ? new URL(page.url()).pathname !== "/welcome"
      : seen.size >= 3 && /[\d.]+ [KM]iB of [\d.]+ MiB[^]*\/s[^]* left/.test(words);
  });
  return [...seen];
}

/** Types where the focus is; the answer must come in pieces. */
async function askAndReadAlong(page: Page): Promise<void> {
  await page.keyboard.type("Tell me a story about a fox and a lantern.");
  await page.keyboard.press("Enter");
  const answer = page.locator("article.answer").first();
  const body = answer.locator(".body");
  await body.locator(".block").first().waitFor({ timeout: 60_000 });
  const lengths = new Set<number>();
  await until(async () => {
    lengths.add((await body.innerText()).length);
    return await answer.locator(".facts").count() > 0;
  });
  assert.ok(lengths.size > 2, [...lengths].join());
  assert.match(await answer.locator(".facts").innerText(), /tokens\/s/);
}

/** What has the focus, however deep: its tag, and its class. */
async function focused(page: Page): Promise<string> {
  return await page.evaluate(`(() => {
    let element = document.activeElement;
    while (element?.shadowRoot?.activeElement) element = element.shadowRoot.activeElement;
    return element.tagName + (element.className && "." + element.className);
  })()`) as string;
}
