// Accounts at the page, as an administrator and a person whom he invites see them, each in a browser of their own.

import assert from "node:assert/strict";
import type { Locator, Page } from "playwright-core";
import { skipUnless } from "../require.ts";
import { findAccessibilityProblems } from "./accessibility.ts";
import { browserProblem, openPageTest, type PageTest, signIn } from "./browser.ts";

const name = "accounts at the page";
const password = "a lantern for the fox";

Deno.test({
  name,
  ignore: skipUnless(name, browserProblem()),
  async fn(t) {
    await using test = await openPageTest();
    const admin = await test.newPage({ reducedMotion: "reduce" });
    const lena = await test.newPage({ reducedMotion: "reduce" });
    await signIn(admin, test.server, "users");
    /** Each builds on the one before. */
    let good = true;
    const step = async (name: string, run: () => Promise<void>) => {
      good = good && await t.step(name, run);
    };

    await step("an invited person chooses a password and sees what the role allows", async () => {
      const link = await inviteUser(admin, "lena");
      await lena.goto(link);
      const fields = lena.locator("input[type=password]");
      await fields.first().waitFor();
      for (const field of await fields.all()) await field.fill(password);
      await lena.keyboard.press("Enter");
      await heading(lena, "Dashboard").waitFor();
      assert.equal(await navigation(lena).getByRole("link", { name: "Users" }).count(), 0);
      assert.equal(await navigation(lena).getByRole("link", { name: "API keys" }).count(), 1);

      await lena.goto(`${test.server.url}/users`);
      await lena.getByText("You may not see this page").waitFor();
      await lena.getByText("users:manage").waitFor();
      assert.deepEqual(await findAccessibilityProblems(lena), []);
      assert.deepEqual(test.problems, []);
    });

    await step("a name that is taken is told at its field", async () => {
      await admin.getByRole("button", { name: "Invite a person" }).click();
      const dialog = dialogOf(admin, "Invite a person");
      await dialog.getByRole("textbox", { name: /^Name/ }).fill("Lena");
      await dialog.getByRole("button", { name: "Make the invitation" }).click();
      await dialog.getByText('The name "lena" is taken').waitFor();
      assert.deepEqual(await findAccessibilityProblems(admin), []);
      await admin.keyboard.press("Escape");
      await dialog.waitFor({ state: "hidden" });
      expectRefusal(test, 409);
    });

    await step(
      "a role: made of rights that are found by words, not saved while wrong",
      async () => {
        await admin.getByRole("tab", { name: "Roles" }).click();
        await admin.getByRole("button", { name: "New role" }).click();
        const dialog = dialogOf(admin, "New role");
        await dialog.getByRole("textbox", { name: "Name" }).fill("guest");
        await dialog.getByRole("searchbox").fill("llm.chat");
        await dialog.getByRole("checkbox", { name: /invoke:llm\.chat/ }).check();
        const save = dialog.getByRole("button", { name: "Make the role" });
        const tokens = dialog.getByRole("spinbutton", { name: "Tokens a day" });
        await tokens.fill("-1");
        await dialog.getByText("Must be a whole number").waitFor();
        assert.equal(await save.isDisabled(), true);
        assert.deepEqual(await findAccessibilityProblems(admin), []);
        await tokens.fill("5000");
        await save.click();
        const row = admin.getByRole("row", { name: /guest/ });
        await row.getByText("5,000 tokens a day").waitFor();
        await row.getByText("invoke:llm.chat").waitFor();
        await row.getByRole("button", { name: "Delete the role guest" }).click();
        await dialogOf(admin).getByRole("button", { name: "Delete" }).click();
        await row.waitFor({ state: "detached" });
        await admin.getByRole("tab", { name: "Users" }).click();
      },
    );

    await step("a role that is given and taken: navigation and pages follow at once", async () => {
      await changeRole(admin, "lena", "admin");
      await lena.goto(`${test.server.url}/users`);
      await lena.getByRole("row", { name: /lena/ }).waitFor();
      await navigation(lena).getByRole("link", { name: "Audit" }).waitFor();

      await changeRole(admin, "lena", "user");
      await lena.getByText("You may not see this page").waitFor();
      await navigation(lena).getByRole("link", { name: "Audit" }).waitFor({ state: "detached" });
      assert.equal(await lena.getByRole("row", { name: /lena/ }).count(), 0);
    });

    await step(
      "a key: made in three steps, works, is not lost by Escape, ends at once",
      async () => {
        await lena.goto(`${test.server.url}/api-keys`);
        await lena.getByText("You have no keys yet").waitFor();
        assert.equal(await lena.getByText("Everyone's").count(), 0);
        const key = await makeKey(lena, "notebook");
        assert.equal(await askModels(test, key), 200);
        const row = lena.getByRole("row", { name: /notebook/ });
        await row.getByText("invoke:llm.*").waitFor();

        await row.getByRole("button", { name: "Revoke notebook" }).click();
        const question = dialogOf(lena, "Revoke notebook?");
        assert.deepEqual(await findAccessibilityProblems(lena), []);
        await question.getByRole("button", { name: "Revoke" }).click();
        await row.waitFor({ state: "detached" });
        assert.equal(await askModels(test, key), 401);
      },
    );

    await step(
      "a rotated key: the new secret works, the old one as long as was chosen",
      async () => {
        const old = await makeKey(lena, "editor");
        await lena.getByRole("button", { name: "Rotate editor" }).click();
        const dialog = dialogOf(lena);
        await dialog.getByRole("radio", { name: /stops working now/ }).check();
        await dialog.getByRole("button", { name: "Make a new secret" }).click();
        const fresh = await takeKey(dialog);
        assert.notEqual(fresh, old);
        assert.deepEqual([await askModels(test, old), await askModels(test, fresh)], [401, 200]);
        test.problems.length = 0;
      },
    );

    await step("the account: a password, where one is signed in, and what was used", async () => {
      await admin.goto(`${test.server.url}/dashboard`);
      await admin.getByRole("link", { name: "Set a password" }).click();
      await heading(admin, "Account").waitFor();
      await admin.getByRole("heading", { name: "Usage" }).waitFor();
      await fill(admin, "New password", "short");
      await admin.getByRole("button", { name: "Set the password" }).click();
      await admin.getByText("It must have at least 10 characters").waitFor();
      for (const label of ["New password", "New password once more"]) {
        await fill(admin, label, password);
      }
      await admin.getByRole("button", { name: "Set the password" }).click();
      await admin.getByText("The password is set").waitFor();
      await admin.getByText("this one", { exact: true }).waitFor();
      await admin.goto(`${test.server.url}/dashboard`);
      await admin.getByRole("heading", { name: "LLM server" }).waitFor();
      assert.equal(await admin.getByRole("link", { name: "Set a password" }).count(), 0);
    });

    await step("a session that is ended elsewhere is signed out there", async () => {
      const other = await test.newPage();
      await signInWith(other, test, { name: "lena", password });
      await heading(other, "Dashboard").waitFor();
      await lena.goto(`${test.server.url}/account`);
      const others = lena.getByRole("button", { name: /^Sign out Chrome.*127\.0\.0\.1/ });
      await others.first().click();
      const question = dialogOf(lena);
      await question.getByRole("button", { name: "Sign out" }).click();
      await question.waitFor({ state: "hidden" });
      await other.getByRole("heading", { name: "Sign in to bkg" }).waitFor();
      await other.context().close();
      test.problems.length = 0;
    });

    await step("settings: the log level changes, what is wrong is told at its field", async () => {
      await admin.goto(`${test.server.url}/settings`);
      const records = admin.getByRole("region", { name: "Records" });
      await records.getByRole("combobox", { name: "Log level" }).click();
      await admin.getByRole("option", { name: "debug" }).click();
      await records.getByRole("button", { name: /^Save/ }).click();
      await records.getByText("Saved, and in force").waitFor();
      assert.deepEqual(await settingOf(test, "logLevel"), { value: "debug", source: "stored" });

      await records.getByRole("spinbutton", { name: "Days of audit" }).fill("0");
      await records.getByRole("button", { name: /^Save/ }).click();
      await records.getByText(/at least 1/).waitFor();
      await records.getByRole("button", { name: "Discard changes" }).click();
      await records.getByRole("button", { name: "Use the default of Log level" }).click();
      await records.getByText("Saved, and in force").waitFor();
      assert.deepEqual(await settingOf(test, "logLevel"), { value: "info", source: "default" });
      // The port is this test's own choice.
      const port = admin.getByRole("region", { name: "Address" }).getByText("BKG_PORT");
      await port.waitFor();
      assert.deepEqual(test.problems, []);
    });

    await step("audit: tells what was done here, by whom, and gives it as a file", async () => {
      await navigation(admin).getByRole("link", { name: "Audit" }).click();
      await heading(admin, "Audit").waitFor();
      for (const action of ["user.create", "user.change", "key.create", "key.revoke"]) {
        await admin.getByRole("button", { name: new RegExp(`^${action} `) }).first().waitFor();
      }
      await admin.getByRole("button", { name: /^key\.revoke / }).click();
      await admin.getByRole("button", { name: /^user\.create / }).first()
        .waitFor({ state: "detached" });
      const row = admin.getByRole("row", { name: /key\.revoke/ });
      assert.equal(await row.count(), 1);
      await row.getByRole("button", { name: /^lena/ }).waitFor();
      const [download] = await Promise.all([
        admin.waitForEvent("download"),
        admin.getByRole("button", { name: "Download CSV" }).click(),
      ]);
      const text = await Deno.readTextFile(await download.path());
      assert.match(text, /key\.revoke/);
      assert.doesNotMatch(text, /user\.create/);
    });

    await step("disabled: signed out at once; deleted: only after the name was typed", async () => {
      await admin.goto(`${test.server.url}/users`);
      await act(admin, "lena", "Disable");
      await dialogOf(admin).getByRole("button", { name: "Disable" }).click();
      await admin.getByRole("row", { name: /lena/ }).getByText("Disabled").waitFor();
      await lena.getByRole("heading", { name: "Sign in to bkg" }).waitFor();

      await act(admin, "lena", "Delete");
      const question = dialogOf(admin, "Delete lena?");
      const go = question.getByRole("button", { name: "Delete" });
      assert.equal(await go.isDisabled(), true);
      assert.deepEqual(await findAccessibilityProblems(admin), []);
      await question.getByRole("textbox").fill("lena");
      await go.click();
      await admin.getByRole("row", { name: /lena/ }).waitFor({ state: "detached" });
      test.problems.length = 0;
    });

    await step("what cannot be loaded says so, and comes when it is tried again", async () => {
      await admin.route("**/admin/users?*", (route) => route.abort());
      await admin.route("**/admin/users", (route) => route.abort());
      await admin.reload();
      const notice = admin.getByRole("alert").filter({ hasText: "The users could not be loaded" });
      await notice.waitFor();
      assert.deepEqual(await findAccessibilityProblems(admin), []);
      await admin.unrouteAll();
      await notice.getByRole("button", { name: "Try again" }).click();
      await admin.getByRole("row", { name: /admin/ }).waitFor();
      test.problems.length = 0;
    });

    await step("strangers' names are text, cut and turned back", async () => {
      const user = {
        id: "u1",
        name: `\u202e<img src=x onerror="document.title='owned'">${"W".repeat(200)}`,
        role: "\u2067role",
        scopes: null,
        limits: null,
        status: "active",
        hasPassword: true,
        createdAtMs: 8.64e15 + 1,
        lastSignInAtMs: 1e300,
      };
      await admin.setViewportSize({ width: 360, height: 780 });
      await admin.route("**/admin/users", (route) => route.fulfill({ json: { users: [user] } }));
      await admin.reload();
      const row = admin.getByRole("row", { name: /<img/ });
      assert.doesNotMatch(await row.innerText(), /[\u202e\u2067]/);
      assert.equal(await admin.title(), "Users · bkg");
      const over = await admin.evaluate("document.documentElement.scrollWidth - innerWidth");
      assert.ok(Number(over) <= 0, `${over} px too wide`);
      assert.deepEqual(await findAccessibilityProblems(admin), []);
      assert.deepEqual(test.problems, []);
    });
  },
});

