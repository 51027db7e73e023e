// Models in the page's own storage: fetched in parts, checked, shared by tabs, given up for room, and never half kept.

import type { CDPSession, Page } from "playwright-core";
import assert from "node:assert/strict";
import { join } from "node:path";
import type { LocalStorage } from "../../../ui/local/local_host.ts";
import { projectRoot } from "../../build/bundles.ts";
import { skipUnless } from "../require.ts";
import { startServer } from "../server_process.ts";
import { browserProblem, openPageTest, type PageTest, signIn } from "./browser.ts";
import { callInPage, greedy, inPage, moveToBrowser, tryInPage, untilInPage } from "./local_page.ts";

const demo = join(projectRoot, "models/demo/demo-stories-q8_0.gguf");
const demoBytes = Deno.statSync(demo).size;
const largeBytes = 40_000_000;
const filePath = "/api/models/*/files/*";

function modelTest(
  name: string,
  run: (test: PageTest, page: Page, folder: string) => Promise<void>,
): void {
  Deno.test({
    name,
    ignore: skipUnless(name, browserProblem()),
    async fn() {
      // Beside the demo two models of its size and other bytes, and one that no buffer on the way can hold.
      const folder = await Deno.makeTempDir({ prefix: "bkg-models-" });
      try {
        const bytes = await Deno.readFile(demo);
        for (const [index, id] of ["second", "third"].entries()) {
          bytes[bytes.length - 1] = index + 1;
          await Deno.writeFile(join(folder, `${id}.gguf`), bytes);
        }
        const large = new Uint8Array(largeBytes);
        large.set(bytes);
        await Deno.writeFile(join(folder, "large.gguf"), large);
        await using test = await openPageTest({ env: { BKG_MODEL_PATHS: folder } });
        const page = await test.newPage();
        await signIn(page, test.server);
        await run(test, page, folder);
      } finally {
        await Deno.remove(folder, { recursive: true });
      }
    },
  });
}

modelTest(
  "a file whose bytes do not match its digest is named, and nothing of it is kept",
  async (_, page) => {
    await page.route(filePath, async (route) => {
      const response = await route.fetch();
      const body = await response.body();
      body[body.length >> 1]! ^= 1;
      await route.fulfill({ response, body });
    });
    const { error } = await fetchModel(page, greedy.model);
    assert.equal(error?.code, "INVALID_MODEL");
    const { expected, found } = error?.details as { expected: string; found: string };
    assert.notEqual(found, expected);
    assert(error?.message.includes(expected) && error.message.includes(found), error?.message);
    assert.deepEqual(await storedFiles(page), []);
    // A plugin that asks for it hears of it too, and the right bytes do.
    await moveToBrowser(page, "llmserver");
    const refused = await callInPage(page, "llm.complete", greedy);
    assert.equal(refused.error?.code, "INVALID_MODEL");
    await page.unroute(filePath);
    assert.equal((await callInPage(page, "llm.complete", greedy)).error, undefined);
  },
);

modelTest(
  "a download that the server's end interrupted goes on where it was",
  async (test, page, folder) => {
    const network = await slowNetwork(page, { bytesPerSecond: 4_000_000 });
    const interrupted = tryInPage(page, fetching("large", "bkgProgress"));
    await untilInPage(page, "globalThis.bkgProgress?.done > 300_000");
    await test.server.end("SIGKILL");
    const { error } = await interrupted;
    assert.equal(error?.code, "UNAVAILABLE", JSON.stringify(error));
    const [partial] = await storedFiles(page);
    assert(partial !== undefined && partial.name.endsWith(".partial"), partial?.name);
    assert(partial.bytes >= 300_000 && partial.bytes < largeBytes);
    const before = await storage(page);
    assert.deepEqual(before.models.map(({ id, complete }) => [id, complete]), [[
      "large",
      false,
    ]]);

    await network.end();
    const { dataDir, url } = test.server;
    await using _again = await startServer({
      dataDir,
      env: { BKG_PORT: new URL(url).port, BKG_MODEL_PATHS: folder },
    });
    const ranges: (string | undefined)[] = [];
    page.on("request", (request) => {
      if (request.url().includes("/files/")) ranges.push(request.headers()["range"]);
    });
    assert.deepEqual(await fetchModel(page, "large"), { value: undefined });
    assert.deepEqual(ranges, [`bytes=${partial.bytes}-`]);
    const after = await storage(page);
    assert.deepEqual(after.models.map(({ bytes, complete }) => [bytes, complete]), [[
      largeBytes,
      true,
    ]]);
  },
);

