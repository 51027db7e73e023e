// ONNX in Chromium: the engine's own suite, and the example of docs/plugins.md as somebody else's plugin in the page.

import type { Page } from "playwright-core";
import assert from "node:assert/strict";
import { Buffer } from "node:buffer";
import { createHash } from "node:crypto";
import { existsSync } from "node:fs";
import { join } from "node:path";
import type {
  ConformanceOrder,
  ConformanceReport,
} from "../../../plugins/runtime/engines/onnx/conformance_worker.ts";
import {
  bundleConformance,
  readAssets,
} from "../../../plugins/runtime/engines/onnx/testing_conformance.ts";
import { buildBundles, projectRoot } from "../../build/bundles.ts";
import { drawFace } from "../drawn_face.ts";
import { skipUnless } from "../require.ts";
import { browserProblem, openPageTest, type PageTest, signIn } from "./browser.ts";
import { callInPage, moveToBrowser } from "./local_page.ts";

for (const build of ["jspi", "asyncify"] as const) {
  const name = `the onnx engine in Chromium (${build})`;
  Deno.test({
    name,
    ignore: skipUnless(name, browserProblem()),
    async fn(t) {
      const { folder } = await buildBundles({ log: () => {} });
      const script = await bundleConformance();
      const assets = await readAssets(join(folder, "page/assets"), {
        canSuspend: build === "jspi",
      });
      const threads = Math.min(2, navigator.hardwareConcurrency);
      await using site = serveIsolated({ script, assets, threads });
      await using test = await openPageTest();
      const page = await test.newPage();
      await page.goto(site.url);
      const reports = await page.evaluate("run()") as ConformanceReport[];
      for (const report of reports) {
        if (report.kind === "case") {
          await t.step(report.name, () => assert.equal(report.problem, undefined));
        }
      }
      const end = reports.at(-1);
      assert(end?.kind === "end");
      assert.equal(end.threadsLent, 0, "threads that were not given back");
    },
  });
}

const model = "yunet_n_320_320";
const file = join(projectRoot, "../shared/models/yunet", `${model}.onnx`);

Deno.test({
  name: "the example of docs/plugins.md finds a face in the page, as somebody else's plugin",
  ignore: skipUnless(
    "a face in the page",
    browserProblem() ?? (existsSync(file) ? undefined : `${file} is not here`),
  ),
  async fn() {
    const env = { BKG_PLUGIN_PATHS: join(projectRoot, "docs/examples/yunet") };
    await using test = await openPageTest({ env });
    await grantAll(test, "yunet");
    const page = await test.newPage();
    await offerModel(page);
    await signIn(page, test.server);
    await moveToBrowser(page, "yunet");
    const { value, error } = await callInPage<{ faces: { score: number; x: number }[] }>(
      page,
      "faces.detect",
      { pixels: drawFace().toBase64() },
    ) as { value: { faces: { score: number; x: number; width: number }[] }; error?: unknown };
    assert.equal(error, undefined, JSON.stringify(error));
    assert.equal(value.faces.length, 1);
    const [{ score, x, width } = assert.fail()] = value.faces;
    assert(score > 0.8, String(score));
    assert(Math.abs(x + width / 2 - 160) < 10, `${x} ${width}`);
    assert.deepEqual(test.problems, []);
  },
});

async function grantAll(test: PageTest, pluginId: string): Promise<void> {
  const { permissions } = JSON.parse(
    await Deno.readTextFile(join(projectRoot, `docs/examples/${pluginId}/plugin.json`)),
  );
  const response = await test.server.fetch(`/api/plugins/${pluginId}/grants`, {
    method: "PUT",
    headers: { "content-type": "application/json" },
    body: JSON.stringify(permissions),
  });
  assert.equal(response.status, 200, await response.text());
}

/** As the server offers a model that it has. */
async function offerModel(page: Page): Promise<void> {
  const bytes = await Deno.readFile(file);
  const digest = `sha256:${createHash("sha256").update(bytes).digest("hex")}`;
  const files = [{ name: `${model}.onnx`, size: bytes.length, digest }];
  const record = { id: model, format: "onnx", size: bytes.length, chatTemplate: false };
  await page.route("**/api/models", async (route) => {
    const { models, ...rest } = await (await route.fetch()).json();
    await route.fulfill({ json: { ...rest, models: [...models, { ...models[0], ...record }] } });
  });
  await page.route(
    `**/api/models/${model}`,
    (route) => route.fulfill({ json: { ...record, files } }),
  );
  await page.route(
    `**/api/models/${model}/files/*`,
    (route) => route.fulfill({ body: Buffer.from(bytes), contentType: "application/octet-stream" }),
  );
}

/** A page of its own that may have threads, with the suite's Worker. */
function serveIsolated(
  { script, assets, threads }: { script: string } & Pick<ConformanceOrder, "assets" | "threads">,
) {
  const isolated = {
    "cross-origin-opener-policy": "same-origin",
    "cross-origin-embedder-policy": "require-corp",
  };
  const html = `<!doctype html><script>
    async function run() {
      const assets = {};
      for (const name of ${JSON.stringify(Object.keys(assets))}) {
        assets[name] = new Uint8Array(await (await fetch("/assets/" + name)).arrayBuffer());
      }
      const url = URL.createObjectURL(new Blob([await (await fetch("/suite.js")).text()], { type: "text/javascript" }));
      const worker = new Worker(url, { type: "module" });
      const reports = [];
      worker.postMessage({ assets, threads: ${threads} });
      return await new Promise((resolve, reject) => {
        worker.onerror = (event) => reject(new Error(event.message));
        worker.onmessage = ({ data }) => {
          reports.push(data);
          if (data.kind === "end") resolve(reports);
        };
      });
    }
  </script>`;
  const server = Deno.serve({ port: 0, hostname: "127.0.0.1", onListen: () => {} }, (request) => {
    const { pathname } = new URL(request.url);
    const name = pathname.slice("/assets/".length);
    if (Object.hasOwn(assets, name)) return new Response(assets[name], { headers: isolated });
    const [body, type] = pathname === "/suite.js"
      ? [script, "text/javascript"]
      : pathname === "/"
      ? [html, "text/html"]
      : ["", "text/plain"];
    return new Response(body, { headers: { ...isolated, "content-type": type } });
  });
  return {
    url: `http://127.0.0.1:${server.addr.port}/`,
    [Symbol.asyncDispose]: () => server.shutdown(),
  };
}