function heading(page: Page, text: string): Locator {
  return page.getByRole("heading", { level: 1, name: text });
}

function navigation(page: Page): Locator {
  return page.getByRole("navigation", { name: "Main" });
}

/** What is in it is slotted: for the browser's tree of roles within, for selectors beside the dialog itself. */
function dialogOf(page: Page, label?: string): Locator {
  return page.locator(
    label === undefined ? "wa-dialog[open]" : `wa-dialog[open][label="${label}"]`,
  );
}

async function fill(page: Page, label: string, text: string): Promise<void> {
  await page.getByRole("textbox", { name: label, exact: true }).fill(text);
}

/** Answers the link. */
async function inviteUser(page: Page, user: string): Promise<string> {
  await page.getByRole("button", { name: "Invite a person" }).click();
  const dialog = dialogOf(page);
  await dialog.getByRole("textbox", { name: /^Name/ }).fill(user);
  assert.deepEqual(await findAccessibilityProblems(page), []);
  await dialog.getByRole("button", { name: "Make the invitation" }).click();
  const link = await dialog.getByRole("region", { name: "Link" }).innerText();
  assert.deepEqual(await findAccessibilityProblems(page), []);
  await dialog.getByRole("button", { name: "Done" }).click();
  await page.getByRole("row", { name: new RegExp(user) }).getByText("Invited").waitFor();
  return link;
}

