// The log of a plugin as a person reads it: found, paused, flooded, and followed over the end of its server.

import assert from "node:assert/strict";
import type { Page } from "playwright-core";
import type { LogLine } from "../../../plugins/runtime/host/host.ts";
import { describeRow } from "../../../ui/components/log_buffer.ts";
import { skipUnless } from "../require.ts";
import { type ServerProcess, startServer } from "../server_process.ts";
import { browserProblem, openPageTest, type PageTest, signIn } from "./browser.ts";
import { until, untilInPage } from "./local_page.ts";
import { callNoisy, noisyId, startNoisy, writeNoisyPlugin } from "./noisy_plugin.ts";

Deno.test({
  name: "bkg-log-view: filters, pauses, and keeps the newest 2,000 lines in few rows",
  ignore: skipUnless("the log of a plugin", browserProblem()),
  async fn(t) {
    await using test = await openNoisy();
    const { server } = test;
    const page = await openLog(test);
    const rows = page.locator("bkg-log-view .line");
    const view = page.locator("bkg-log-view");

    await t.step("text and level choose lines, and without them all are back", async () => {
      const levels = ["debug", "info", "warn", "error"];
      await write(server, {
        lines: Array.from({ length: 20 }, (_, index) => ({
          message: `note ${index} of ${index % 2 === 0 ? "Apples" : "pears"}`,
          level: levels[index % 4],
        })),
      });
      await rows.getByText("note 19 of pears").first().waitFor();
      const find = page.getByRole("searchbox", { name: "Find" });
      await find.fill("aPPles");
      await view.getByText(/^10 of \d+ lines/).waitFor();
      assert.deepEqual(await messages(page), numbers(0, 20, 2).map((n) => `note ${n} of Apples`));
      await chooseLevel(page, "Warnings and up");
      await view.getByText(/^5 of \d+ lines/).waitFor();
      await find.fill("no such line");
      await view.getByText("No line fits the filter").waitFor();
      await find.fill("");
      await chooseLevel(page, "Errors");
      await view.getByText(/^5 of \d+ lines/).waitFor();
      assert.deepEqual(await messages(page), numbers(3, 20, 4).map((n) => `note ${n} of pears`));
      await chooseLevel(page, "All");
      await rows.getByText("note 18 of Apples").first().waitFor();
    });

    await t.step("paused, nothing moves and what comes is counted", async () => {
      await page.getByRole("button", { name: "Pause" }).click();
      const before = await messages(page);
      await write(server, { count: 7 });
      await view.getByText("Paused: 7 new lines").waitFor();
      assert.deepEqual(await messages(page), before);
      await page.getByRole("button", { name: "Go on" }).click();
      await rows.getByText("line 6", { exact: true }).waitFor();
      assert.equal(await view.getByText(/^Paused/).count(), 0);
    });

    await t.step("a flood is followed to its end, and the oldest lines go", async () => {
      await write(server, { count: 2500, from: 1000 });
      await rows.getByText("line 3499", { exact: true }).waitFor();
      await view.getByText(/^2,000 lines/).waitFor();
      assert.ok(await rows.count() < 100);
      assert.equal((await messages(page)).at(-1), "line 3499");
      assert.equal(await page.getByRole("button", { name: "To the newest" }).count(), 0);
      assert.deepEqual(
        (await download(page)).map((line) => line.split(" ").at(-1)),
        numbers(1500, 3500).map(String),
      );
    });

    await t.step(
      "who reads further up goes on reading there, until told to follow again",
      async () => {
        await page.locator("bkg-log-view .log").hover();
        await page.mouse.wheel(0, -5000);
        await page.getByRole("button", { name: "To the newest" }).waitFor();
        await page.waitForTimeout(200);
        const top = await firstVisible(page);
        assert.match(top, /^line \d+$/);
        await write(server, { count: 300, from: 5000 });
        await until(async () => (await download(page)).at(-1)?.endsWith("line 5299") === true);
        assert.equal(await firstVisible(page), top);
        assert.ok(await rows.count() < 100);
        await page.getByRole("button", { name: "To the newest" }).click();
        await rows.getByText("line 5299", { exact: true }).waitFor();
      },
    );

    assert.deepEqual(test.problems, []);
  },
});

