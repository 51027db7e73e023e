// Presets as a person makes and uses them, and as programs name them.

import assert from "node:assert/strict";
import type { Page } from "playwright-core";
import { skipUnless } from "../require.ts";
import { findAccessibilityProblems } from "./accessibility.ts";
import { browserProblem, openPageTest, signIn } from "./browser.ts";
import { moveToBrowser, until } from "./local_page.ts";

Deno.test({
  name: "presets: made from a chat, used in it, in this browser and by programs",
  ignore: skipUnless("presets", browserProblem()),
  async fn(t) {
    await using test = await openPageTest();
    const { server } = test;
    const page = await test.newPage();
    await signIn(page, server, "chats");
    const picker = page.locator("bkg-model-picker button.current");
    const name = page.getByRole("textbox", { name: "Name", exact: true });
    const save = page.getByRole("button", { name: "Save preset" });
    await picker.getByText("demo-stories").waitFor();

    await t.step("save as preset: the name is checked, then the chat uses it", async () => {
      await page.getByRole("button", { name: "Settings of this chat" }).click();
      await page.getByLabel("System prompt").fill("You tell short stories.");
      await page.getByLabel("Max tokens").fill("5");
      await page.getByRole("button", { name: "Save as preset" }).click();
      await name.waitFor();
      await page.waitForTimeout(400);
      for (const colorScheme of ["light", "dark"] as const) {
        await page.emulateMedia({ colorScheme });
        assert.deepEqual(await findAccessibilityProblems(page), [], colorScheme);
      }
      await save.click();
      await page.getByText("It needs a name").waitFor();
      await name.fill("short story");
      await page.getByText("no spaces").waitFor();
      await name.fill("demo-stories-q8_0");
      await save.click();
      await page.getByText("is the name of a model").waitFor();
      await name.fill("short-story");
      await save.click();
      await picker.getByText("short-story").waitFor();
      await page.waitForTimeout(500);
      // What it holds is not told a second time.
      await page.getByRole("button", { name: "Settings of this chat", exact: true }).waitFor();
      assert.deepEqual(test.problems.splice(0).filter((text) => !/status of 409/.test(text)), []);
    });

    await t.step("an answer is made by it, on the server and in this browser", async () => {
      assert.match(await ask(page, "Tell me about a fox."), /short-story.*\b5 tokens/s);
      await moveToBrowser(page, "llmserver");
      assert.match(await ask(page, "Tell me about a bear."), /in this browser.*\b5 tokens/s);
    });

    await t.step("a program names it as its model; its own wishes win", async () => {
      const complete = async (body: object) => {
        const response = await server.fetch("/v1/chat/completions", {
          method: "POST",
          headers: { "content-type": "application/json" },
          body: JSON.stringify({
            model: "short-story",
            messages: [{ role: "user", content: "Tell me about a hen." }],
            ...body,
          }),
        });
        return await response.json();
      };
      const answer = await complete({});
      assert.deepEqual([answer.model, answer.usage.completion_tokens], ["short-story", 5]);
      assert.equal((await complete({ max_tokens: 2 })).usage.completion_tokens, 2);
      assert.equal((await complete({ model: "none" })).error.code, "model_not_found");
    });

    await t.step("edit and share: another device has it as it is now", async () => {
      await open(page);
      await page.getByRole("button", { name: "Edit short-story" }).click();
      await page.getByLabel("Max tokens").last().fill("7");
      await page.locator("wa-switch").click({ position: { x: 12, y: 10 } });
      await save.click();
      await page.locator("bkg-presets .tag").getByText("shared").waitFor();
      assert.deepEqual(await findAccessibilityProblems(page), []);
      await page.keyboard.press("Escape");
      // Some moments after its last change a chat is sent.
      await until(async () => {
        const chats = await server.fetch("/api/chats?content=true");
        return (await chats.text()).includes("Tell me about a bear.");
      });
      const other = await test.newPage();
      await signIn(other, server, "chats");
      await other.locator("bkg-chat-list li a").first().click();
      await other.locator("bkg-model-picker button.current").getByText("short-story").waitFor();
      assert.match(await ask(other, "Tell me about a cat."), /short-story.*\b7 tokens/s);
      await other.context().close();
    });

    await t.step("delete: a chat that used it says so, and takes a model instead", async () => {
      await open(page);
      await page.getByRole("button", { name: "Delete short-story" }).click();
      await page.getByText("Chats that use it need another model").waitFor();
      await page.getByRole("button", { name: "Delete preset" }).click();
      await page.getByText("No preset yet").waitFor();
      await page.keyboard.press("Escape");
      await page.getByText("The preset “short-story” is no longer there").waitFor();
      await picker.click();
      await page.getByRole("radio", { name: /demo-stories/ }).check();
      await page.keyboard.press("Enter");
      assert.doesNotMatch(await ask(page, "Tell me about a dog."), /short-story/);
    });
    assert.deepEqual(test.problems, []);
  },
});

async function open(page: Page): Promise<void> {
  await page.locator("bkg-model-picker button.current").click();
  await page.getByRole("button", { name: "Edit presets" }).click();
  await page.waitForTimeout(400);
}

/** Asks, and answers how the answer was made. */
async function ask(page: Page, text: string): Promise<string> {
  const made = page.getByRole("list", { name: "How this answer was made" });
  const before = await made.count();
  const area = page.locator("bkg-composer textarea");
  await area.fill(text);
  await area.press("Enter");
  await made.nth(before).getByText("tokens/s").waitFor({ timeout: 60_000 });
  return (await made.nth(before).innerText()).replaceAll("\n", " ");
}
