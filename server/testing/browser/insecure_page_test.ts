// Browsers that keep something back: all that needs only the server works there, and the page says what does not,
// why, and what to do.

import assert from "node:assert/strict";
import type { Page } from "playwright-core";
import { skipUnless } from "../require.ts";
import { findAccessibilityProblems } from "./accessibility.ts";
import { browserProblem, openPageTest, signIn } from "./browser.ts";
import { callInPage, type Completion, greedy, moveToBrowser, tryInPage } from "./local_page.ts";

Deno.test({
  name:
    "plain http under another name: signs in, chats on the server, and says why no plugin runs here",
  ignore: skipUnless("the page over plain http", browserProblem()),
  async fn(t) {
    await using test = await openPageTest({
      env: { BKG_ALLOWED_HOSTS: "bkg.test" },
      browserArgs: ["--host-resolver-rules=MAP bkg.test 127.0.0.1"],
    });
    const { port } = new URL(test.server.url);
    const lan = { ...test.server, url: `http://bkg.test:${port}` };
    const page = await test.newPage({ baseURL: lan.url });

    await t.step("a sign-in link and the live events work", async () => {
      await signIn(page, lan, "plugins");
      assert.equal(await page.evaluate("isSecureContext"), false);
      assert.equal(new URL(page.url()).host, `bkg.test:${port}`);
      await page.getByRole("button", { name: "Start LLM server" }).click();
      await page.getByRole("button", { name: "Stop LLM server" }).waitFor();
      await page.reload();
      await page.getByRole("row", { name: "LLM server" }).waitFor();
    });

    await t.step("the switch is off, and says why and what to do", async () => {
      const why = page.getByText("This page came over plain http from another machine").first();
      await why.waitFor();
      await checkRefusal(page);
      await page.goto(`${lan.url}/plugins/llmserver`);
      await why.waitFor();
      await checkRefusal(page);
      const advice = await page.locator("bkg-home-switch #below").innerText();
      assert.match(advice, new RegExp(`http://localhost:${port}`));
      assert.match(advice, new RegExp(`ssh -L ${port}:127\\.0\\.0\\.1:${port} bkg\\.test`));
      assert.match(advice, /https behind a reverse proxy/);
      assert.deepEqual(await findAccessibilityProblems(page), []);
    });

    await t.step("a chat is answered by the server, and is there after a reload", async () => {
      await page.goto(`${lan.url}/chats`);
      await chat(page);
      await checkRefusal(page);
      await page.reload();
      await page.locator("article.answer .facts").getByText("on the server").waitFor();
    });

    await t.step("copying works without the clipboard's own interface", async () => {
      assert.equal(await page.evaluate("navigator.clipboard"), undefined);
      await page.getByRole("button", { name: "Copy the answer" }).click();
      await page.getByText("Copied", { exact: true }).waitFor();
    });

    // Chromium itself says that it takes the isolation from plain http.
    const isolation = /Cross-Origin-Opener-Policy|Origin-Agent-Cluster/;
    assert.deepEqual(test.problems.filter((text) => !isolation.test(text)), []);
  },
});

const absent = {
  "no private storage": {
    script: "delete StorageManager.prototype.getDirectory;",
    told: "no private storage",
    advice: "Leave the private window",
  },
  "private storage that is refused": {
    script: `StorageManager.prototype.getDirectory =
      () => Promise.reject(new DOMException("denied", "SecurityError"));`,
    told: "no private storage",
    advice: "allow this site to store data",
  },
  "no WebAssembly": {
    script: "delete globalThis.WebAssembly;",
    told: "no Workers or no WebAssembly",
    advice: "Use a current browser",
  },
};

Deno.test({
  name:
    "a browser that lacks what plugins need: chats on the server, and says why no plugin runs here",
  ignore: skipUnless("a browser that lacks something", browserProblem()),
  async fn(t) {
    await using test = await openPageTest();
    for (const [name, { script, told, advice }] of Object.entries(absent)) {
      await t.step(name, async () => {
        const page = await test.newPage();
        await page.addInitScript(script);
        await signIn(page, test.server, "plugins/llmserver");
        await page.getByText(told).waitFor();
        await page.getByText(advice).waitFor();
        await checkRefusal(page);
        const moved = await tryInPage(page, `homes.moveToBrowser("llmserver")`);
        assert.equal(moved.error?.code, "UNSUPPORTED_FEATURE");
        await page.goto(`${test.server.url}/chats`);
        await chat(page);
        assert.deepEqual(test.problems, []);
        await page.context().close();
      });
    }
  },
});

Deno.test({
  name:
    "a page that a proxy took the isolation from: plugins run here in one thread, and it says so",
  ignore: skipUnless("a page without isolation", browserProblem()),
  async fn() {
    await using test = await openPageTest();
    const page = await test.newPage();
    await page.route("**/*", async (route) => {
      if (route.request().resourceType() !== "document") return await route.continue();
      const response = await route.fetch();
      const headers = { ...response.headers() };
      delete headers["cross-origin-opener-policy"];
      delete headers["cross-origin-embedder-policy"];
      await route.fulfill({ response, headers });
    });
    await signIn(page, test.server, "chats");
    assert.equal(await page.evaluate("crossOriginIsolated"), false);
    assert.equal(await page.evaluate("typeof SharedArrayBuffer"), "undefined");
    await moveToBrowser(page, "llmserver");
    const called = await callInPage<Completion>(page, "llm.complete", greedy);
    assert.ok(called.error === undefined, JSON.stringify(called));
    assert.equal(called.value.threads, 1);
    assert.equal(called.value.backend, "wasm");
    await chat(page);
    assert.match(await page.locator("article.answer .facts").innerText(), /in this browser/);
    assert.match(await page.locator("article.answer .facts").innerText(), /wasm, 1 thread\b/);
  },
});

/** The switch stands at the server and cannot be moved. */
async function checkRefusal(page: Page): Promise<void> {
  assert.ok(await page.getByRole("radio", { name: "This browser" }).first().isDisabled());
  assert.ok(await page.getByRole("radio", { name: "Server" }).first().isChecked());
}

/** Asks, and waits for the whole answer. */
async function chat(page: Page): Promise<void> {
  await page.locator("bkg-model-picker").getByText(greedy.model).first().waitFor();
  const area = page.locator("bkg-composer textarea");
  await area.fill("Tell me a story about a fox and a lantern.");
  await area.press("Enter");
  await page.locator("article.answer .facts").getByText(/tokens\/s/).waitFor();
  const text = await page.locator("article.answer .body").innerText();
  assert.ok(text.length > 20, text);
}