modelTest("a download that the person stops is kept for the next time", async (_, page) => {
  await slowNetwork(page, { bytesPerSecond: 500_000 });
  const stopped = await tryInPage(
    page,
    `(async () => {
      const stop = new AbortController();
      const progress = ({ done }) => done > 300_000 && stop.abort();
      await (await host()).fetchModel(${
      JSON.stringify(greedy.model)
    }, { progress, signal: stop.signal });
    })()`,
  );
  assert.equal(stopped.error?.code, "CANCELLED");
  await untilInPage(page, `document.querySelector("bkg-app").app.homes.local.downloads.size === 0`);
  assert((await storedFiles(page))[0]!.bytes >= 300_000);
  assert.equal(await inPage(page, "(await host()).downloads.size"), 0);
});

modelTest(
  "too little room names what is needed and free, and removes nothing in vain",
  async (test, page) => {
    assert.equal((await fetchModel(page, "second")).error, undefined);
    const used = (await storage(page)).usedBytes!;
    await setQuota(page, test, used + 100_000);
    // The other model is being read, here or in another tab: it must stay.
    const other = (await storedFiles(page))[0]!.name.replace("sha256-", "sha256:");
    await page.evaluate(`new Promise((locked) => navigator.locks.request(
    "bkg.file.${other}", { mode: "shared" },
    () => new Promise((release) => { globalThis.releaseModel = release; locked(); }),
  ))`);
    const { error } = await fetchModel(page, greedy.model);
    assert.equal(error?.code, "OUT_OF_MEMORY");
    const { neededBytes, freeBytes } = error?.details as { neededBytes: number; freeBytes: number };
    assert(neededBytes >= demoBytes && freeBytes <= 100_000, JSON.stringify(error));
    assert.match(
      error?.message ?? "",
      /needs 3\.\d MB more in this browser, which has 0\.\d MB free/,
    );
    assert.deepEqual((await storedFiles(page)).map(({ bytes }) => bytes), [demoBytes]);

    const evicted = await tryInPage(page, `(await host()).evict("second")`);
    assert.equal(evicted.error?.code, "CONFLICT");
    await page.evaluate("releaseModel()");
    assert.equal((await tryInPage(page, `(await host()).evict("second")`)).error, undefined);
    assert.deepEqual(await storedFiles(page), []);
  },
);

modelTest("the model used longest ago makes room for another", async (test, page) => {
  for (const id of ["second", "third"]) assert.equal((await fetchModel(page, id)).error, undefined);
  // What was used last is what was opened last.
  assert.equal((await fetchModel(page, "second")).error, undefined);
  await setQuota(page, test, (await storage(page)).usedBytes! + 2_000_000);
  assert.equal((await fetchModel(page, greedy.model)).error, undefined);
  const { models } = await storage(page);
  assert.deepEqual(models.map(({ id }) => id).sort(), [greedy.model, "second"]);
});

modelTest(
  "storage that runs full in the middle keeps nothing half, and says so",
  async (test, page) => {
    await slowNetwork(page, { bytesPerSecond: 800_000 });
    const failing = tryInPage(page, fetching(greedy.model, "bkgProgress"));
    await untilInPage(page, "globalThis.bkgProgress?.done > 300_000");
    await setQuota(page, test, 600_000);
    const { error } = await failing;
    assert.equal(error?.code, "OUT_OF_MEMORY", JSON.stringify(error));
    assert.match(
      error?.message ?? "",
      /no more room after \d+ bytes: nothing of the model's file was kept/,
    );
    assert.deepEqual(await storedFiles(page), []);
  },
);

modelTest("two tabs fetch a model once, and both use it", async (test, page) => {
  const second = await page.context().newPage();
  await second.goto(`${test.server.url}/dashboard`);
  await second.getByRole("heading", { level: 1 }).first().waitFor();
  let requests = 0;
  page.context().on("request", (request) => {
    if (request.url().includes("/files/")) requests++;
  });
  await slowNetwork(page, { bytesPerSecond: 3_000_000 });
  const both = await Promise.all([page, second].map((tab) => fetchModel(tab, greedy.model)));
  assert.deepEqual(both, [{ value: undefined }, { value: undefined }]);
  assert.equal(requests, 1);
  for (const tab of [page, second]) {
    await moveToBrowser(tab, "llmserver");
    assert.equal((await callInPage(tab, "llm.complete", greedy)).error, undefined);
  }
  assert.equal(requests, 1);
});