async function changeRole(page: Page, user: string, role: string): Promise<void> {
  await page.getByRole("button", { name: `Edit ${user}` }).click();
  const dialog = dialogOf(page);
  await dialog.getByRole("combobox", { name: /^Role/ }).click();
  await page.getByRole("option", { name: role, exact: true }).click();
  await dialog.getByRole("button", { name: "Save" }).click();
  await dialog.waitFor({ state: "hidden" });
}

async function act(page: Page, user: string, what: string): Promise<void> {
  await page.getByRole("button", { name: `More for ${user}` }).click();
  await page.getByRole("menuitem", { name: what }).click();
}

async function makeKey(page: Page, keyName: string): Promise<string> {
  await page.getByRole("button", { name: "Create a key" }).first().click();
  const dialog = dialogOf(page);
  await dialog.getByRole("textbox", { name: /^Name/ }).fill(keyName);
  assert.deepEqual(await findAccessibilityProblems(page), []);
  await dialog.getByRole("button", { name: "Next" }).click();
  await dialog.getByRole("radio", { name: /^Custom/ }).check();
  assert.deepEqual(await findAccessibilityProblems(page), []);
  await dialog.getByRole("radio", { name: /^Chat with models/ }).check();
  await dialog.getByRole("button", { name: "Create the key" }).click();
  return await takeKey(dialog);
}

