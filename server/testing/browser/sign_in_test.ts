// Signing in and out, as a person at a browser does it.

import assert from "node:assert/strict";
import type { Page } from "playwright-core";
import { skipUnless } from "../require.ts";
import { findAccessibilityProblems } from "./accessibility.ts";
import { browserProblem, openPageTest, type PageTest } from "./browser.ts";

const name = "signing in at the page";
const ignore = skipUnless(name, browserProblem());

Deno.test({ name, ignore }, async (t) => {
  await using test = await openPageTest();

  await t.step(
    "a used code says so, keeps the asked page, and a pasted link leads there",
    async () => {
      const page = await test.newPage();
      const code = await makeCode(test);
      await exchange(test, code);
      const sent: string[] = [];
      page.on(
        "request",
        (request) => sent.push(`${request.url()} ${request.headers()["referer"]}`),
      );
      await page.goto(`${test.server.url}/plugins#code=${code}`);
      await page.getByRole("alert").filter({ hasText: "wrong, used or expired" }).waitFor();
      assert.equal(page.url(), `${test.server.url}/plugins`);
      assert.equal(
        sent.some((line) => line.includes(code)),
        false,
      );
      assert.equal(await page.evaluate("location.hash + history.length"), "2");

      const field = page.getByLabel("Sign-in link or code");
      await field.fill("no such thing");
      await page.keyboard.press("Enter");
      await page.getByRole("alert").filter({ hasText: "no sign-in link or code" }).waitFor();
      await field.fill(`${test.server.url}/#code=${await makeCode(test)}`);
      await page.keyboard.press("Enter");
      await page.getByRole("heading", { level: 1, name: "Plugins" }).waitFor();
      assert.equal(page.url(), `${test.server.url}/plugins`);
      expectRefusal(test);

      // The same link once more, as from the history: who is signed in stays so.
      await page.goto(`${test.server.url}/#code=${code}`);
      await page.getByRole("heading", { level: 1, name: "Dashboard" }).waitFor();
      assert.equal(page.url(), `${test.server.url}/dashboard`);
      expectRefusal(test);
      await page.context().close();
    },
  );

  await t.step("every tab follows a sign-out, and a session that ends on the server", async () => {
    const page = await test.newPage();
    await open(page, test, "dashboard");
    const other = await page.context().newPage();
    await other.goto(`${test.server.url}/plugins`);
    await other.getByRole("heading", { level: 1, name: "Plugins" }).waitFor();
    const token = await page.evaluate(() =>
      (JSON.parse(localStorage.getItem("bkg.session")!) as { token: string }).token
    );
    await page.getByRole("button", { name: /operator/ }).click();
    await page.getByText("Sign out").click();
    await page.getByRole("heading", { name: "Sign in to bkg" }).waitFor();
    await other.getByRole("alert").filter({ hasText: "another tab" }).waitFor();
    assert.equal(await page.evaluate(() => localStorage.getItem("bkg.session")), null);
    const authorization = `Bearer ${token}`;
    const refused = await fetch(`${test.server.url}/auth/me`, { headers: { authorization } });
    assert.equal(refused.status, 401);
    await refused.body?.cancel();

    // Signed in again in one tab, the other goes on where it was.
    await open(page, test, "dashboard");
    await other.getByRole("heading", { level: 1, name: "Plugins" }).waitFor();
    const bearer = await page.evaluate(() =>
      (JSON.parse(localStorage.getItem("bkg.session")!) as { token: string }).token
    );
    await end(test, bearer);
    for (const tab of [page, other]) {
      await tab.getByRole("alert").filter({ hasText: "sign in again" }).waitFor();
    }
    await page.context().close();
  });

  await t.step("without storage a person is signed in as long as the page is open", async () => {
    const page = await test.newPage();
    await page.addInitScript(() =>
      Object.defineProperty(globalThis, "localStorage", {
        get() {
          throw new DOMException("The operation is insecure", "SecurityError");
        },
      })
    );
    await open(page, test, "plugins");
    await page.reload();
    await page.getByRole("heading", { name: "Sign in to bkg" }).waitFor();
    await page.context().close();
  });

  await t.step("the page is accessible, in light and dark, and fits a small phone", async () => {
    for (const colorScheme of ["light", "dark"] as const) {
      const viewport = { width: 320, height: 640 };
      const page = await test.newPage({ colorScheme, viewport });
      await page.goto(`${test.server.url}/chats`);
      const field = page.getByLabel("Sign-in link or code");
      await field.fill("no such thing");
      await page.keyboard.press("Enter");
      await page.getByRole("alert").filter({ hasText: "no sign-in link or code" }).waitFor();
      assert.deepEqual(await findAccessibilityProblems(page), []);
      assert.ok(await page.evaluate("document.documentElement.scrollWidth <= innerWidth"));
      await page.context().close();
    }
  });

  // The browser tells of every 401, and some come after what asked for them is over.
  assert.deepEqual(test.problems.filter((text) => !/status of 401/.test(text)), []);
});

/** The browser itself writes one line about each refused exchange. */
function expectRefusal(test: PageTest): void {
  const refusals = test.problems.splice(0);
  assert.equal(refusals.length, 1, refusals.join("\n"));
  assert.match(refusals[0]!, /401/);
}

async function open(page: Page, test: PageTest, path: string): Promise<void> {
  await page.goto(`${test.server.url}/${path}#code=${await makeCode(test)}`);
  const title = path[0]!.toUpperCase() + path.slice(1);
  await page.getByRole("heading", { level: 1, name: title }).waitFor();
}

async function makeCode({ server }: PageTest): Promise<string> {
  const response = await server.fetch("/auth/codes", { method: "POST" });
  return (await response.json() as { code: string }).code;
}

async function exchange({ server }: PageTest, code: string): Promise<void> {
  const headers = { "content-type": "application/json" };
  const body = JSON.stringify({ code });
  await (await server.fetch("/auth/login", { method: "POST", headers, body })).text();
}

async function end({ server }: PageTest, token: string): Promise<void> {
  const headers = { authorization: `Bearer ${token}` };
  await (await fetch(`${server.url}/auth/logout`, { method: "POST", headers })).text();
}