Deno.test({
  name:
    "a hub's model is fetched by whatever spelling once, held while it is loaded, and read here later",
  ignore: skipUnless("a hub's model in the page", browserProblem()),
  async fn() {
    const id = "Owner/Demo-GGUF:Q8_0";
    const cache = await Deno.makeTempDir({ prefix: "bkg-hub-" });
    try {
      const snapshot = join(cache, "models--Owner--Demo-GGUF/snapshots/0123456789abcdef");
      const blobs = join(cache, "models--Owner--Demo-GGUF/blobs");
      for (const folder of [snapshot, blobs]) await Deno.mkdir(folder, { recursive: true });
      await Deno.copyFile(demo, join(blobs, "f00d"));
      await Deno.symlink("../../blobs/f00d", join(snapshot, "demo-q8_0.gguf"));
      await using test = await openPageTest({ env: { BKG_MODEL_CACHES: cache } });
      const page = await test.newPage();
      await signIn(page, test.server);
      const fetched: string[] = [];
      page.on("request", (request) => {
        const { pathname } = new URL(request.url());
        if (pathname.includes("/files/")) fetched.push(pathname);
      });
      const ask = (model: string) =>
        callInPage<{ model: string; text: string }>(page, "llm.complete", { ...greedy, model });
      await moveToBrowser(page, "llmserver");
      const first = await ask("owner/demo-gguf");
      assert.ok(first.error === undefined, JSON.stringify(first));
      assert.equal(first.value.model, id);
      assert.deepEqual(fetched, [
        "/api/models/Owner%2FDemo-GGUF%3AQ8_0/files/demo-q8_0.gguf",
      ]);
      const inUse = (await storage(page)).models.map(({ id, inUse }) => [id, inUse]);
      assert.deepEqual(inUse, [[id, true]]);
      const evict = () => tryInPage(page, `(await host()).evict(${JSON.stringify(id)})`);
      assert.equal((await evict()).error?.code, "CONFLICT");

      await inPage(page, `(await host()).stop("llmserver")`);
      await inPage(page, `(await host()).start("llmserver")`);
      const again = await ask(id);
      assert.ok(again.error === undefined && again.value.text === first.value.text);
      assert.equal(fetched.length, 1);
      await inPage(page, `(await host()).stop("llmserver")`);
      assert.equal((await evict()).error, undefined);
      assert.deepEqual(await storedFiles(page), []);
    } finally {
      await Deno.remove(cache, { recursive: true });
    }
  },
});

modelTest("without private storage the page says why and what to do", async (test) => {
  const context = await test.browser.newContext({ baseURL: test.server.url });
  await context.addInitScript("delete StorageManager.prototype.getDirectory");
  const page = await context.newPage();
  await signIn(page, test.server);
  const { error } = await tryInPage(page, `homes.moveToBrowser("llmserver")`);
  assert.equal(error?.code, "UNSUPPORTED_FEATURE");
  assert.match(error?.message ?? "", /private (?:file )?storage/);
});

interface StoredFile {
  name: string;
  bytes: number;
}

/** What really lies in the storage. */
async function storedFiles(page: Page): Promise<StoredFile[]> {
  return await page.evaluate(`(async () => {
    const root = await navigator.storage.getDirectory();
    const folder = await root.getDirectoryHandle("bkg-models", { create: true });
    const files = [];
    for await (const handle of folder.values()) {
      files.push({ name: handle.name, bytes: (await handle.getFile()).size });
    }
    return files;
  })()`) as StoredFile[];
}

function storage(page: Page): Promise<LocalStorage> {
  return inPage(page, "(await host()).storage()");
}

/** `progressName`: the page's global that holds the last progress. */
function fetching(modelId: string, progressName: string): string {
  return `(await host()).fetchModel(${JSON.stringify(modelId)}, {
    progress: (progress) => { globalThis.${progressName} = progress; },
  })`;
}

function fetchModel(page: Page, modelId: string) {
  return tryInPage<undefined>(page, fetching(modelId, "bkgLastProgress"));
}

async function slowNetwork(page: Page, { bytesPerSecond }: { bytesPerSecond: number }) {
  const session: CDPSession = await page.context().newCDPSession(page);
  const limit = (downloadThroughput: number) =>
    session.send("Network.emulateNetworkConditions", {
      offline: false,
      latency: 0,
      downloadThroughput,
      uploadThroughput: -1,
    });
  await session.send("Network.enable");
  await limit(bytesPerSecond);
  return { end: () => limit(-1) };
}

async function setQuota(page: Page, { server }: PageTest, quotaSize: number): Promise<void> {
  const session = await page.context().newCDPSession(page);
  await session.send("Storage.overrideQuotaForOrigin", { origin: server.url, quotaSize });
}