/** The key that a dialog shows; it stays there until the person said that it is stored. */
async function takeKey(dialog: Locator): Promise<string> {
  const key = await dialog.getByRole("region", { name: "Key" }).innerText();
  const page = dialog.page();
  assert.equal(await dialog.getByRole("button", { name: "Done" }).isDisabled(), true);
  await page.keyboard.press("Escape");
  await dialog.getByText("Store the key first").waitFor();
  assert.deepEqual(await findAccessibilityProblems(page), []);
  await dialog.getByRole("checkbox").check();
  await dialog.getByRole("button", { name: "Done" }).click();
  await dialog.waitFor({ state: "hidden" });
  return key;
}

async function askModels(test: PageTest, key: string): Promise<number> {
  const response = await fetch(`${test.server.url}/v1/models`, {
    headers: { authorization: `Bearer ${key}` },
  });
  await response.body?.cancel();
  return response.status;
}

async function settingOf(
  test: PageTest,
  wanted: string,
): Promise<{ value: unknown; source: string } | undefined> {
  const answer = await (await test.server.fetch("/admin/settings")).json() as {
    settings: { name: string; value: unknown; source: string }[];
  };
  const found = answer.settings.find((setting) => setting.name === wanted);
  return found && { value: found.value, source: found.source };
}

async function signInWith(
  page: Page,
  test: PageTest,
  { name, password }: { name: string; password: string },
): Promise<void> {
  await page.goto(test.server.url);
  await page.getByRole("textbox", { name: /name/i }).fill(name);
  await page.locator("input[type=password]").fill(password);
  await page.keyboard.press("Enter");
}

/** The browser tells of each refused request. */
function expectRefusal(test: PageTest, status: number): void {
  const lines = test.problems.splice(0);
  assert.equal(lines.every((line) => line.includes(`status of ${status}`)), true, lines.join("\n"));
}
