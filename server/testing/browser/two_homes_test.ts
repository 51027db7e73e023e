// What bkg promises, done by hand: chat on the server, flip the switch, take the server away, chat on.

import assert from "node:assert/strict";
import type { Page } from "playwright-core";
import type { PluginView } from "../../../plugins/runtime/host/host.ts";
import { skipUnless } from "../require.ts";
import { browserProblem, openPageTest, signIn } from "./browser.ts";
import { inPage, untilInPage } from "./local_page.ts";

Deno.test({
  name: "a chat goes on in the browser when the server's plugin, its API and its sockets are gone",
  ignore: skipUnless("two homes", browserProblem()),
  async fn() {
    await using test = await openPageTest();
    const { server } = test;
    const page = await test.newPage();
    await signIn(page, server, "chats");

    const story = await ask(page, "Tell me a story about a fox and a lantern.");
    assert.match(story.facts, /on the server/);
    assert.match(story.facts, /wasm/);
    assert(story.text.length > 100, story.text);
    const cell = await (await server.fetch("/api/plugins/llmserver")).json() as PluginView;
    assert.equal(cell.status, "running");

    await page.getByRole("radio", { name: "This browser" }).check({ force: true });
    await untilInPage(
      page,
      `document.querySelector("bkg-app").app.homes.state("llmserver").kind === "browser"`,
    );
    const local = await inPage<PluginView>(page, `homes.local.get("llmserver")`);
    assert.match(local.bundleDigest ?? "", /^sha256:[0-9a-f]{64}$/);
    assert.equal(local.bundleDigest, cell.bundleDigest);
    const here = await ask(page, "Tell me a story about a bear and a boat.");
    assert.match(here.facts, /in this browser/);

    const stopped = await server.fetch("/api/plugins/llmserver/stop", { method: "POST" });
    assert.equal((await stopped.json() as PluginView).status, "stopped");
    await page.context().setOffline(true);
    await page.route("**/*", (route) => route.abort());
    const alone = await ask(page, "Tell me a story about a cat and a kite.");
    assert.match(alone.facts, /in this browser/);
    assert.match(alone.facts, /wasm/);
    assert(alone.text.length > 100, alone.text);
    assert.notEqual(alone.text, here.text);
    // What the page asks of its server meanwhile comes to nothing, and to nothing else.
    assert.deepEqual(test.problems.filter((text) => !/net::ERR_/.test(text)), []);
  },
});

Deno.test({
  name: "what the browser holds is shown with its size, kept while in use, and removed on demand",
  ignore: skipUnless("models in the browser", browserProblem()),
  async fn() {
    await using test = await openPageTest();
    const page = await test.newPage();
    await signIn(page, test.server, "dashboard");
    await page.getByText("demo-stories").waitFor();
    assert.equal(await page.getByText("Models in this browser").count(), 0);
    await inPage(page, `(await host()).fetchModel("demo-stories-q8_0")`);
    await page.reload();
    await page.getByRole("heading", { name: "Models in this browser" }).waitFor();
    await page.getByText(/in use; the browser allows about/).waitFor();
    await page.getByRole("button", { name: "Remove demo-stories-q8_0 from this browser" }).click();
    await page.getByRole("heading", { name: "Models in this browser" }).waitFor({
      state: "hidden",
    });
    assert.deepEqual(await inPage(page, `(await (await host()).storage()).models`), []);
    assert.deepEqual(test.problems, []);
  },
});

/** Sends a question and waits for the whole answer. */
async function ask(page: Page, question: string): Promise<{ text: string; facts: string }> {
  const made = page.getByRole("list", { name: "How this answer was made" });
  const before = await made.count();
  await page.getByRole("textbox", { name: /message|ask/i }).fill(question);
  await page.keyboard.press("Enter");
  await made.nth(before).waitFor({ timeout: 60_000 });
  const message = page.locator("bkg-message").last();
  return {
    text: await message.locator("bkg-markdown").evaluate((element) =>
      element.shadowRoot?.textContent ?? ""
    ),
    facts: await made.nth(before).innerText(),
  };
}
