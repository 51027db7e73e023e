// What can happen to an answer while it is being written: what had come stays, the page says what happened, and
// asking again works.

import assert from "node:assert/strict";
import type { Page } from "playwright-core";
import type { PluginTelemetry } from "../../../plugins/runtime/host/host.ts";
import { skipUnless } from "../require.ts";
import { type ServerProcess, startServer } from "../server_process.ts";
import { browserProblem, openPageTest, type PageTest, signIn } from "./browser.ts";
import { greedy, until } from "./local_page.ts";

Deno.test({
  name:
    "an answer whose session ends: kept, told with the reason, and there after signing in again",
  ignore: skipUnless("a session that ends in an answer", browserProblem()),
  async fn() {
    await using test = await openPageTest();
    const { server } = test;
    const page = await openChats(test);
    const partial = await askLong(page);
    const { pathname, search } = new URL(page.url());
    const token = await page.evaluate(`JSON.parse(localStorage.getItem("bkg.session")).token`);
    const headers = { authorization: `Bearer ${token}` };
    await (await fetch(`${server.url}/auth/logout`, { method: "POST", headers })).body?.cancel();

    await page.getByRole("alert").filter({ hasText: "Your session has ended" }).waitFor();
    await page.getByRole("heading", { level: 1, name: /sign in/i }).waitFor();
    await until(async () => (await telemetry(server)).active === 0);
    assert.equal(new URL(page.url()).pathname, pathname);

    const { code } = await (await server.fetch("/auth/codes", { method: "POST" })).json();
    await page.getByRole("textbox").fill(code);
    await page.getByRole("textbox").press("Enter");
    await page.locator("article.answer").getByText("The answer broke off").waitFor();
    assert.equal(new URL(page.url()).search, search);
    await checkKept(page, partial);
    await retry(page);
    checkProblems(test);
  },
});

Deno.test({
  name:
    "an answer whose server is killed: kept, told, kept over a reload, and asked again on its return",
  ignore: skipUnless("a server that is killed in an answer", browserProblem()),
  async fn() {
    await using test = await openPageTest();
    const page = await openChats(test);
    const partial = await askLong(page);
    await test.server.end("SIGKILL");
    const answer = page.locator("article.answer");
    await answer.getByText("The answer broke off").waitFor();
    await answer.getByText("The connection to the server was lost").waitFor();
    await answer.getByText("switch to “This browser” above").waitFor();
    await checkKept(page, partial);

    const { dataDir, url } = test.server;
    await using _again = await startServer({ dataDir, env: { BKG_PORT: new URL(url).port } });
    await page.reload();
    await answer.getByText("The answer broke off").waitFor();
    await checkKept(page, partial);
    await retry(page);
    checkProblems(test);
  },
});

Deno.test({
  name: "an answer whose cell is killed: kept, told as such, and asked again in a new cell",
  ignore: skipUnless("a cell that is killed in an answer", browserProblem()),
  async fn() {
    await using test = await openPageTest();
    const { server } = test;
    const page = await openChats(test);
    const partial = await askLong(page);
    const { pid } = await telemetry(server);
    assert.ok(pid !== undefined);
    Deno.kill(pid, "SIGKILL");
    const answer = page.locator("article.answer");
    await answer.getByText("The answer broke off").waitFor();
    await answer.getByText('Plugin "llmserver" crashed').waitFor();
    await checkKept(page, partial);
    await retry(page);
    checkProblems(test);
    assert.notEqual((await telemetry(server)).pid, pid);
  },
});

Deno.test({
  name:
    "an answer whose Worker in the page is ended: kept, told as such, and asked again in a new one",
  ignore: skipUnless("a Worker that ends in an answer", browserProblem()),
  async fn() {
    await using test = await openPageTest();
    const page = await openChats(test);
    await page.getByRole("radio", { name: "This browser" }).check({ force: true });
    await until(async () =>
      await page.evaluate(
        `document.querySelector("bkg-app").app.homes.state("llmserver").kind`,
      ) === "browser"
    );
    const partial = await askLong(page);
    const keeper = page.workers().find((worker) => worker.url().endsWith("/assets/keeper.js"));
    await keeper?.evaluate("self.close()");
    const answer = page.locator("article.answer");
    await answer.getByText("The answer broke off").waitFor();
    await answer.getByText(/Plugin "llmserver" (?:hung|crashed)/).waitFor();
    await checkKept(page, partial);
    await retry(page);
    checkProblems(test);
    assert.match(await answer.locator(".facts").innerText(), /in this browser/);
  },
});

Deno.test({
  name: "an answer that is stopped frees its place on the server, and the next is answered",
  ignore: skipUnless("an answer that is stopped", browserProblem()),
  async fn() {
    await using test = await openPageTest();
    const { server } = test;
    const page = await openChats(test);
    const partial = await askLong(page);
    assert.equal((await telemetry(server)).active, 1);
    await page.getByRole("button", { name: "Stop the answer" }).click();
    await page.locator("article.answer").getByText("You stopped this answer.").waitFor();
    await until(async () => (await telemetry(server)).active === 0);
    await checkKept(page, partial);
    await page.getByRole("button", { name: "Answer again" }).click();
    await page.locator("article.answer .facts").getByText(/tokens\/s/).waitFor();
    assert.deepEqual(test.problems, []);
  },
});

/** The chats of someone who signed in, with a model that never comes to an end by itself. */
async function openChats(test: PageTest): Promise<Page> {
  const response = await test.server.fetch("/api/plugins/llmserver/config", {
    method: "POST",
    headers: { "content-type": "application/json" },
    body: JSON.stringify({ settings: { temperature: 0, repeatPenalty: 0.7 } }),
  });
  assert.equal(response.status, 200, await response.text());
  const page = await test.newPage();
  await signIn(page, test.server, "chats");
  return page;
}

/** Asks, and answers what has come of the answer while more of it comes. */
async function askLong(page: Page): Promise<string> {
  await page.locator("bkg-model-picker").getByText(greedy.model).first().waitFor();
  const area = page.locator("bkg-composer textarea");
  await area.fill("Tell me a story about a fox and a lantern.");
  await area.press("Enter");
  let partial = "";
  await until(async () => (partial = await answerText(page)).length > 40);
  return partial;
}

async function answerText(page: Page): Promise<string> {
  const texts = await page.locator("article.answer .body").allInnerTexts();
  return texts.join("").trim();
}

/** What had come is there, and it is not the whole answer. */
async function checkKept(page: Page, partial: string): Promise<void> {
  const kept = await answerText(page);
  // The last word may have been in the middle of being written.
  const start = partial.slice(0, -10);
  assert.ok(kept.startsWith(start), `"${kept}" does not start with "${start}"`);
  assert.equal(await page.locator("article.answer .facts").getByText(/tokens\/s/).count(), 0);
}

async function retry(page: Page): Promise<void> {
  const answer = page.locator("article.answer");
  await answer.getByRole("button", { name: "Try again" }).click();
  await answer.locator(".facts").getByText(/tokens\/s/).waitFor();
  assert.ok((await answerText(page)).length > 100);
  assert.equal(await answer.count(), 1);
  assert.equal(await answer.getByText("The answer broke off").count(), 0);
}

/** The browser itself tells of what it did not reach, and of what was refused; all else is a fault of the page. */
function checkProblems({ problems }: PageTest): void {
  assert.deepEqual(problems.filter((text) => !/net::ERR_|status of 401|WebSocket/.test(text)), []);
}

async function telemetry(server: ServerProcess): Promise<PluginTelemetry> {
  return await (await server.fetch("/api/plugins/llmserver/telemetry")).json() as PluginTelemetry;
}
