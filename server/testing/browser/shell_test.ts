// The page's shell, its dashboard and its list of plugins, in a real Chromium on a server as a person starts it.

import assert from "node:assert/strict";
import type { Page } from "playwright-core";
import { skipUnless } from "../require.ts";
import { startServer } from "../server_process.ts";
import { findAccessibilityProblems } from "./accessibility.ts";
import { browserProblem, openPageTest, type PageTest, signIn } from "./browser.ts";
import { type ExamplePlugin, writeExamplePlugins } from "./example_plugins.ts";

const hostile: readonly ExamplePlugin[] = [
  {
    id: "endless",
    name: "W".repeat(100),
    description: "x".repeat(2000),
    version: `1.0.0-${"9".repeat(90)}`,
  },
  { id: "markup", name: `<img src=x onerror="document.title='owned'">` },
  { id: "turned", name: "\u202egnp.exe\u2066", description: "\u202e".repeat(50), browser: true },
  { id: "emoji", name: "🧑‍🚀".repeat(20) },
  { id: "asks", permissions: { fetch: ["api.example.org"] } },
  { id: "broken", setup: `throw new Error("no luck ".repeat(300));` },
];

Deno.test({
  name: "pages: no axe violation, no sideways scrolling, light and dark, desk and phone",
  ignore: skipUnless("accessibility of pages", browserProblem()),
  async fn() {
    await using test = await openHostile();
    await test.server.fetch("/api/plugins/broken/start", { method: "POST" });
    for (const colorScheme of ["light", "dark"] as const) {
      for (const width of [1280, 900, 360]) {
        const page = await test.newPage({
          colorScheme,
          viewport: { width, height: 800 },
        });
        await page.goto("/");
        await page.getByRole("heading", { level: 1, name: "Sign in" }).waitFor();
        await check(page, `sign-in ${colorScheme} ${width}`);
        await signIn(page, test.server, "dashboard");
        await page.getByText("demo-stories").waitFor();
        await check(page, `dashboard ${colorScheme} ${width}`);
        await page.getByRole("button", { name: "admin" }).click();
        await check(page, `menu ${colorScheme} ${width}`);
        await page.goto("/plugins");
        await page.getByRole("row").nth(3).waitFor();
        await check(page, `plugins ${colorScheme} ${width}`);
        assert.notEqual(await page.title(), "owned");
        await page.context().close();
      }
    }
  },
});

Deno.test({
  name: "shell: where one wanted to go is where one is after signing in, and after signing out",
  ignore: skipUnless("signing in", browserProblem()),
  async fn() {
    await using test = await openPageTest();
    const page = await test.newPage();
    await page.goto("/plugins");
    await page.getByRole("heading", { level: 1, name: "Sign in" }).waitFor();
    const { code } = await (await test.server.fetch("/auth/codes", { method: "POST" })).json();
    await page.getByRole("textbox").fill(code);
    await page.getByRole("textbox").press("Enter");
    await page.getByRole("heading", { level: 1, name: "Plugins" }).waitFor();
    assert.equal(await page.title(), "Plugins · bkg");
    await page.getByRole("button", { name: "admin" }).click();
    await page.getByRole("button", { name: "Sign out" }).click();
    await page.getByRole("heading", { level: 1, name: "Sign in" }).waitFor();
    assert.equal(new URL(page.url()).pathname, "/plugins");
    assert.deepEqual(test.problems, []);
  },
});

Deno.test({
  name:
    "shell: a page change names the document, marks its link and moves the focus to the heading",
  ignore: skipUnless("page changes", browserProblem()),
  async fn() {
    await using test = await openPageTest();
    const page = await test.newPage({ viewport: { width: 1280, height: 300 } });
    // No newcomer.
    await page.addInitScript(`localStorage.setItem("bkg.welcome.dismissed", "1")`);
    await signIn(page, test.server, "");
    await until(page, `document.title === "Dashboard · bkg"`);
    assert.equal(new URL(page.url()).pathname, "/dashboard");
    await page.mouse.wheel(0, 400);
    await page.getByRole("link", { name: "Plugins", exact: true }).click();
    await until(page, `document.title === "Plugins · bkg" && (${focused}) === "H1 Plugins"`);
    assert.equal(await page.evaluate("scrollY"), 0);
    assert.equal(
      await page.getByRole("link", { name: "Plugins", exact: true }).getAttribute("aria-current"),
      "page",
    );
    await page.goBack();
    await until(page, `document.title === "Dashboard · bkg" && (${focused}) === "H1 Dashboard"`);
    await page.reload();
    await page.getByRole("heading", { level: 1, name: "Dashboard" }).waitFor();
    await page.keyboard.press("Tab");
    assert.equal(await page.evaluate(focused), "BUTTON Skip to content");
    await page.keyboard.press("Enter");
    assert.match(await page.evaluate(focused) as string, /^MAIN/);
    assert.deepEqual(test.problems, []);
  },
});