Deno.test({
  name:
    "bkg-log-view: a killed server's log goes on by itself, each line once; a gap is shown as one",
  ignore: skipUnless("the log over a restart", browserProblem()),
  async fn(t) {
    await using test = await openNoisy();
    const page = await openLog(test);
    const { dataDir, url } = test.server;
    let { server } = test;
    await using parts = new AsyncDisposableStack();
    parts.defer(async () => void await server.end("SIGKILL"));
    const restart = async () => {
      await server.end("SIGKILL");
      await untilInPage(page, `(${live}).kind === "lost"`);
      server = await startServer({ dataDir, env: { ...test.env, BKG_PORT: new URL(url).port } });
    };

    await t.step("killed and started again", async () => {
      await write(server, { count: 200 });
      await page.getByText("line 199", { exact: true }).waitFor();
      // What was written in its last moments is not on the disk yet, and is no promise.
      await page.waitForTimeout(500);
      await restart();
      await startNoisy(server);
      await write(server, { count: 200, from: 200 });
      await page.getByText("line 399", { exact: true }).waitFor();
      const { lines } = await (await server.fetch(`/api/plugins/${noisyId}/logs?lines=1000`))
        .json() as { lines: LogLine[] };
      const shown = await download(page);
      assert.deepEqual(shown, lines.map((line) => describeRow({ kind: "line", line })));
      const counted = shown.flatMap((line) => /line (\d+)$/.exec(line)?.[1] ?? []);
      assert.deepEqual(counted, numbers(0, 400).map(String));
      assert.equal(await page.getByText("Some lines are missing here").count(), 0);
    });

    await t.step("more lines than the server keeps, while the page was away", async () => {
      await page.context().setOffline(true);
      await restart();
      await startNoisy(server);
      await write(server, { count: 1200, from: 10_000 });
      await page.context().setOffline(false);
      await page.getByText("line 11199", { exact: true }).waitFor();
      const shown = await download(page);
      const gap = shown.findIndex((line) => line.startsWith("---"));
      assert.ok(gap > 0);
      assert.ok(shown[gap - 1]?.endsWith("line 399"), shown[gap - 1]);
      assert.deepEqual(
        shown.slice(gap + 1).map((line) => line.split(" ").at(-1)),
        numbers(10_200, 11_200).map(String),
      );
      await page.getByRole("searchbox", { name: "Find" }).fill("line 399");
      await page.getByText("Some lines are missing here").waitFor();
    });
  },
});

const live = `document.querySelector("bkg-app").app.live.state`;

interface NoisyTest extends PageTest {
  readonly env: Record<string, string>;
}

async function openNoisy(): Promise<NoisyTest> {
  const parts = new AsyncDisposableStack();
  try {
    const folder = await Deno.makeTempDir({ prefix: "bkg-plugins-" });
    parts.defer(() => Deno.remove(folder, { recursive: true }));
    await writeNoisyPlugin(folder);
    const env = { BKG_PLUGIN_PATHS: folder };
    const test = parts.use(await openPageTest({ env }));
    await startNoisy(test.server);
    return { ...test, env, [Symbol.asyncDispose]: () => parts.disposeAsync() };
  } catch (error) {
    await parts.disposeAsync();
    throw error;
  }
}

async function openLog(test: PageTest): Promise<Page> {
  const page = await test.newPage({ viewport: { width: 1280, height: 900 } });
  await signIn(page, test.server, `plugins/${noisyId}`);
  await page.getByRole("tab", { name: "Logs" }).click();
  await page.getByText(/^Ready with/).waitFor();
  return page;
}

function write(server: ServerProcess, input: unknown): Promise<unknown> {
  return callNoisy(server, "noisy.write", input);
}

/** Of the rows that exist, oldest first. */
function messages(page: Page): Promise<string[]> {
  return page.locator("bkg-log-view .line .message").allTextContents();
}

/** The message of the first row that is seen whole. */
async function firstVisible(page: Page): Promise<string> {
  const frame = await page.locator("bkg-log-view .log").boundingBox();
  for (const row of await page.locator("bkg-log-view .line").all()) {
    const { y = -Infinity } = await row.boundingBox() ?? {};
    if (frame !== null && y >= frame.y) return await row.locator(".message").innerText();
  }
  throw new Error("No row is seen");
}

/** Every line that the view's filter shows, as it saves them. */
async function download(page: Page): Promise<string[]> {
  const coming = page.waitForEvent("download");
  await page.getByRole("button", { name: "Download" }).click();
  const text = await Deno.readTextFile(await (await coming).path());
  return text.split("\n").slice(0, -1);
}

async function chooseLevel(page: Page, name: string): Promise<void> {
  await page.getByRole("combobox", { name: "Level" }).click();
  await page.getByRole("option", { name, exact: true }).click();
}

function numbers(from: number, end: number, step = 1): number[] {
  return Array.from({ length: Math.ceil((end - from) / step) }, (_, index) => from + index * step);
}
