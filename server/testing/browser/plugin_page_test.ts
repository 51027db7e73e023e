// The page of a plugin that a stranger wrote: its words stay words, and what one does there is done on the server.

import assert from "node:assert/strict";
import type { Page } from "playwright-core";
import type { PluginTelemetry, PluginView } from "../../../plugins/runtime/host/host.ts";
import { skipUnless } from "../require.ts";
import type { ServerProcess } from "../server_process.ts";
import { browserProblem, openPageTest, type PageTest, signIn } from "./browser.ts";
import { inPage, until } from "./local_page.ts";
import {
  callNoisy,
  hostileLines,
  markup,
  noisyId,
  startNoisy,
  writeNoisyPlugin,
} from "./noisy_plugin.ts";

const secret = "key-that-nobody-sees-again";

Deno.test({
  name: "bkg-plugin: a stranger's plugin",
  ignore: skipUnless("the page of a plugin", browserProblem()),
  async fn(t) {
    const folder = await Deno.makeTempDir({ prefix: "bkg-plugins-" });
    await using parts = new AsyncDisposableStack();
    parts.defer(() => Deno.remove(folder, { recursive: true }));
    await writeNoisyPlugin(folder);
    const test = parts.use(await openPageTest({ env: { BKG_PLUGIN_PATHS: folder } }));
    const { server } = test;
    await startNoisy(server);
    const page = await test.newPage();
    const dialogs: string[] = [];
    page.on("dialog", (dialog) => {
      dialogs.push(dialog.message());
      void dialog.dismiss();
    });
    const received = recordReceived(page);
    await signIn(page, server, `plugins/${noisyId}`);
    const tab = (name: string | RegExp) => page.getByRole("tab", { name }).click();
    const capability = (id: string) => page.locator("details.fold", { hasText: id });

    await t.step(
      "hostile words are text on every tab, and none is wider than the window",
      async () => {
        const heading = page.getByRole("heading", { level: 1, name: /gnp\.exe/ });
        assert.equal(await heading.innerText(), `\ufffdgnp.exe ${markup}`);
        await callNoisy(server, "noisy.write", {
          lines: hostileLines.map((message) => ({ message, fields: { [message]: message } })),
        });
        for (const width of [1280, 360]) {
          await page.setViewportSize({ width, height: 800 });
          for (const name of ["Overview", "Logs", "Capabilities", "Settings", /^Permissions/]) {
            await tab(name);
            if (name === "Logs") {
              const shown = await page.locator("bkg-log-view .line .message").allInnerTexts();
              assert.deepEqual(
                [markup, "\ufffd[31mred\ufffd\ufffd", "first↵second↵third"].filter((text) =>
                  !shown.some((line) => line.startsWith(text))
                ),
                [],
                shown.join("\n"),
              );
              await page.locator("bkg-log-view .line", { hasText: "xxxx" }).click();
              const whole = page.locator("bkg-log-view .detail pre").first();
              assert.equal(await whole.textContent(), "x".repeat(8192));
            }
            if (name === "Capabilities" && width === 1280) {
              for (const id of ["noisy.fail", "noisy.echo"]) {
                await capability(id).locator("summary").first().click();
              }
              await page.getByRole("textbox", { name: "Wide" }).waitFor();
            }
            await page.waitForTimeout(200);
            assert.deepEqual(await findOwned(page), [], String(name));
            assert.ok(
              await page.evaluate("document.documentElement.scrollWidth <= innerWidth"),
              `${name} at ${width}`,
            );
          }
        }
        await page.setViewportSize({ width: 1280, height: 800 });
        assert.doesNotMatch(await page.title(), /^owned/);
        assert.deepEqual(dialogs, []);
        assert.deepEqual(test.problems, []);
      },
    );

    await t.step("a schema that no form can show is written as JSON, and still runs", async () => {
      await tab("Capabilities");
      const echo = capability("noisy.echo");
      await echo.getByText("It has 1000 fields, so it is written as JSON").waitFor();
      await echo.getByText("It holds itself, so it is written as JSON").waitFor();
      assert.ok(await echo.locator("wa-option").count() < 10);
      await echo.getByRole("textbox", { name: "Huge" }).fill("value 4999");
      await echo.getByRole("textbox", { name: "Wide" }).fill('{"f999":"<b id=owned>"}');
      await echo.getByRole("button", { name: "Run", exact: true }).click();
      await echo.getByText("Done", { exact: true }).waitFor();
      const result = await echo.getByRole("group", { name: "Result" }).innerText();
      assert.deepEqual(JSON.parse(result), { wide: { f999: "<b id=owned>" }, huge: "value 4999" });
      assert.deepEqual(await findOwned(page), []);
    });

    await t.step("a stream that is stopped ends on the server, and an error is told", async () => {
      const count = capability("noisy.count");
      await count.getByRole("button", { name: "Run", exact: true }).click();
      await count.getByText(/^\d\d+ items/).waitFor();
      assert.equal((await telemetry(server)).active, 1);
      await count.getByRole("button", { name: "Stop", exact: true }).click();
      await count.getByText("Stopped", { exact: true }).waitFor();
      await until(async () => (await telemetry(server)).active === 0);

      const fail = capability("noisy.fail");
      await fail.getByRole("textbox").fill("{}");
      await fail.getByRole("button", { name: "Run", exact: true }).click();
      const alert = fail.getByRole("alert");
      await alert.getByText("The call failed").waitFor();
      assert.ok((await alert.innerText()).includes(`On purpose: ${markup}`));
      assert.deepEqual(await findOwned(page), []);
      expectRefusal(test, 500);
    });

    await t.step("an example holds the input and no key", async () => {
      const count = capability("noisy.count");
      await count.getByRole("spinbutton", { name: /^To/ }).fill("31337");
      await count.getByRole("radio", { name: "Code" }).check({ force: true });
      const { token } = await storedSession(page);
      await page.context().grantPermissions(["clipboard-read", "clipboard-write"]);
      for (const language of ["curl", "JavaScript", "Python"]) {
        await count.getByRole("radio", { name: language }).check({ force: true });
        await count.getByRole("button", { name: "Copy: Example" }).click();
        const text = await page.evaluate("navigator.clipboard.readText()") as string;
        assert.equal(text, await count.locator("bkg-code-block pre").textContent());
        assert.match(text, /31337/);
        assert.match(text, /TOKEN/);
        assert.ok(!text.includes(token) && !text.includes(server.token));
      }
    });

    await t.step("a wrong setting is told at its field, and nothing is saved", async () => {
      await tab("Settings");
      const threads = page.locator("wa-input", { hasText: "Threads" });
      await threads.getByRole("spinbutton").fill("99");
      await page.getByRole("button", { name: "Save settings" }).click();
      await threads.locator(".issue").getByText(/16/).waitFor();
      assert.equal(await page.getByText("Saved", { exact: true }).count(), 0);
      assert.equal((await config(server)).settings["threads"], 2);
      // What the form lets through, the server's words are shown for, at the same place.
      await page.route("**/config", (route) =>
        route.fulfill({
          status: 400,
          contentType: "application/problem+json",
          body: JSON.stringify({
            status: 400,
            code: "INVALID_INPUT",
            detail: `Settings do not match ${markup}`,
            details: { issues: [{ path: "/threads", message: "must be even" }] },
          }),
        }), { times: 1 });
      await threads.getByRole("spinbutton").fill("3");
      await page.getByRole("button", { name: "Save settings" }).click();
      await threads.locator(".issue").getByText("Must be even").waitFor();
      await page.getByRole("alert").getByText("Nothing was saved").waitFor();
      assert.deepEqual(await findOwned(page), []);
      expectRefusal(test, 400);
    });

    await t.step(
      "saved settings swap the running plugin, and a secret is never shown again",
      async () => {
        await inPage(
          page,
          `void (globalThis.statuses = new Set(), globalThis.unwatch =
        document.querySelector("bkg-app").app.plugins.subscribe(() =>
          statuses.add(document.querySelector("bkg-app").app.plugins.get("${noisyId}").status)))`,
        );
        const form = page.locator("bkg-schema-form#settings");
        await form.getByRole("spinbutton", { name: /Threads/ }).fill("4");
        await form.getByRole("button", { name: "Set API key" }).click();
        await form.getByRole("textbox", { name: /API key/ }).fill(secret);
        await page.getByRole("button", { name: "Save settings" }).click();
        await page.getByText("Saved", { exact: true }).waitFor();
        await form.getByText("Set; it is never shown again").waitFor();
        assert.equal((await page.evaluate(pageText) as string).includes(secret), false);
        await tab("Logs");
        await page.getByText(`Ready with 4 threads, key of ${secret.length}`).waitFor();
        assert.deepEqual(await page.evaluate("[...statuses]"), ["running"]);
        await page.locator("bkg-plugin-status[status=running]").waitFor();

        await page.reload();
        await tab("Settings");
        await page.getByText("Set; it is never shown again").waitFor();
        assert.deepEqual((await config(server)).secretsSet, ["apiKey"]);
        assert.equal((await page.evaluate(pageText) as string).includes(secret), false);
        const texts = await received();
        assert.ok(texts.length > 50 && texts.some((text) => text.includes("Ready with 4 threads")));
        assert.deepEqual(texts.filter((text) => text.includes(secret)), []);
        assert.equal(server.output().includes(secret), false);
      },
    );

    await t.step("permissions are given and taken, one by one", async () => {
      await tab(/^Permissions/);
      const commands = [["git", markup]];
      await page.getByRole("button", { name: /^Grant Exchange data/ }).click();
      await page.getByRole("button", { name: /^Grant Run this program/ }).click();
      await page.getByText("It has every permission that it asks for").waitFor();
      assert.deepEqual(await granted(server), { fetch: ["api.example.org"], commands });
      await page.getByRole("button", { name: /^Revoke Exchange data/ }).click();
      await page.getByText("It lacks 1 permission").waitFor();
      assert.deepEqual(await granted(server), { fetch: [], commands });
      assert.deepEqual(await findOwned(page), []);
    });

    await t.step(
      "restart takes up a new version while the old one finishes its calls",
      async () => {
        await page.getByText("1.2.3", { exact: true }).waitFor();
        const running = callNoisy(server, "noisy.count", { to: 100 });
        await until(async () => (await telemetry(server)).active === 1);
        await writeNoisyPlugin(folder, { version: "1.2.4", name: "Another name" });
        await page.getByRole("button", { name: "Restart", exact: true }).click();
        await page.getByRole("heading", { level: 1, name: "Another name" }).waitFor();
        await page.getByText("1.2.4", { exact: true }).waitFor();
        assert.equal(await page.getByText("1.2.3", { exact: true }).count(), 0);
        assert.equal((await running as unknown[]).length, 100);
        const view = await json<PluginView>(server, `/api/plugins/${noisyId}`);
        assert.deepEqual([view.version, view.status], ["1.2.4", "running"]);
      },
    );

    assert.deepEqual(dialogs, []);
    assert.deepEqual(test.problems, []);
  },
});

