// The chat page as a person uses it, with the demo model on a server of its own.

import assert from "node:assert/strict";
import type { Page } from "playwright-core";
import { skipUnless } from "../require.ts";
import { findAccessibilityProblems } from "./accessibility.ts";
import { browserProblem, openPageTest, signIn } from "./browser.ts";
import { until } from "./local_page.ts";

Deno.test({
  name: "bkg-chats: conversations",
  ignore: skipUnless("chats", browserProblem()),
  async fn(t) {
    await using test = await openPageTest();
    const page = await test.newPage({ bypassCSP: true });
    await signIn(page, test.server, "chats");
    const area = page.locator("bkg-composer textarea");
    const answers = page.locator("article.answer");
    await area.waitFor();

    await t.step("send: the answer streams, says how it was made, and has an address", async () => {
      await ask(page, "Tell me a story about a fox and a lantern.");
      await page.getByRole("button", { name: "Stop the answer" }).waitFor();
      assert.equal(await area.inputValue(), "");
      // A cold start of the plugin and its model, beside other tests.
      await answers.locator(".facts").waitFor({ timeout: 60_000 });
      const facts = await answers.locator(".facts").innerText();
      assert.match(facts, /on the server/);
      assert.match(facts, /tokens\/s/);
      assert.match(facts, /first after/);
      assert.match(facts, /wasm, \d+ thread/);
      assert.match(page.url(), /\/chats\?id=[0-9a-f]{24}$/);
      assert.match(await page.locator("[role=status][aria-live]").innerText(), /^Answer: /);
    });

    await t.step("Escape: stops the answer and keeps what had come", async () => {
      await ask(page, "Tell me a story about a dog.");
      await answers.nth(1).locator(".block").first().waitFor();
      await page.keyboard.press("Escape");
      await answers.nth(1).getByText("You stopped this answer.").waitFor();
      assert.notEqual(await answers.nth(1).locator(".body").innerText(), "");
    });

    await t.step("regenerate: replaces the answer, and undo brings it back", async () => {
      const body = answers.nth(1).locator(".body");
      const before = await body.innerText();
      await answers.nth(1).getByRole("button", { name: "Answer again" }).click();
      await page.getByText("Answer replaced").waitFor();
      await page.getByRole("button", { name: "Undo" }).click();
      // The new answer is stopped first, and there for a moment.
      await until(async () => await body.innerText() === before);
      await answers.nth(1).getByText("You stopped this answer.").waitFor();
    });

    await t.step("server gone: the question is kept, and asked again on demand", async () => {
      await page.context().setOffline(true);
      await ask(page, "Tell me a story about a bear.");
      const retry = answers.nth(2).getByRole("button", { name: "Try again" });
      await retry.waitFor();
      await page.context().setOffline(false);
      await retry.click();
      await answers.nth(2).getByRole("button", { name: "Answer again" }).waitFor();
      assert.equal(await page.locator("article.question").count(), 3);
      // The browser itself tells the console that it is offline.
      test.problems.length = 0;
    });

    await t.step("reload: messages and what was typed are there again", async () => {
      await area.fill("half a thought");
      await page.reload();
      await answers.nth(2).waitFor();
      await page.waitForTimeout(200);
      assert.equal(await area.inputValue(), "half a thought");
      assert.equal(await answers.count(), 3);
    });

    await t.step("two tabs: one answers, the other sees it and waits", async () => {
      const other = await page.context().newPage();
      await other.goto(page.url());
      await other.locator("article.answer").nth(2).waitFor();
      await ask(page, "Tell me a story about a whale.");
      await other.getByText("Another tab is answering in this chat").waitFor();
      await other.locator("article.answer").nth(3).getByRole("button", { name: "Answer again" })
        .waitFor();
      await ask(other, "Tell me a story about a mouse.");
      await answers.nth(4).getByRole("button", { name: "Answer again" }).waitFor();
      assert.equal(await answers.count(), 5);
      await other.close();
    });

    await t.step("another page: the answer goes on being written", async () => {
      await ask(page, "Tell me a story about a cat.");
      await page.getByRole("link", { name: "Plugins" }).click();
      await page.getByRole("heading", { name: "Plugins" }).waitFor();
      await page.goBack();
      await answers.nth(5).getByRole("button", { name: "Answer again" }).waitFor();
      assert.notEqual(await answers.nth(5).locator(".body").innerText(), "");
    });

    await t.step("delete: can be undone", async () => {
      await page.getByRole("button", { name: /^Delete / }).click();
      await page.getByRole("button", { name: "Undo" }).click();
      await page.locator("bkg-chat-list li a").click();
      await answers.nth(5).waitFor();
    });

    await t.step("accessibility: axe finds nothing, in any state, light and dark", async () => {
      for (const colorScheme of ["light", "dark"] as const) {
        await page.emulateMedia({ colorScheme });
        assert.deepEqual(await findAccessibilityProblems(page), [], colorScheme);
        await page.getByRole("button", { name: "Settings of this chat" }).click();
        await page.getByLabel("Temperature").fill("9");
        await page.waitForTimeout(400);
        assert.deepEqual(await findAccessibilityProblems(page), [], `settings, ${colorScheme}`);
        await page.keyboard.press("Escape");
        await page.waitForTimeout(400);
      }
    });

    await t.step("phone: nothing scrolls sideways", async () => {
      await page.setViewportSize({ width: 360, height: 740 });
      const width = await page.evaluate("document.documentElement.scrollWidth");
      assert.ok(Number(width) <= 360, `${width} px`);
      await page.getByRole("button", { name: "Chats", exact: true }).click();
      await page.locator("wa-drawer bkg-chat-list li a").waitFor();
      assert.deepEqual(await findAccessibilityProblems(page), []);
    });

    await t.step("asked before the models are known: the question waits for them", async () => {
      await page.route("**/api/models", async (route) => {
        await new Promise((resolve) => setTimeout(resolve, 1500));
        await route.continue();
      });
      await page.goto("/chats");
      await ask(page, "Tell me a story about a snail.");
      await answers.first().getByRole("button", { name: "Answer again" }).waitFor();
      await page.unroute("**/api/models");
    });

    assert.deepEqual(test.problems, []);
  },
});

Deno.test({
  name: "bkg-chats: without storage, chats go on and say so",
  ignore: skipUnless("chats without storage", browserProblem()),
  async fn() {
    await using test = await openPageTest();
    const page = await test.newPage();
    await page.addInitScript(
      "IDBFactory.prototype.open = () => { throw new DOMException('', 'SecurityError'); }",
    );
    await signIn(page, test.server, "chats");
    await page.locator("bkg-chat-bars").getByText("does not let this site store anything")
      .waitFor();
    await ask(page, "Tell me a story about a fox.");
    // Ended in whatever way: how is said below, where a timeout would not say it.
    const answer = page.locator("article.answer[aria-busy=false]");
    await answer.waitFor({ timeout: 60_000 });
    const text = await answer.innerText();
    assert.equal(await answer.locator(".notice").count(), 0, text);
    assert.match(text, /tokens\/s/);
    assert.deepEqual(test.problems, []);
  },
});

async function ask(page: Page, text: string): Promise<void> {
  const area = page.locator("bkg-composer textarea");
  await area.fill(text);
  await area.press("Enter");
}
