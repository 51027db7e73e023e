// A stranger's plugin in the page: it runs in a frame of an opaque origin, and reaches neither the network, nor the
// page, nor what the site stores, nor another plugin; and it cannot stop the page.

import type { Page } from "playwright-core";
import assert from "node:assert/strict";
import { skipUnless } from "../require.ts";
import { attackFromPage, type AttackInput, type Attempt, writeStrangers } from "./attacker.ts";
import { browserProblem, openPageTest, type PageTest, signIn } from "./browser.ts";
import {
  callInPage,
  type Completion,
  greedy,
  inPage,
  moveToBrowser,
  tryInPage,
} from "./local_page.ts";

function strangerTest(name: string, run: (test: PageTest, page: Page) => Promise<void>): void {
  Deno.test({
    name,
    ignore: skipUnless(name, browserProblem()),
    async fn() {
      const folder = await Deno.makeTempDir({ prefix: "bkg-strangers-" });
      try {
        await writeStrangers(folder);
        await using test = await openPageTest({ env: { BKG_PLUGIN_PATHS: folder } });
        const page = await test.newPage();
        await signIn(page, test.server);
        await run(test, page);
      } finally {
        await Deno.remove(folder, { recursive: true });
      }
    },
  });
}

strangerTest(
  "a stranger's plugin gets nowhere, and our own goes on beside it",
  async (test, page) => {
    using elsewhere = countConnections();
    const channel = "bkg-attack";
    const input: AttackInput = { server: test.server.url, elsewhere: elsewhere.address, channel };
    await moveToBrowser(page, "llmserver");
    const before = await call<Completion>(page, "llm.complete", greedy);
    await page.evaluate(`{
    globalThis.heardByPage = [];
    new BroadcastChannel(${
      JSON.stringify(channel)
    }).onmessage = ({ data }) => heardByPage.push(data);
    addEventListener("message", ({ data }) => heardByPage.push(data));
  }`);
    await moveToBrowser(page, "innocent");
    assert.equal(await call(page, "innocent.listen", input), "null");
    const stored = await readStores(page);
    await moveToBrowser(page, "attacker");

    const { origin, ...results } = await call<Record<"own" | "nested" | "forged", Attempt[]>>(
      page,
      "attacker.try",
      input,
    ) as Record<"own" | "nested" | "forged", Attempt[]> & { origin: string };
    assert.equal(origin, "null");
    for (const [where, attempts] of Object.entries(results)) {
      const worked = attempts.filter(({ outcome }) => outcome === "worked");
      assert.deepEqual(worked, [], `in the ${where} Worker`);
    }
    assert(results.own.length > 40 && results.nested.length === results.own.length);
    // Refused, and not merely unheard of: these are there, and say no.
    for (
      const name of [
        "fetch of the server",
        "fetch of elsewhere",
        "private file storage",
        "IndexedDB",
      ]
    ) {
      assert.equal(results.own.find((attempt) => attempt.name === name)?.outcome, "refused", name);
    }

    assert.equal(elsewhere.count(), 0);
    assert.equal(test.server.output().includes("?attack"), false);
    assert.deepEqual(await inPage(page, "heardByPage"), []);
    assert.deepEqual(await call(page, "innocent.heard", {}), []);
    assert.deepEqual(await readStores(page), stored);
    assert.equal((await call<Completion>(page, "llm.complete", greedy)).text, before.text);
    assert.equal(new URL(page.url()).pathname, "/dashboard");
    assert.equal(page.context().pages().length, 1);
  },
);

strangerTest(
  "a plugin that floods the page is ended, and the page goes on meanwhile",
  async (_, page) => {
    await moveToBrowser(page, "innocent");
    await moveToBrowser(page, "attacker");
    await page.evaluate(`{
    let last = performance.now();
    globalThis.longestGapMs = 0;
    setInterval(() => {
      const now = performance.now();
      longestGapMs = Math.max(longestGapMs, now - last);
      last = now;
    }, 10);
  }`);
    const { error } = await callInPage(page, "attacker.flood", {});
    assert.equal(error?.code, "PROTOCOL_VIOLATION", JSON.stringify(error));
    const longestGapMs = await inPage<number>(page, "longestGapMs");
    assert(longestGapMs < 1000, `the page stood still for ${longestGapMs} ms`);
    assert.deepEqual(await call(page, "innocent.heard", {}), []);
  },
);

