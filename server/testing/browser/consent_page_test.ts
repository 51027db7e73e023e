// Consent on the page: what a stranger's plugin asks for is shown, decided and taken back there, a newer version's
// request too; what changed under one's eyes is refused.

import assert from "node:assert/strict";
import type { PluginGrants, PluginView } from "../../../plugins/runtime/host/host.ts";
import { skipUnless } from "../require.ts";
import { findAccessibilityProblems } from "./accessibility.ts";
import { browserProblem, openPageTest, type PageTest, signIn } from "./browser.ts";
import { writeExamplePlugins } from "./example_plugins.ts";
import { until } from "./local_page.ts";

const markup = `<img id=owned src=x onerror="document.title='owned'">`;
const first = { services: ["models"], models: ["*"], fetch: ["api.example.org"] };
const more = { ...first, files: { read: ["/srv/feeds"] }, commands: [["git", `\u202e${markup}`]] };

Deno.test({
  name: "consent: decided on the page, by parts, and again for a newer version",
  ignore: skipUnless("consent on the page", browserProblem()),
  async fn(t) {
    const folder = await Deno.makeTempDir({ prefix: "bkg-plugins-" });
    await using parts = new AsyncDisposableStack();
    parts.defer(() => Deno.remove(folder, { recursive: true }));
    const write = async (version: string, permissions: Record<string, unknown>) => {
      await Deno.remove(`${folder}/feeds`, { recursive: true }).catch(() => {});
      await writeExamplePlugins(folder, [{ id: "feeds", name: "Feeds", version, permissions }]);
    };
    await write("1.0.0", first);
    const test = parts.use(await openPageTest({ env: { BKG_PLUGIN_PATHS: folder } }));
    const page = await test.newPage();
    await signIn(page, test.server, "plugins");
    const dashboard = page.getByRole("link", { name: "Dashboard", exact: true });
    const toggle = (name: RegExp) => page.getByRole("switch", { name });
    const button = (name: string | RegExp) => page.getByRole("button", { name, exact: true });

    await t.step(
      "the lists say that it needs consent, and lead to where it is decided",
      async () => {
        const row = page.getByRole("row", { name: "Feeds" });
        await row.locator("bkg-plugin-status[status=stopped][waiting]").waitFor();
        await dashboard.click();
        await page.getByRole("link", { name: "Decide on its page" }).click();
        await page.getByRole("heading", { name: "It waits for consent" }).waitFor();
        assert.equal(await page.getByRole("switch").count(), 3);
      },
    );

    await t.step("a start is refused with the reason, and nothing is shown as failed", async () => {
      await button("Start").click();
      await page.getByRole("alert").getByText(/asks for what no administrator has allowed/)
        .waitFor();
      expectRefusal(test, 409);
      await page.getByRole("alert").getByRole("button", { name: "Dismiss" }).click();
      assert.equal(await page.getByText("The plugin ended before").count(), 0);
      assert.equal((await view(test)).status, "stopped");
    });

    await t.step("Keep off disables it, and it asks for no attention any more", async () => {
      await button("Keep off").click();
      await button("Keep off").waitFor({ state: "detached" });
      assert.equal((await view(test)).enabled, false);
      await dashboard.click();
      await page.getByRole("heading", { level: 3, name: "Feeds" }).waitFor();
      assert.equal(await page.getByText("waits for consent").count(), 0);
      await page.goBack();
      await page.getByRole("heading", { name: "It waits for consent" }).waitFor();
    });

    await t.step("what changed since it was shown is not consented to, but shown", async () => {
      await put(test, { services: ["kv"] }, "?consent=unchanged");
      await button("Allow all").click();
      await page.getByRole("alert").getByText(/look at it again/).waitFor();
      expectRefusal(test, 409);
      assert.equal((await grants(test)).consent, "needed");
      await put(test, {}, "?consent=unchanged");
      await page.reload();
    });

    await t.step("a part is allowed by keyboard, and the plugin starts with it", async () => {
      await toggle(/Exchange data.*api\.example\.org/).focus();
      await page.keyboard.press("Space");
      await button("Allow 2 of 3").click();
      await page.getByText("It lacks 1 permission").waitFor();
      const { granted, consent } = await grants(test);
      assert.deepEqual([granted.models, granted.fetch, consent], [["*"], [], "given"]);
      assert.equal((await view(test)).status, "stopped");
      await button("Start").click();
      await page.locator("bkg-plugin-status[status=running]").waitFor();
    });

    await t.step("a newer version's request is shown at once, with what is new in it", async () => {
      await write("2.0.0", more);
      await button("Restart").click();
      await page.getByRole("heading", { name: "Version 2.0.0 waits for consent" }).waitFor();
      expectRefusal(test, 409);
      await page.getByRole("alert").getByRole("button", { name: "Dismiss" }).click();
      const fresh = await page.locator("wa-switch", { hasText: "new" }).allInnerTexts();
      assert.equal(fresh.length, 2);
      assert.equal(await toggle(/Exchange data/).isChecked(), false);
      assert.equal(await toggle(/Read all files in this place/).isChecked(), true);
      assert.equal(await page.locator("#owned").count(), 0);
      for (const width of [1280, 360]) {
        await page.setViewportSize({ width, height: 800 });
        const over = await page.evaluate("document.documentElement.scrollWidth - innerWidth");
        assert.ok(over as number <= 0, `${over} px too wide at ${width}`);
        assert.deepEqual(await findAccessibilityProblems(page), []);
      }
      await page.setViewportSize({ width: 1280, height: 800 });
    });

    await t.step("what runs is revoked while the newer version waits on", async () => {
      await button(/^Revoke Read every model/).click();
      await page.getByText("Revoked").waitFor({ state: "attached" });
      assert.deepEqual((await grants(test)).granted.models, []);
      const { version, status, needsConsent } = await view(test);
      assert.deepEqual([version, status, needsConsent], ["1.0.0", "running", true]);
    });

    await t.step("the newer version runs with what it was allowed", async () => {
      await toggle(/Run this program/).focus();
      await page.keyboard.press("Space");
      await button(/^Allow 2 of 5 and update/).click();
      await page.getByText("2.0.0", { exact: true }).waitFor();
      await until(async () => (await view(test)).version === "2.0.0");
      const { granted, consented, missing } = await grants(test);
      assert.deepEqual(granted.files.read, ["/srv/feeds"]);
      assert.deepEqual([granted.commands, consented?.commands.length, missing.length], [[], 1, 3]);
      assert.equal((await view(test)).needsConsent, false);
      assert.equal(await page.getByText("waits for consent").count(), 0);
    });
    assert.deepEqual(test.problems, []);
    assert.doesNotMatch(await page.title(), /^owned/);
  },
});

/** The browser itself writes one line about a request that was refused. */
function expectRefusal(test: PageTest, status: number): void {
  const refusals = test.problems.splice(0);
  assert.equal(refusals.length, 1, refusals.join("\n"));
  assert.match(refusals[0]!, new RegExp(`status of ${status}`));
}

async function view({ server }: PageTest): Promise<PluginView> {
  return await (await server.fetch("/api/plugins/feeds")).json();
}

async function grants({ server }: PageTest): Promise<PluginGrants> {
  return await (await server.fetch("/api/plugins/feeds/grants")).json();
}

async function put({ server }: PageTest, granted: unknown, query: string): Promise<void> {
  const response = await server.fetch(`/api/plugins/feeds/grants${query}`, {
    method: "PUT",
    headers: { "content-type": "application/json" },
    body: JSON.stringify(granted),
  });
  assert.equal(response.status, 200, await response.text());
}
