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
      await page.getByRole("heading", { level: 1, name: "Your first model" }).waitFor();
      assert.equal(page.url(), `${test.server.url}/welcome`);
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
    await page.getByRole("button", { name: /admin/ }).click();
    const ended = page.waitForResponse(/\/auth\/logout$/);
    await page.getByText("Sign out").click();
    await page.getByRole("heading", { name: "Sign in to bkg" }).waitFor();
    await other.getByRole("alert").filter({ hasText: "another tab" }).waitFor();
    assert.equal(await page.evaluate(() => localStorage.getItem("bkg.session")), null);
    await ended;
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

const passwords = "signing in with a password at the page";

Deno.test({ name: passwords, ignore: skipUnless(passwords, browserProblem()) }, async (t) => {
  const adminPassword = "a horse with a battery";
  await using test = await openPageTest({ env: { BKG_ADMIN_PASSWORD: adminPassword } });
  const heading = (page: Page, name: string) => page.getByRole("heading", { level: 1, name });
  const stored = (page: Page) =>
    page.evaluate(() => JSON.parse(localStorage.getItem("bkg.session")!) as Stored);

  await t.step("a wrong password says so, and a right one leads to the asked page", async () => {
    const page = await test.newPage();
    await page.goto(`${test.server.url}/plugins`);
    await page.getByLabel("Name").fill("admin");
    await page.getByLabel("Password", { exact: true }).fill("wrong");
    await page.keyboard.press("Enter");
    await page.getByRole("alert").filter({ hasText: "name or the password is wrong" }).waitFor();
    expectRefusal(test);
    await page.getByLabel("Password", { exact: true }).fill(adminPassword);
    await page.getByRole("button", { name: "Sign in", exact: true }).click();
    await heading(page, "Plugins").waitFor();
    assert.equal((await stored(page)).principal.name, "admin");
    await page.context().close();
  });

  await t.step(
    "one form leads to the other, and both are accessible on a small phone",
    async () => {
      for (const colorScheme of ["light", "dark"] as const) {
        const page = await test.newPage({ colorScheme, viewport: { width: 320, height: 640 } });
        await page.goto(`${test.server.url}/chats`);
        await page.getByLabel("Name").waitFor();
        assert.deepEqual(await findAccessibilityProblems(page), []);
        await page.getByRole("button", { name: "Sign in", exact: true }).click();
        await page.getByRole("alert").filter({ hasText: "Type your name" }).waitFor();
        await page.getByRole("button", { name: "Sign in with a link or code" }).click();
        await page.getByLabel("Sign-in link or code").waitFor();
        assert.equal(await page.locator("bkg-sign-in").getByRole("alert").textContent(), "");
        assert.deepEqual(await findAccessibilityProblems(page), []);
        await page.getByRole("button", { name: "Sign in with a password" }).click();
        await page.getByLabel("Name").waitFor();
        assert.ok(await page.evaluate("document.documentElement.scrollWidth <= innerWidth"));
        await page.context().close();
      }
    },
  );

  await t.step("an invitation asks for a password, and who is signed in may stay so", async () => {
    const link = await invite(test, "eve");
    const admin = await test.newPage();
    await open(admin, test, "plugins");
    await admin.goto(link);
    await heading(admin, "Welcome to bkg").waitFor();
    await admin.getByRole("button", { name: "Stay signed in as admin" }).click();
    await heading(admin, "Your first model").waitFor();
    await admin.context().close();

    const page = await test.newPage();
    await page.goto(link);
    await heading(page, "Welcome to bkg").waitFor();
    assert.equal(new URL(page.url()).hash, "");
    assert.deepEqual(await findAccessibilityProblems(page), []);
    const field = page.getByLabel("Choose a password");
    await field.fill("short");
    await page.keyboard.press("Enter");
    await page.getByRole("alert").filter({ hasText: "at least 10 characters" }).waitFor();
    await field.fill("some words of eve");
    await page.getByRole("button", { name: "Set the password and sign in" }).click();
    await page.getByRole("button", { name: /eve/ }).waitFor();
    assert.equal((await stored(page)).principal.role, "user");
    await page.context().close();

    const late = await test.newPage();
    await late.goto(link);
    await late.getByLabel("Choose a password").fill("some words of mallory");
    await late.keyboard.press("Enter");
    await late.getByRole("alert").filter({ hasText: "wrong, used or expired" }).waitFor();
    await late.context().close();
    const others = test.problems.splice(0).filter((text) => !/status of 40[01]/.test(text));
    assert.deepEqual(others, []);
  });

  await t.step(
    "an access token that has expired is renewed, once for all tabs, unseen",
    async () => {
      const page = await test.newPage();
      await open(page, test, "plugins");
      const first = await stored(page);
      const refreshes: string[] = [];
      page.context().on("request", (request) => {
        if (request.url().endsWith("/auth/refresh")) refreshes.push(request.url());
      });
      // As after a night: the page's clock knows that it is over, or, with the second, does not.
      for (const expiresAtMs of [1, Date.now() + 600_000]) {
        refreshes.length = 0;
        await page.evaluate(
          (next) => localStorage.setItem("bkg.session", next),
          JSON.stringify({ ...await stored(page), token: "x.y.z", expiresAtMs }),
        );
        const other = await page.context().newPage();
        await Promise.all([
          page.goto(`${test.server.url}/plugins`),
          other.goto(`${test.server.url}/plugins`),
        ]);
        for (const tab of [page, other]) {
          await heading(tab, "Plugins").waitFor();
          await tab.getByRole("link", { name: /LLM server/i }).first().waitFor();
        }
        const { token, refreshToken } = await stored(page);
        assert.notEqual(token, "x.y.z");
        assert.notEqual(refreshToken, first.refreshToken);
        assert.equal(refreshes.length, 1);
        await other.close();
      }
      await page.context().close();
      // The second was refused once, which the browser tells.
      const others = test.problems.splice(0).filter((text) =>
        !/401|no valid credentials/.test(text)
      );
      assert.deepEqual(others, []);
    },
  );

  await t.step("a device whose clock is hours wrong signs in and stays so", async () => {
    for (const hours of [-30, 30]) {
      const page = await test.newPage();
      await page.clock.setSystemTime(Date.now() + hours * 3_600_000);
      await open(page, test, "plugins");
      await page.reload();
      await heading(page, "Plugins").waitFor();
      const { expiresAtMs } = await stored(page);
      const leftMs = expiresAtMs - await page.evaluate(() => Date.now());
      assert.ok(leftMs > 13 * 60_000 && leftMs <= 15 * 60_000 + 1000, `${leftMs}`);
      await page.context().close();
    }
  });

  assert.deepEqual(test.problems, []);
});

interface Stored {
  token: string;
  refreshToken: string;
  expiresAtMs: number;
  principal: { name: string; role: string };
}

async function invite({ server }: PageTest, name: string): Promise<string> {
  const headers = { "content-type": "application/json" };
  const body = JSON.stringify({ name, role: "user" });
  const response = await server.fetch("/admin/users", { method: "POST", headers, body });
  const { invitation } = await response.json() as { invitation: { url: string } };
  return invitation.url;
}

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