strangerTest(
  "a stranger's plugin runs a model that it was granted, and no other",
  async (test, page) => {
    const grant = async (permissions: unknown) => {
      const response = await test.server.fetch("/api/plugins/writer/grants", {
        method: "PUT",
        headers: { "content-type": "application/json" },
        body: JSON.stringify(permissions),
      });
      assert.equal(response.status, 200, await response.text());
    };
    const input = { ...greedy, maxTokens: 8, threads: 2 };
    const held = await tryInPage(page, `(await host()).start("writer")`);
    assert.equal(held.error?.code, "CONSENT_REQUIRED");
    await grant({});
    await moveToBrowser(page, "writer");
    assert.equal((await callInPage(page, "writer.complete", input)).error?.code, "GRANT_DENIED");

    await grant({ services: ["models"], models: [greedy.model] });
    // What the operator grants is taken over at the next start.
    await inPage(page, `(await host()).start("writer")`);
    const written = await call<Completion>(page, "writer.complete", input);
    await moveToBrowser(page, "llmserver");
    const { text } = await call<Completion>(page, "llm.complete", { ...greedy, maxTokens: 8 });
    assert.equal(written.text, text);
    assert.equal(written.backend, "wasm");
    assert.equal(written.threads, Math.min(2, navigator.hardwareConcurrency));
    const denied = await callInPage(page, "writer.complete", { ...input, model: "another" });
    assert.equal(denied.error?.code, "GRANT_DENIED");
  },
);

strangerTest("the attempts are real: in an ordinary page they get through", async (test) => {
  using elsewhere = countConnections();
  const page = await test.browser.newPage();
  const attempts = await page.evaluate(attackFromPage({
    server: test.server.url,
    elsewhere: elsewhere.address,
    channel: "bkg-attack",
  })) as Attempt[];
  const worked = attempts.filter(({ outcome }) => outcome === "worked").map(({ name }) => name);
  for (const name of ["fetch of the server", "a Worker from data:", "eval"]) {
    assert(worked.includes(name), `"${name}" is not in ${worked.join(", ")}`);
  }
  assert(elsewhere.count() >= 8, `${elsewhere.count()} connections`);
});

for (const way of ["close", "spin"]) {
  strangerTest(
    `a plugin that falls silent (${way}) is ended, and starts again without the server`,
    async (_, page) => {
      await moveToBrowser(page, "attacker");
      await page.context().route("**", (route) => route.abort());
      const { error } = await callInPage(page, `attacker.${way}`, {});
      assert.equal(error?.code, "TIMEOUT", JSON.stringify(error));
      const view = await inPage<{ status: string; lastError?: { code: string } }>(
        page,
        `(await host()).get("attacker")`,
      );
      assert.equal(view.status, "error");
      assert.equal(view.lastError?.code, "CELL_LOST");
      const again = await inPage<{ status: string }>(page, `(await host()).start("attacker")`);
      assert.equal(again.status, "running");
    },
  );
}

async function call<Value>(page: Page, capability: string, input: unknown): Promise<Value> {
  const { value, error } = await callInPage<Value>(page, capability, input) as {
    value: Value;
    error?: unknown;
  };
  assert.equal(error, undefined, JSON.stringify(error));
  return value;
}

/** All that the site keeps in this browser, but for what changes by itself. */
async function readStores(page: Page): Promise<unknown> {
  return await page.evaluate(`(async () => {
    const root = await navigator.storage.getDirectory();
    const files = [];
    for await (const [name, handle] of root.entries()) {
      files.push(name);
      if (handle.kind !== "directory") continue;
      for await (const [inner, file] of handle.entries()) {
        files.push(name + "/" + inner + " " + (await file.getFile()).size);
      }
    }
    return {
      session: localStorage.getItem("bkg.session"),
      keys: Object.keys(localStorage).sort(),
      files: files.sort(),
      databases: (await indexedDB.databases()).map(({ name }) => name).sort(),
      caches: await caches.keys(),
      cookies: document.cookie,
      workers: (await navigator.serviceWorker.getRegistrations()).length,
    };
  })()`);
}

/** A listening socket that takes every connection and counts it. */
function countConnections(): Disposable & { address: string; count: () => number } {
  const listener = Deno.listen({ hostname: "127.0.0.1", port: 0 });
  let count = 0;
  (async () => {
    for await (const connection of listener) {
      count++;
      connection.close();
    }
  })();
  return {
    address: `127.0.0.1:${listener.addr.port}`,
    count: () => count,
    [Symbol.dispose]: () => listener.close(),
  };
}
