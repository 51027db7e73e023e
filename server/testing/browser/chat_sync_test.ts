// Chats belong to a person: another device shows them, a device that is away goes on, and one that is left keeps none.

import assert from "node:assert/strict";
import type { Page } from "playwright-core";
import { skipUnless } from "../require.ts";
import { findAccessibilityProblems } from "./accessibility.ts";
import { browserProblem, openPageTest, signIn } from "./browser.ts";
import { until } from "./local_page.ts";

Deno.test({
  name: "chats follow their person from device to device",
  ignore: skipUnless("chats on two devices", browserProblem()),
  async fn(t) {
    await using test = await openPageTest();
    const desk = await test.newPage();
    const phone = await test.newPage({ viewport: { width: 1280, height: 800 } });

    await t.step("a chat from before there was a server for them is sent up", async () => {
      // On the page of the sign-in, where nothing has opened the storage yet.
      await desk.goto(`${test.server.url}/sign-in`);
      await desk.evaluate(oldChat);
      await signIn(desk, test.server, "chats");
      await titled(desk, "From before");
      await kept(desk);
      await signIn(phone, test.server, "chats");
      await titled(phone, "From before").click();
      await phone.locator("article.answer").getByText("An old answer").waitFor();
    });

    await t.step("an answer is there on the other device, and goes on from there", async () => {
      await desk.goto(`${test.server.url}/chats`);
      await ask(desk, "Tell me a story about a fox.");
      await sent(desk);
      await lookAgain(phone);
      await titled(phone, "Tell me a story about a fox.").click();
      const answers = phone.locator("article.answer");
      await answers.first().locator(".facts").getByText("tokens/s").waitFor();
      assert.equal(await answerText(phone, 0), await answerText(desk, 0));
      await ask(phone, "And what came then?");
      await sent(phone);
      await lookAgain(desk);
      await desk.locator("article.answer").nth(1).waitFor();
      assert.equal(await answerText(desk, 1), await answerText(phone, 1));
    });

    await t.step(
      "both change one chat, one of them while it is away: both changes stay",
      async () => {
        await phone.context().setOffline(true);
        await rename(phone, "Tell me a story about a fox.", "The fox");
        await phone.getByText("1 chat waits for the server").first().waitFor();
        await ask(desk, "Tell me more.");
        await sent(desk);
        await phone.context().setOffline(false);
        await lookAgain(phone);
        await phone.locator("article.answer").nth(2).waitFor();
        await kept(phone);
        await lookAgain(desk);
        await titled(desk, "The fox").waitFor();
        assert.equal(await desk.locator("article.answer").count(), 3);
        assert.equal(await titled(phone, "The fox").count(), 1);
        test.problems.length = 0;
      },
    );

    await t.step("deleted on one, gone on the other; undone, there again", async () => {
      await titled(desk, "From before").hover();
      await desk.locator("aside").getByRole("button", { name: "Delete From before" }).click();
      await sent(desk);
      await lookAgain(phone);
      await titled(phone, "From before").waitFor({ state: "detached" });
      await desk.getByRole("button", { name: "Undo" }).click();
      await sent(desk);
      await lookAgain(phone);
      await titled(phone, "From before").waitFor();
      // The page meets the deletion that it takes back.
      assert.deepEqual(test.problems.splice(0).filter((text) => !/status of 409/.test(text)), []);
    });

    await t.step("export: one chat to read, all of them in one file", async () => {
      await titled(desk, "The fox").click();
      const one = desk.waitForEvent("download");
      await desk.getByRole("button", { name: "Export this chat" }).click();
      await desk.getByRole("menuitem", { name: /Markdown/ }).click();
      assert.equal((await one).suggestedFilename(), "The-fox.md");
      const text = await Deno.readTextFile(await (await one).path());
      assert.match(text, /^# The fox\n[^]*## Question\n\nTell me a story about a fox\.\n/);
      const all = desk.waitForEvent("download");
      await menu(desk, "Export all chats");
      const { chats } = JSON.parse(await Deno.readTextFile(await (await all).path()));
      assert.deepEqual(chats.map(({ title }: { title: string }) => title).sort(), [
        "From before",
        "The fox",
      ]);
    });

    await t.step(
      "signed out: what the server has is gone here, what it has not waits",
      async () => {
        await phone.context().setOffline(true);
        await rename(phone, "From before", "Not sent");
        await phone.getByText("1 chat waits for the server").first().waitFor();
        await phone.evaluate(`localStorage.setItem("bkg.draft.new.operator", "secret")`);
        await phone.evaluate(`document.querySelector("bkg-app").app.session.signOut()`);
        await until(async () => {
          const held = await phone.evaluate(heldTitles) as string[];
          return held.length === 1 && held[0] === "Not sent";
        });
        assert.equal(await phone.evaluate(`localStorage.getItem("bkg.draft.new.operator")`), null);
        await phone.context().setOffline(false);
        await signIn(phone, test.server, "chats");
        await titled(phone, "The fox").waitFor();
        await kept(phone);
        await lookAgain(desk);
        await titled(desk, "Not sent").waitFor();
        test.problems.length = 0;
      },
    );

    await t.step("delete all: asked first, and gone everywhere", async () => {
      await menu(desk, "Delete all chats");
      const dialog = desk.locator("aside wa-dialog");
      await dialog.getByText("All of your 2 chats").waitFor();
      await desk.waitForTimeout(400);
      assert.deepEqual(await findAccessibilityProblems(desk), []);
      await dialog.getByText("Cancel").click();
      await titled(desk, "The fox").waitFor();
      await desk.waitForTimeout(400);
      await desk.context().setOffline(true);
      await menu(desk, "Delete all chats");
      await dialog.locator("wa-button[variant=danger]").click();
      await dialog.getByText("Nothing was deleted").waitFor();
      await desk.context().setOffline(false);
      await dialog.locator("wa-button[variant=danger]").click();
      await titled(desk, "The fox").waitFor({ state: "detached" });
      await lookAgain(phone);
      await titled(phone, "The fox").waitFor({ state: "detached" });
      assert.deepEqual(await phone.evaluate(heldTitles), []);
      test.problems.length = 0;
    });
    assert.deepEqual(test.problems, []);
  },
});

function titled(page: Page, title: string) {
  return page.locator("aside bkg-chat-list").getByRole("link", { name: title, exact: true });
}

/** Asks, and waits for the whole answer. */
async function ask(page: Page, text: string): Promise<void> {
  const made = page.getByRole("list", { name: "How this answer was made" });
  const before = await made.count();
  const area = page.locator("bkg-composer textarea");
  await area.fill(text);
  await area.press("Enter");
  await made.nth(before).getByText("tokens/s").waitFor({ timeout: 60_000 });
}

function answerText(page: Page, index: number): Promise<string> {
  return page.locator("article.answer .body").nth(index).innerText();
}

async function rename(page: Page, from: string, to: string): Promise<void> {
  await titled(page, from).hover();
  await page.locator("aside").getByRole("button", { name: `Rename ${from}` }).click();
  await page.getByRole("textbox", { name: "New title" }).fill(to);
  await page.keyboard.press("Enter");
  await titled(page, to).waitFor();
}

async function menu(page: Page, item: string): Promise<void> {
  await page.locator("aside").getByRole("button", { name: "All chats" }).click();
  await page.getByRole("menuitem", { name: item }).click();
}

/** What was just changed is sent; it waits for a moment at first. */
async function sent(page: Page): Promise<void> {
  await until(async () => await page.evaluate(unsentCount) !== 0);
  await kept(page);
}

/** Nothing waits in this browser any more. */
async function kept(page: Page): Promise<void> {
  await until(async () => {
    if (await page.evaluate(unsentCount) !== 0) return false;
    return await page.locator("aside").getByText("Kept on your server").count() === 1;
  });
}

/** As when its person comes back to it. */
async function lookAgain(page: Page): Promise<void> {
  await page.evaluate(`dispatchEvent(new Event("online"))`);
}

const openDb = `const open = () => new Promise((resolve, reject) => {
  const request = indexedDB.open("bkg.chats.operator");
  request.onsuccess = () => resolve(request.result);
  request.onerror = () => reject(request.error);
});
const all = (store) => new Promise((resolve) => {
  const request = store.getAll();
  request.onsuccess = () => resolve(request.result);
});`;

const heldTitles = `(async () => {
  ${openDb}
  const db = await open();
  const chats = await all(db.transaction("chats").objectStore("chats"));
  db.close();
  return chats.map(({ title }) => title);
})()`;

const unsentCount = `(async () => {
  ${openDb}
  const db = await open();
  const marks = await all(db.transaction("marks").objectStore("marks"));
  db.close();
  return marks.filter(({ unsent }) => unsent === 1).length;
})()`;

/** As the page kept them when they lived in the browser alone. */
const oldChat = `new Promise((resolve, reject) => {
  const request = indexedDB.open("bkg.chats.operator", 1);
  request.onerror = () => reject(request.error);
  request.onupgradeneeded = () => {
    request.result.createObjectStore("chats", { keyPath: "id" });
    request.result.createObjectStore("messages", { keyPath: "id" })
      .createIndex("chat", ["chatId", "order"]);
  };
  request.onsuccess = () => {
    const db = request.result;
    const transaction = db.transaction(["chats", "messages"], "readwrite");
    const chatId = "0123456789abcdef01234567";
    const at = Date.now() - 1000;
    transaction.objectStore("chats").put({
      id: chatId, title: "From before", createdAtMs: at, updatedAtMs: at, sampling: {},
      model: "demo-stories-q8_0",
    });
    const put = (id, order, role, text) => transaction.objectStore("messages").put({
      id, chatId, order, role, text, createdAtMs: at, state: "done",
    });
    put("aaa", 1, "user", "An old question");
    put("bbb", 2, "assistant", "An old answer");
    transaction.oncomplete = () => { db.close(); resolve(); };
  };
})`;