/** The browser itself writes one line about a call that was refused. */
function expectRefusal(test: PageTest, status: number): void {
  const refusals = test.problems.splice(0);
  assert.equal(refusals.length, 1, refusals.join("\n"));
  assert.match(refusals[0]!, new RegExp(`status of ${status}`));
}

/** Elements that a stranger's text has become. */
async function findOwned(page: Page): Promise<string[]> {
  return await page.evaluate(`(() => {
    const all = (root) => [...root.querySelectorAll("*")]
      .flatMap((element) => [element, ...element.shadowRoot ? all(element.shadowRoot) : []]);
    return all(document)
      .filter(({ id, attributes }) =>
        id === "owned" || [...attributes].some(({ name }) => name.startsWith("on")))
      .map(({ outerHTML }) => outerHTML.slice(0, 300));
  })()`) as string[];
}

/** All that is written on the page, and in its fields. */
const pageText = `(() => {
  const textOf = (root) => [...root.childNodes].map((node) =>
    (node.nodeValue ?? "") + (node.value ?? "") + (node.shadowRoot ? textOf(node.shadowRoot) : "") +
    textOf(node)).join("\\n");
  return textOf(document);
})()`;

/** Keeps everything that the server sends to the page; the answer waits for what is still on its way. */
function recordReceived(page: Page): () => Promise<string[]> {
  const texts: Promise<string>[] = [];
  page.on("response", (response) => {
    const headers = JSON.stringify(response.headers());
    // The body of a response that was left is gone.
    texts.push(response.text().then((text) => headers + text, () => headers));
  });
  page.on("websocket", (socket) =>
    socket.on(
      "framereceived",
      ({ payload }) => texts.push(Promise.resolve(String(payload))),
    ));
  return () => Promise.all(texts);
}

async function storedSession(page: Page): Promise<{ token: string }> {
  return JSON.parse(await page.evaluate(`localStorage.getItem("bkg.session")`) as string);
}

async function json<Value>(server: ServerProcess, path: string): Promise<Value> {
  return await (await server.fetch(path)).json() as Value;
}

function telemetry(server: ServerProcess): Promise<PluginTelemetry> {
  return json(server, `/api/plugins/${noisyId}/telemetry`);
}

function config(
  server: ServerProcess,
): Promise<{ settings: Record<string, unknown>; secretsSet: string[] }> {
  return json(server, `/api/plugins/${noisyId}/config`);
}

async function granted(server: ServerProcess): Promise<{ fetch: string[]; commands: string[][] }> {
  const { granted } = await json<{ granted: { fetch: string[]; commands: string[][] } }>(
    server,
    `/api/plugins/${noisyId}/grants`,
  );
  return { fetch: granted.fetch, commands: granted.commands };
}
