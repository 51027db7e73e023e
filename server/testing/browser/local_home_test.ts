// A plugin moved into the page: the same bundle, the same answers, and no server needed once it runs.

import assert from "node:assert/strict";
import { sharedModelsFolder, sharedModelsProblem } from "../shared_models.ts";
import { skipUnless } from "../require.ts";
import type { ServerProcess } from "../server_process.ts";
import { browserProblem, openPageTest, signIn } from "./browser.ts";
import { callInPage, type Completion, greedy, inPage, moveToBrowser } from "./local_page.ts";

interface View {
  status: string;
  bundleDigest?: string;
  lastError?: { code: string; message: string };
  enforcement?: { memory: string[]; cpu: string };
}

Deno.test({
  name: "llmserver in the page: the same bundle, the same greedy text, and the backend really used",
  ignore: skipUnless("llmserver in the page", browserProblem()),
  async fn() {
    const models = sharedModelsProblem() === undefined ? sharedModelsFolder : "";
    await using test = await openPageTest({
      env: models === "" ? {} : { BKG_MODEL_PATHS: models },
    });
    const { server } = test;
    const page = await test.newPage();
    await signIn(page, server);
    await moveToBrowser(page, "llmserver");
    assert.equal(await inPage(page, "globalThis.crossOriginIsolated"), true);

    for (const model of [greedy.model, ...models === "" ? [] : ["aidreams260K-f32"]]) {
      const there = await complete(server, { ...greedy, model });
      const { value: here, error } = await outcome(page, { ...greedy, model });
      assert.equal(error, undefined, JSON.stringify(error));
      assert.equal(here?.text, there.text);
      assert(there.text.length > 40, there.text);
      assert.equal(here?.backend, "wasm");
    }

    const cell = await view(server);
    const local = await inPage<View>(page, `(await host()).get("llmserver")`);
    assert.match(local.bundleDigest ?? "", /^sha256:[0-9a-f]{64}$/);
    assert.equal(local.bundleDigest, cell.bundleDigest);
    assert.deepEqual(local.enforcement, { memory: [], cpu: "none" });

    // Asked for the GPU, where Chromium has none: nothing runs in its place.
    await configure(server, { settings: { backend: "webgpu" } });
    const other = await test.newPage();
    await signIn(other, server);
    await moveToBrowser(other, "llmserver");
    const { error } = await outcome(other, greedy);
    assert.equal((error as { code: string } | undefined)?.code, "UNSUPPORTED_FEATURE");
    assert.deepEqual(test.problems, []);
  },
});

Deno.test({
  name: "llmserver in the page runs two threads where the page is isolated",
  ignore: skipUnless(
    "two threads in the page",
    browserProblem() ?? (navigator.hardwareConcurrency < 2 ? "there is one core" : undefined),
  ),
  async fn() {
    await using test = await openPageTest();
    await configure(test.server, { settings: { threads: 2 } });
    const page = await test.newPage();
    await signIn(page, test.server);
    await moveToBrowser(page, "llmserver");
    const { value } = await outcome(page, { ...greedy, maxTokens: 4 });
    assert.equal(value?.threads, 2);
    assert.deepEqual(test.problems, []);
  },
});

Deno.test({
  name: "llmserver in the page goes on without the server, and starts again without it",
  ignore: skipUnless("the page without its server", browserProblem()),
  async fn() {
    await using test = await openPageTest();
    const { server } = test;
    const page = await test.newPage();
    await signIn(page, server);
    await moveToBrowser(page, "llmserver");
    const before = await outcome(page, greedy);
    assert.equal(before.error, undefined, JSON.stringify(before));

    await server.fetch("/api/plugins/llmserver/stop", { method: "POST" });
    await page.context().route("**", (route) => route.abort());
    await page.context().setOffline(true);
    assert.equal((await outcome(page, greedy)).value?.text, before.value?.text);

    await inPage(page, `(await host()).stop("llmserver")`);
    const again = await inPage<View>(page, `(await host()).start("llmserver")`);
    assert.equal(again.status, "running");
    assert.equal((await outcome(page, greedy)).value?.text, before.value?.text);
  },
});

Deno.test({
  name: "a keeper that died fails what it kept, and the next start opens another",
  ignore: skipUnless("a keeper that died", browserProblem()),
  async fn() {
    await using test = await openPageTest();
    const page = await test.newPage();
    await signIn(page, test.server);
    await moveToBrowser(page, "llmserver");
    const keeper = page.workers().find((worker) => worker.url().endsWith("/assets/keeper.js"));
    await keeper?.evaluate("self.close()");
    const lost = await outcome(page, greedy);
    assert.equal((lost.error as { code: string } | undefined)?.code, "CELL_LOST");

    await inPage(page, `(await host()).start("llmserver")`);
    assert.equal((await outcome(page, greedy)).error, undefined);
  },
});

function outcome(page: Parameters<typeof callInPage>[0], input: unknown) {
  return callInPage<Completion>(page, "llm.complete", input) as Promise<
    { value?: Completion; error?: unknown }
  >;
}

async function complete(server: ServerProcess, input: unknown): Promise<Completion> {
  const response = await server.fetch("/api/plugins/llmserver/invoke", {
    method: "POST",
    headers: { "content-type": "application/json", accept: "text/event-stream" },
    body: JSON.stringify({ capability: "llm.complete", payload: input }),
  });
  const events = (await response.text()).split("\n").filter((line) => line.startsWith("data: "));
  const last = events.map((line) => JSON.parse(line.slice(6))).findLast((data) => "text" in data);
  assert(last !== undefined, events.slice(-3).join("\n"));
  return last;
}

async function configure(server: ServerProcess, change: unknown): Promise<void> {
  const response = await server.fetch("/api/plugins/llmserver/config", {
    method: "POST",
    headers: { "content-type": "application/json" },
    body: JSON.stringify(change),
  });
  assert.equal(response.status, 200, await response.text());
}

async function view(server: ServerProcess): Promise<View> {
  return await (await server.fetch("/api/plugins/llmserver")).json() as View;
}