Deno.test({
  name: "shell: a page that comes late does not replace the one that was asked for after it",
  ignore: skipUnless("late pages", browserProblem()),
  async fn() {
    await using test = await openPageTest();
    const page = await test.newPage();
    await signIn(page, test.server, "dashboard");
    const late = Promise.withResolvers<void>();
    await page.route("**/bkg-plugins-*.js", async (route) => {
      await late.promise;
      await route.continue();
    });
    await page.getByRole("link", { name: "Plugins", exact: true }).click();
    await page.getByRole("link", { name: "Chats", exact: true }).click();
    await until(page, `document.title.startsWith("Chats")`);
    const came = page.waitForResponse("**/bkg-plugins-*.js");
    late.resolve();
    await came;
    await page.waitForTimeout(200);
    assert.match(await page.title(), /^Chats/);
    assert.equal(await page.getByRole("heading", { level: 1, name: "Plugins" }).count(), 0);
  },
});

Deno.test({
  name: "shell: a page whose script is gone says so, and a reload shows it",
  ignore: skipUnless("pages that do not load", browserProblem()),
  async fn() {
    await using test = await openPageTest();
    const page = await test.newPage();
    await signIn(page, test.server, "dashboard");
    await page.route("**/bkg-plugins-*.js", (route) => route.fulfill({ status: 404 }));
    await page.getByRole("link", { name: "Plugins", exact: true }).click();
    await page.getByText("This page did not load").waitFor();
    await page.getByRole("link", { name: "Dashboard", exact: true }).click();
    await page.getByRole("heading", { level: 2, name: "Models" }).waitFor();
    await page.getByRole("link", { name: "Plugins", exact: true }).click();
    await page.unroute("**/bkg-plugins-*.js");
    await page.getByRole("button", { name: "Reload" }).click();
    await page.getByRole("row", { name: "LLM server" }).waitFor();
  },
});

Deno.test({
  name: "shell: says that the server is gone and that it is back, and nothing moves",
  ignore: skipUnless("a lost server", browserProblem()),
  async fn() {
    await using test = await openPageTest();
    const { dataDir, url } = test.server;
    const page = await test.newPage();
    await signIn(page, test.server, "plugins");
    const row = page.getByRole("row", { name: "LLM server" });
    const before = await row.boundingBox();
    await test.server.end("SIGTERM");
    await page.getByText("The server is not reachable").waitFor();
    assert.deepEqual(await row.boundingBox(), before);
    await using _again = await startServer({ dataDir, env: { BKG_PORT: new URL(url).port } });
    await page.getByText("Connected again").waitFor();
    assert.deepEqual(await row.boundingBox(), before);
  },
});

Deno.test({
  name: "first visit: at most 200 KB of scripts, and no layout shift",
  ignore: skipUnless("the first visit", browserProblem()),
  async fn() {
    await using test = await openPageTest();
    const first = await test.newPage();
    await signIn(first, test.server, "dashboard");
    const session = await first.evaluate(`localStorage.getItem("bkg.session")`);
    const page = await test.newPage();
    await page.addInitScript(`
      localStorage.setItem("bkg.session", ${JSON.stringify(session)});
      globalThis.shifts = 0;
      new PerformanceObserver((list) => {
        for (const entry of list.getEntries()) shifts += entry.value;
      }).observe({ type: "layout-shift", buffered: true });
    `);
    await page.goto("/dashboard");
    await page.getByRole("heading", { name: "LLM server" }).waitFor();
    await page.getByText("demo-stories").waitFor();
    await page.waitForTimeout(300);
    assert.equal(await page.evaluate("shifts"), 0);
    const bytes = await page.evaluate(`performance.getEntriesByType("resource")
      .filter(({ name }) => name.endsWith(".js"))
      .reduce((sum, { encodedBodySize }) => sum + encodedBodySize, 0)`) as number;
    assert(bytes > 10_000 && bytes < 200_000, `${bytes} bytes`);
    assert.deepEqual(test.problems, []);
  },
});

