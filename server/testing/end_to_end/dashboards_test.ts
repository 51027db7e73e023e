// The dashboards of our own plugins, in Chromium against a server as a person starts it: a model that has chatted with
// its backend and speed, a tensor model that runs, and a plugin that is stopped and stays so.

import assert from "node:assert/strict";
import { join } from "node:path";
import type { Page } from "playwright-core";
import type { PluginView } from "../../../plugins/runtime/host/host.ts";
import { floatWeight, writeOnnx } from "../../../plugins/runtime/engines/onnx/testing_models.ts";
import { findAccessibilityProblems } from "../browser/accessibility.ts";
import { browserProblem, openPageTest, signIn } from "../browser/browser.ts";
import { looks } from "../browser/page_list.ts";
import { skipUnless } from "../require.ts";
import type { ServerProcess } from "../server_process.ts";

const demo = "demo-stories-q8_0";

Deno.test({
  name: "the dashboards of language models and of tensors",
  ignore: skipUnless("the dashboards", browserProblem()),
  async fn(t) {
    await using test = await openPageTest();
    const { server, problems } = test;
    await addSum(server);
    const page = await test.newPage({ reducedMotion: "reduce" });
    /** Each builds on the one before. */
    let good = true;
    const step = async (name: string, run: () => Promise<void>) => {
      good = good && await t.step(name, run);
    };

    await step("a plugin that is stopped is not started by a look at it", async () => {
      await signIn(page, server, "plugins/llmserver");
      await page.getByRole("heading", { name: "Not running" }).waitFor();
      await page.getByRole("heading", { name: "Which backend" }).waitFor();
      // Longer than the dashboard waits between two looks.
      await page.waitForTimeout(4000);
      assert.equal((await view(server, "llmserver")).status, "stopped");
    });

    await step("a model that has answered shows with its backend and its speed", async () => {
      const answer = await call(server, "llm.chat", {
        model: demo,
        messages: [{ role: "user", content: "Tell me a story" }],
        maxTokens: 20,
      });
      assert.equal(answer.status, 200);
      const row = page.getByRole("row", { name: new RegExp(demo) });
      await row.getByText(/^WebAssembly on the CPU, \d+ threads?$/).waitFor();
      await row.getByText("Writes text").waitFor();
      const totals = page.getByLabel("Totals");
      await totals.getByText(/^\d[\d.]* tokens\/s/).waitFor();
      await page.getByText(/^Models run in WebAssembly on the CPU \(\d+ threads?\)/).waitFor();
      await row.getByText("Idle").waitFor();
    });

    await step("an ONNX model says what it takes, runs on what is typed, and leaves", async () => {
      await page.goto(`${server.url}/plugins/candle`);
      await page.locator("bkg-tensor-runner wa-select").click();
      await page.getByRole("option", { name: "sum" }).click();
      await page.getByRole("button", { name: "Load", exact: true }).click();
      const input = page.getByRole("group", { name: "Input x" });
      await input.getByText("float32 [rows, 2]").waitFor();
      const values = input.getByRole("textbox", { name: /^Values of x/ });
      assert.equal(await values.inputValue(), "[[0, 0]]");

      await values.fill("[[1, 2, 3]]");
      const run = page.getByRole("button", { name: "Run", exact: true });
      await run.click();
      await input.getByRole("alert").getByText(/"x" must be float32\[rows, 2\].*\[1, 3\]/)
        .waitFor();
      assert.match(problems.splice(0).join("\n"), /^[^\n]*status of 400[^\n]*$/);

      await values.fill("[[1, 2], [3.5, 4]]");
      await run.click();
      const output = page.getByRole("group", { name: "Output y" });
      await output.getByText("float32 [2, 1]").waitFor();
      assert.equal(await output.locator("pre").innerText(), "3, 7.5");
      assert.match(await output.locator("dl").innerText(), /Min\s*3\s*Max\s*7\.5\s*Mean\s*5\.25/);

      await input.getByRole("radio", { name: "Zeros" }).check({ force: true });
      await input.getByRole("textbox", { name: "Shape of x" }).fill("3, 2");
      await run.click();
      await output.getByText("float32 [3, 1]").waitFor();
      assert.equal(await output.locator("pre").innerText(), "0, 0, 0");

      const table = page.getByRole("table", { name: "Models in memory" });
      await table.getByRole("row", { name: /^sum/ }).getByText(/^WebAssembly/).waitFor();
      assert.deepEqual(await findAccessibilityProblems(page), []);
      await table.getByRole("button", { name: "Unload sum" }).click();
      await table.waitFor({ state: "detached" });
    });

    await step("who may only look sees words, and no buttons", async () => {
      await page.route("**/auth/me", async (route) => {
        const answer = await (await route.fetch()).json() as { principal: object };
        const scopes = ["account", "plugins:read", "models:read", "invoke:*"];
        await route.fulfill({
          json: { ...answer, principal: { ...answer.principal, role: "user", scopes } },
        });
      });
      await page.goto(`${server.url}/plugins/llmserver`);
      await page.getByText("Who may manage plugins can add and remove these").waitFor();
      await page.getByText(/native code is 3 to 16 times faster/).waitFor();
      assert.equal(await page.getByRole("button", { name: /^Add / }).count(), 0);
      await page.unrouteAll();
    });

    await step("both are clean in light, in dark and on a phone", async () => {
      for (const look of Object.values(looks)) {
        const other = await test.newPage({ ...look, reducedMotion: "reduce" });
        await signIn(other, server, "plugins/llmserver");
        await other.getByRole("row", { name: new RegExp(demo) }).waitFor();
        await other.getByRole("button", { name: /^Add the native CPU engine/ }).waitFor();
        assert.deepEqual(await findAccessibilityProblems(other), []);
        assert.equal(await overflow(other), 0);
        await other.goto(`${server.url}/plugins/candle`);
        await other.getByRole("heading", { name: "Run a model" }).waitFor();
        assert.deepEqual(await findAccessibilityProblems(other), []);
        assert.equal(await overflow(other), 0);
        await other.context().close();
      }
      assert.deepEqual(problems, []);
    });
  },
});

/** y is the sum of each row of two. */
async function addSum(server: ServerProcess): Promise<void> {
  const folder = join(server.dataDir, "models");
  await Deno.mkdir(folder, { recursive: true });
  const model = writeOnnx({
    nodes: [{ op: "MatMul", inputs: ["x", "ones"], outputs: ["y"] }],
    weights: [floatWeight("ones", [2, 1], [1, 1])],
    inputs: [{ name: "x", type: "float32", shape: ["rows", 2] }],
    outputs: [{ name: "y", type: "float32", shape: ["rows", 1] }],
  });
  await Deno.writeFile(join(folder, "sum.onnx"), model);
}

async function call(server: ServerProcess, capability: string, input: unknown): Promise<Response> {
  const response = await server.fetch(`/api/capabilities/${capability}`, {
    method: "POST",
    headers: { "content-type": "application/json" },
    body: JSON.stringify(input),
  });
  await response.text();
  return response;
}

async function view(server: ServerProcess, id: string): Promise<PluginView> {
  return await (await server.fetch(`/api/plugins/${id}`)).json() as PluginView;
}

/** Pixels by which the page is wider than its window. */
function overflow(page: Page): Promise<number> {
  return page.evaluate(
    "Math.max(0, document.documentElement.scrollWidth - document.documentElement.clientWidth)",
  );
}
