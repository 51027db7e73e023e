// The page of models, against a hub of our own: pulled by name with progress that is paused, lost from sight and gone
// on with; chatted with, checked, pinned, deleted; read only, and offline.

import assert from "node:assert/strict";
import { join } from "node:path";
import type { Locator, Page } from "playwright-core";
import { projectRoot } from "../../build/bundles.ts";
import { startHub } from "../hub_server.ts";
import { skipUnless } from "../require.ts";
import { findAccessibilityProblems } from "./accessibility.ts";
import { browserProblem, openPageTest, type PageTest, signIn } from "./browser.ts";
import { looks } from "./page_list.ts";

const name = "models at the page";
const modelId = "fox/Stories-GGUF:Q8_0";
const sharingId = "bartowski/SmolLM2-135M-Instruct-GGUF:Q8_0";
/** As slow as a person needs to see it, and press a button. */
const bytesPerSecond = 600_000;

Deno.test({
  name,
  ignore: skipUnless(name, browserProblem()),
  async fn(t) {
    const bytes = await Deno.readFile(join(projectRoot, "models/demo/demo-stories-q8_0.gguf"));
    await using hub = await startHub({
      files: {
        "fox/Stories-GGUF": { "stories-q8_0.gguf": bytes },
        "fox/Broken-GGUF": { "broken-q8_0.gguf": new Uint8Array(800_000).fill(7) },
        // One of the catalogue, with the bytes of the first.
        "bartowski/SmolLM2-135M-Instruct-GGUF": { "SmolLM2-135M-Instruct-Q8_0.gguf": bytes },
      },
      license: "apache-2.0",
      bytesPerSecond,
    });
    await using test = await openPageTest({
      env: {
        HF_ENDPOINT: hub.url,
        BKG_PRIVATE_HOSTS: "127.0.0.1",
        BKG_MODEL_CACHES: "none",
      },
    });
    const page = await test.newPage({ reducedMotion: "reduce" });
    await signIn(page, test.server, "models");
    /** Each builds on the one before. */
    let good = true;
    const step = async (name: string, run: () => Promise<void>) => {
      good = good && await t.step(name, run);
    };

    await step("what is here, and what could be: clean in light, dark and on a phone", async () => {
      await modelRow(page, "demo-stories-q8_0").getByText("Came with bkg").waitFor();
      for (const look of Object.values(looks)) {
        const other = await test.newPage({ ...look, reducedMotion: "reduce" });
        await signIn(other, test.server, "models");
        await modelRow(other, "demo-stories-q8_0").waitFor();
        assert.deepEqual(await findAccessibilityProblems(other), []);
        await other.getByRole("tab", { name: "Catalogue" }).click();
        await other.getByRole("button", { name: /^Pull .*Qwen2 0\.5B/ }).waitFor();
        assert.match(other.url(), /#catalogue$/);
        assert.deepEqual(await findAccessibilityProblems(other), []);
        assert.equal(await overflow(other), 0);
        await other.context().close();
      }
      assert.deepEqual(test.problems, []);
    });

    await step("the catalogue is found by words and task, and told to be without it", async () => {
      await page.getByRole("tab", { name: "Catalogue" }).click();
      await page.getByRole("radio", { name: "Embedding" }).check({ force: true });
      await page.getByRole("heading", { level: 3, name: /MiniLM/ }).waitFor();
      assert.equal(await page.getByRole("heading", { level: 3, name: /Qwen2 0\.5B/ }).count(), 0);
      await page.getByRole("searchbox", { name: "Search the catalogue" }).fill("no such model");
      await page.getByRole("button", { name: "Show all" }).click();
      await page.getByRole("heading", { level: 3, name: /Qwen2 0\.5B/ }).waitFor();
      await page.getByRole("tab", { name: "Installed" }).click();
    });

    await step("a name that is wrong is told at its field, the hub is not asked", async () => {
      const asked = hub.requests.length;
      await pull(page, "fox/../../etc/passwd");
      await page.getByRole("alert").getByText("owner/name:Q8_0").waitFor();
      await pull(page, "");
      await page.getByRole("alert").getByText("Write which model").waitFor();
      assert.equal(hub.requests.length, asked);
      assert.deepEqual(await findAccessibilityProblems(page), []);
      assert.deepEqual(test.problems, []);
    });

    await step("a name that the hub does not know is told where it was written", async () => {
      await pull(page, "fox/Nothing-GGUF");
      await page.locator("bkg-model-pull").getByRole("alert").getByText(/Nothing-GGUF/).waitFor();
      assert.equal(await sourceField(page).inputValue(), "fox/Nothing-GGUF");
      await page.getByRole("button", { name: "Dismiss fox/Nothing-GGUF" }).click();
      await jobOf(page, "fox/Nothing-GGUF").waitFor({ state: "detached" });
    });

    const seen: number[] = [];
    await step("a pull by name: its progress is paused, and stays after a reload", async () => {
      await pull(page, modelId);
      const job = jobOf(page, modelId);
      await until(async () => await shownPercent(page, modelId) >= 5);
      seen.push(await shownPercent(page, modelId));
      await job.getByRole("button", { name: `Pause ${modelId}` }).click();
      await job.getByText("Paused", { exact: true }).waitFor();
      assert.deepEqual(await findAccessibilityProblems(page), []);
      seen.push(await shownPercent(page, modelId));
      await page.reload();
      await jobOf(page, modelId).getByText("Paused", { exact: true }).waitFor();
      seen.push(await shownPercent(page, modelId));
      assert.ok(seen.at(-1)! < 100);
    });

    await step("it goes on, never back, and is listed everywhere when it is here", async () => {
      const chat = await test.newPage();
      await signIn(chat, test.server, "chats");
      await chat.getByRole("button", { name: "Model: demo-stories-q8_0" }).waitFor();
      await jobOf(page, modelId).getByRole("button", { name: `Resume ${modelId}` }).click();
      await until(async () => {
        const percent = await shownPercent(page, modelId);
        if (percent >= 0) seen.push(percent);
        return percent === 100;
      });
      assert.deepEqual(seen, seen.toSorted((one, other) => one - other));
      await modelRow(page, modelId).getByText("bkg's store").waitFor();
      assert.equal((await test.server.fetch(modelPath)).status, 200);
      assert.deepEqual(await findAccessibilityProblems(page), []);
      await chat.getByRole("button", { name: "Model: demo-stories-q8_0" }).click();
      await chat.getByRole("radio", { name: new RegExp(modelId) }).waitFor();
      await chat.context().close();
      await dismissAll(page);
      assert.deepEqual(test.problems, []);
    });

    await step("one that is here already is not pulled again, but shown", async () => {
      await pull(page, modelId);
      await page.getByText("It is here already").waitFor();
      await page.locator("bkg-model-pull").getByRole("button", { name: modelId }).click();
      await page.locator("wa-drawer[open]").getByText("stories-q8_0.gguf").waitFor();
      await page.keyboard.press("Escape");
      await page.locator("wa-drawer[open]").waitFor({ state: "hidden" });
      await sourceField(page).fill("");
      expectRefusals(test, 409);
    });

    await step("one of the catalogue: its card leads from the pull to a chat", async () => {
      await page.getByRole("tab", { name: "Catalogue" }).click();
      const card = page.getByRole("article", { name: "SmolLM2 135M Instruct" });
      await card.getByRole("button", { name: /^Pull/ }).click();
      await card.getByRole("button", { name: /^Chat/ }).waitFor();
      await card.getByText("Is here").waitFor();
      assert.deepEqual(await findAccessibilityProblems(page), []);
      await page.getByRole("tab", { name: "Installed" }).click();
      await modelRow(page, sharingId).waitFor();
      await dismissAll(page);
    });

    await step("cancelled, tried again, and refused for what it holds: each in words", async () => {
      const source = "fox/Broken-GGUF:Q8_0";
      await pull(page, source);
      const job = jobOf(page, source);
      await until(async () => await shownPercent(page, source) >= 1);
      await job.getByRole("button", { name: `Cancel ${source}` }).click();
      await job.getByText("Cancelled", { exact: true }).waitFor();
      const partials = Deno.readDir(join(test.server.dataDir, "models/partial"));
      assert.deepEqual(await Array.fromAsync(partials), []);
      await job.getByRole("button", { name: `Retry ${source}` }).click();
      await page.getByText("It did not come through", { exact: true }).waitFor();
      await jobOf(page, source).locator(".why").getByText(/GGUF/).waitFor();
      assert.deepEqual(await findAccessibilityProblems(page), []);
      await dismissAll(page);
      assert.deepEqual(test.problems, []);
    });

    await step("its details: files with digests, licence, memory; all by keyboard", async () => {
      await modelRow(page, modelId).getByRole("button", { name: modelId, exact: true })
        .press("Enter");
      const details = page.locator("wa-drawer[open]");
      await details.getByText("stories-q8_0.gguf").waitFor();
      await details.getByText(/^(Fits well|Just fits|Too large)/).waitFor();
      await details.getByText("apache-2.0").waitFor();
      await details.getByText(/^sha256:[0-9a-f]{10}/).waitFor();
      const example = await details.getByRole("region", { name: "Example" }).innerText();
      assert.match(example, /v1\/chat\/completions/);
      assert.ok(example.includes(modelId));
      assert.deepEqual(await findAccessibilityProblems(page), []);
      await page.keyboard.press("Escape");
      await details.waitFor({ state: "hidden" });
    });

    await step("verified: every file is what it should be", async () => {
      await act(page, modelId, "Verify files");
      await page.getByText("Every file is what it should be", { exact: true }).waitFor();
      await page.getByText("1 file checked").click();
      await page.getByText("is whole").waitFor();
      assert.deepEqual(await findAccessibilityProblems(page), []);
      await dismissAll(page);
    });

    await step(
      "trusted after a question, which its row and details tell, and no more",
      async () => {
        const question = page.locator("wa-dialog[open]");
        await act(page, modelId, "Trust for native engines");
        await question.getByText("machine code outside the plugins' sandbox").waitFor();
        assert.deepEqual(await findAccessibilityProblems(page), []);
        await question.getByRole("button", { name: "Trust" }).click();
        await modelRow(page, modelId).getByText("trusted").waitFor();
        await modelRow(page, modelId).getByRole("button", { name: modelId, exact: true }).click();
        const drawer = page.locator("wa-drawer[open]");
        await drawer.getByText("Native engines").waitFor();
        assert.deepEqual(await findAccessibilityProblems(page), []);
        await drawer.getByRole("button", { name: "Trust no more" }).click();
        await drawer.getByText("Not trusted").waitFor();
        await page.keyboard.press("Escape");
        await drawer.waitFor({ state: "hidden" });
        await modelRow(page, modelId).getByText("trusted").waitFor({ state: "detached" });
      },
    );

    await step("the way to a chat has the model chosen, and it answers", async () => {
      await modelRow(page, modelId).getByRole("button", { name: /^Chat with/ }).click();
      await page.getByRole("button", { name: `Model: ${modelId}` }).waitFor();
      await page.getByRole("textbox").first().fill("Tell me a story about a fox.");
      await page.keyboard.press("Enter");
      await page.getByRole("list", { name: "How this answer was made" }).first().waitFor();
      await page.getByRole("link", { name: "Models" }).click();
    });

    await step("one that is in use, or pinned, is not deleted without a word", async () => {
      const question = page.locator("wa-dialog[open]");
      await act(page, modelId, "Delete");
      await question.getByRole("button", { name: "Delete" }).click();
      await question.getByRole("alert").getByText("That did not work").waitFor();
      await question.getByRole("alert").getByText(/in use|is open/).waitFor();
      assert.deepEqual(await findAccessibilityProblems(page), []);
      await page.keyboard.press("Escape");
      await question.waitFor({ state: "hidden" });
      expectRefusals(test, 409);
      await test.server.fetch("/api/plugins/llmserver/stop", { method: "POST" });

      await act(page, modelId, "Pin");
      await modelRow(page, modelId).getByText("pinned").waitFor();
      await act(page, modelId, "Delete");
      await question.getByText("It is pinned").waitFor();
      assert.deepEqual(await findAccessibilityProblems(page), []);
      await page.keyboard.press("Escape");
      await question.waitFor({ state: "hidden" });
      await act(page, modelId, "Unpin");
      await modelRow(page, modelId).getByText("pinned").waitFor({ state: "detached" });
    });

    await step("who may not manage models sees them, and no way to change them", async () => {
      const other = await test.newPage({ reducedMotion: "reduce" });
      await signIn(other, test.server);
      await asRole(other, ["models:read", "invoke:*", "account"]);
      await other.goto(`${test.server.url}/models`);
      await modelRow(other, modelId).waitFor();
      assert.equal(await sourceField(other).count(), 0);
      assert.equal(await other.getByRole("button", { name: /^(Clean up|Pull )/ }).count(), 0);
      await other.getByRole("button", { name: `More for ${modelId}` }).click();
      await other.getByRole("menuitem", { name: "Details" }).waitFor();
      assert.equal(await other.getByRole("menuitem", { name: "Delete" }).count(), 0);
      await other.unrouteAll({ behavior: "ignoreErrors" });
      await other.context().close();
    });

    await step("a file that was altered is found, named as damaged, and pulled anew", async () => {
      await alterBlob(test.server.dataDir);
      await act(page, modelId, "Verify files");
      await page.getByText("Damaged files were found", { exact: true }).waitFor();
      await page.getByText("1 file of 1 damaged").waitFor();
      await modelRow(page, modelId).waitFor({ state: "detached" });
      // The other one is made of the same bytes.
      await page.getByText("2 files not usable").waitFor();
      assert.deepEqual(await findAccessibilityProblems(page), []);
      await dismissAll(page);
      await pull(page, modelId);
      await modelRow(page, modelId).waitFor();
      await modelRow(page, sharingId).waitFor();
      await page.getByText("2 files not usable").waitFor({ state: "detached" });
    });

    await step("cleaning up says first what would go, and only then lets it go", async () => {
      // What is younger than an hour is nobody's garbage, so the server's answers are stood in for.
      const asked: unknown[] = [];
      const freedBytes = 3 * 1024 * 1024;
      await page.route("**/api/models/disk", async (route) => {
        const disk = await (await route.fetch()).json() as object;
        await route.fulfill({ json: { ...disk, reclaimableBytes: freedBytes } });
      });
      await page.route("**/api/models/gc", (route) => {
        asked.push(route.request().postDataJSON());
        return route.fulfill({ json: { freedBytes, models: [], blobs: 1, partials: 2 } });
      });
      await page.getByRole("button", { name: "Look again" }).click();
      await page.getByText("3 MiB can be cleaned up").waitFor();
      await page.getByRole("button", { name: "Clean up" }).click();
      const question = page.locator("wa-dialog[open]");
      await question.getByText(/1 file that no model needs and .* 2 broken-off downloads: 3 MiB/)
        .waitFor();
      assert.deepEqual(asked, [{ dryRun: true }]);
      await question.getByRole("button", { name: "Clean up" }).click();
      await page.getByText("3 MiB came free.").waitFor();
      assert.deepEqual(asked, [{ dryRun: true }, { dryRun: false }]);
      await page.unrouteAll({ behavior: "wait" });
    });

    await step("deleted: it says what came free, and the list goes on without it", async () => {
      await act(page, modelId, "Delete");
      const question = page.locator("wa-dialog[open]");
      await question.getByText(/^This frees/).waitFor();
      await question.getByRole("button", { name: "Delete" }).click();
      await modelRow(page, modelId).waitFor({ state: "detached" });
      assert.equal((await test.server.fetch(modelPath)).status, 404);
      await page.getByText(/is deleted, .* came free/).waitFor({ state: "attached" });
      assert.deepEqual(test.problems, []);
    });
  },
});

Deno.test({
  name: `${name}, offline`,
  ignore: skipUnless(`${name}, offline`, browserProblem()),
  async fn() {
    await using test = await openPageTest({ env: { BKG_OFFLINE: "1", BKG_MODEL_CACHES: "none" } });
    const page = await test.newPage({ reducedMotion: "reduce" });
    await signIn(page, test.server, "models");
    await page.locator("bkg-model-pull").getByText("This server is offline").waitFor();
    assert.equal(await sourceField(page).isDisabled(), true);
    await page.getByRole("tab", { name: "Catalogue" }).click();
    const pulls = page.getByRole("button", { name: /^Pull / });
    await pulls.first().waitFor();
    for (const button of await pulls.all()) assert.equal(await button.isDisabled(), true);
    assert.deepEqual(await findAccessibilityProblems(page), []);
    assert.deepEqual(test.problems, []);
  },
});

const modelPath = `/api/models/${encodeURIComponent(modelId)}`;

function sourceField(page: Page): Locator {
  return page.getByRole("textbox", { name: "Pull a model by its name" });
}

async function pull(page: Page, source: string): Promise<void> {
  await sourceField(page).fill(source);
  await page.getByRole("button", { name: "Pull", exact: true }).click();
}

function jobOf(page: Page, title: string): Locator {
  return page.getByRole("list", { name: "Downloads and checks" }).getByRole("listitem")
    .filter({ hasText: title }).first();
}

function modelRow(page: Page, id: string): Locator {
  return page.getByRole("row").filter({ has: page.getByRole("button", { name: id, exact: true }) });
}

async function act(page: Page, id: string, what: string): Promise<void> {
  await page.getByRole("button", { name: `More for ${id}` }).click();
  await page.getByRole("menuitem", { name: what, exact: true }).click();
}

/** Takes all that has ended off the list. */
async function dismissAll(page: Page): Promise<void> {
  const buttons = page.getByRole("button", { name: /^Dismiss / });
  for (let left = await buttons.count(); left > 0; left = await buttons.count()) {
    await buttons.first().click();
    await until(async () => await buttons.count() < left);
  }
}

/** Another byte in the middle of the only blob there is. */
async function alterBlob(dataDir: string): Promise<void> {
  const folder = join(dataDir, "models/blobs");
  const names = (await Array.fromAsync(Deno.readDir(folder))).map(({ name }) => name);
  assert.equal(names.length, 1);
  const path = join(folder, names[0]!);
  await Deno.chmod(path, 0o600);
  const { size, mtime } = await Deno.stat(path);
  using file = await Deno.open(path, { read: true, write: true });
  const byte = new Uint8Array(1);
  await file.seek(Math.floor(size / 2), Deno.SeekMode.Start);
  await file.read(byte);
  await file.seek(Math.floor(size / 2), Deno.SeekMode.Start);
  await file.write(byte.map((value) => value ^ 1));
  await Deno.utime(path, mtime!, mtime!);
}

/** -1 while it is not known. */
async function shownPercent(page: Page, title: string): Promise<number> {
  const bar = page.getByRole("progressbar", { name: title }).first();
  return Number(await bar.getAttribute("aria-valuenow") ?? -1);
}

/** The page of a person of a narrower role, as the server would answer them. */
async function asRole(page: Page, scopes: readonly string[]): Promise<void> {
  await page.route("**/auth/me", async (route) => {
    const answer = await (await route.fetch()).json() as { principal: object };
    await route.fulfill({
      json: { ...answer, principal: { ...answer.principal, role: "user", scopes } },
    });
  });
}

function overflow(page: Page): Promise<number> {
  return page.evaluate(
    "Math.max(0, document.documentElement.scrollWidth - document.documentElement.clientWidth)",
  );
}

async function until(holds: () => Promise<boolean>): Promise<void> {
  const endMs = Date.now() + 30_000;
  while (!await holds()) {
    assert.ok(Date.now() < endMs, "it takes too long");
    await new Promise((resolve) => setTimeout(resolve, 30));
  }
}

/** The browser tells of each refused request. */
function expectRefusals(test: PageTest, status: number): void {
  const lines = test.problems.splice(0);
  assert.equal(lines.every((line) => line.includes(`status of ${status}`)), true, lines.join("\n"));
}