Deno.test({
  name: "plugins: found by name and status, started and stopped; what fails is told in its row",
  ignore: skipUnless("the list of plugins", browserProblem()),
  async fn() {
    await using test = await openHostile();
    const page = await test.newPage();
    await signIn(page, test.server, "plugins");
    const rows = page.getByRole("table").getByRole("rowheader");
    await page.getByRole("row", { name: "LLM server" }).waitFor();
    const { plugins } = await (await test.server.fetch("/api/plugins")).json() as {
      plugins: unknown[];
    };
    assert(plugins.length > hostile.length);
    assert.equal(await rows.count(), plugins.length);

    await page.getByRole("searchbox", { name: "Search by name" }).fill("no such plugin");
    await page.getByText("No plugin matches").waitFor();
    await page.getByRole("button", { name: "Show all plugins" }).click();
    assert.equal(await rows.count(), plugins.length);

    await page.getByRole("button", { name: /^Start 🧑/ }).click();
    await page.getByRole("button", { name: /^Stop 🧑/ }).waitFor();
    await page.getByRole("radio", { name: /^Running/ }).check({ force: true });
    assert.equal(await rows.count(), 1);
    await page.getByRole("button", { name: /^Stop 🧑/ }).click();
    await page.getByText("No plugin matches").waitFor();
    await page.getByRole("radio", { name: /^All/ }).check({ force: true });

    await page.getByRole("button", { name: "Start broken" }).click();
    const notice = page.getByRole("table").getByRole("alert");
    await notice.getByText("no luck").waitFor();
    assert((await notice.textContent() ?? "").length < 2500);
    await notice.getByRole("button", { name: "Dismiss" }).click();
    await notice.waitFor({ state: "detached" });
  },
});

Deno.test({
  name: "dashboard: tells which plugin is in error, and the command for missing permissions",
  ignore: skipUnless("the dashboard", browserProblem()),
  async fn() {
    await using test = await openHostile();
    const page = await test.newPage();
    await signIn(page, test.server, "dashboard");
    await page.getByText("bkg plugin grant asks").waitFor();
    assert.equal(await page.getByText("has stopped with an error").count(), 0);
    await test.server.fetch("/api/plugins/broken/start", { method: "POST" });
    await page.getByText("has stopped with an error").waitFor();
    const spoken = await page.evaluate(`document.documentElement.scrollWidth - innerWidth`);
    assert((spoken as number) <= 0);
  },
});

async function openHostile(): Promise<PageTest> {
  const folder = await Deno.makeTempDir({ prefix: "bkg-plugins-" });
  try {
    await writeExamplePlugins(folder, hostile);
    const test = await openPageTest({ env: { BKG_PLUGIN_PATHS: folder } });
    return {
      ...test,
      async [Symbol.asyncDispose]() {
        await test[Symbol.asyncDispose]();
        await Deno.remove(folder, { recursive: true });
      },
    };
  } catch (error) {
    await Deno.remove(folder, { recursive: true });
    throw error;
  }
}

async function check(page: Page, what: string): Promise<void> {
  const over = await page.evaluate("document.documentElement.scrollWidth - innerWidth") as number;
  assert(over <= 0, `${what} is ${over} px too wide`);
  assert.deepEqual(await findAccessibilityProblems(page), [], what);
}

/** The innermost element that has the focus: its name and its text. */
const focused = `(() => {
  let element = document.activeElement;
  while (element?.shadowRoot?.activeElement) element = element.shadowRoot.activeElement;
  return element.tagName + " " + element.textContent.trim();
})()`;

/** Waits until `expression` is true. Playwright's own way needs an eval, which the page refuses. */
async function until(page: Page, expression: string): Promise<void> {
  const deadline = performance.now() + 10_000;
  while (await page.evaluate(expression) !== true) {
    if (performance.now() > deadline) throw new Error(`Not within 10 s: ${expression}`);
    await page.waitForTimeout(20);
  }
}
