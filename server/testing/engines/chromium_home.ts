// The suite in a page of Chromium: a Worker that gets the engines as the build made them, in a page that may have threads.

import { join } from "node:path";
import { assetPath, engineAssets } from "../../../plugins/runtime/contract/engine_assets.ts";
import { suiteEngines } from "../../../plugins/runtime/engines/conformance/support.ts";
import type { SuiteReport } from "../../../plugins/runtime/engines/conformance/worker.ts";
import { buildBundles } from "../../build/bundles.ts";
import { launchChromium } from "../browser/browser.ts";
import { bundleSuite } from "./bundle_suite.ts";
import type { SuiteHome } from "./cell_home.ts";
import { readSuiteModels } from "./suite_models.ts";
import { takenGpuSource } from "./taken_gpu.ts";

/** `gpu`: SwiftShader, which reckons on the CPU. */
export async function openChromium({ gpu = false }: { gpu?: boolean } = {}): Promise<SuiteHome> {
  const parts = new AsyncDisposableStack();
  try {
    const site = parts.use(await serveSuite());
    const browser = gpu
      ? await launchChromium(["--enable-unsafe-webgpu"], [
        "--disable-gpu",
        "--enable-unsafe-swiftshader",
      ])
      : await launchChromium();
    parts.defer(() => browser.close());
    const page = await (await browser.newContext()).newPage();
    await page.goto(site.url);
    await page.evaluate("begin()");
    return {
      async run(order) {
        const { error, threadsLent } = await page.evaluate(
          `run(${JSON.stringify(order)})`,
        ) as SuiteReport;
        if (error === undefined && threadsLent !== 0) {
          return { code: "INTERNAL", message: `${threadsLent} threads are lent`, retryable: false };
        }
        return error;
      },
      [Symbol.asyncDispose]: () => parts.disposeAsync(),
    };
  } catch (error) {
    await parts.disposeAsync();
    throw error;
  }
}

async function serveSuite() {
  const files = await readFiles();
  const headers = {
    "cross-origin-opener-policy": "same-origin",
    "cross-origin-embedder-policy": "require-corp",
  };
  const server = Deno.serve({ port: 0, hostname: "127.0.0.1", onListen: () => {} }, (request) => {
    const { pathname } = new URL(request.url);
    const file = files.get(decodeURIComponent(pathname.slice(1)));
    if (file !== undefined) return new Response(file, { headers });
    const type = { ...headers, "content-type": "text/html" };
    return new Response(pathname === "/" ? pageHtml([...files.keys()]) : "", { headers: type });
  });
  return {
    url: `http://127.0.0.1:${server.addr.port}/`,
    [Symbol.asyncDispose]: () => server.shutdown(),
  };
}

/** By "modules/<engine>", "assets/<name>", "models/<id>/<file>" and "worker". */
async function readFiles(): Promise<Map<string, Uint8Array<ArrayBuffer>>> {
  const { folder } = await buildBundles({ log: () => {} });
  const files = new Map<string, Uint8Array<ArrayBuffer>>();
  for (const engine of suiteEngines) {
    files.set(`modules/${engine}`, await Deno.readFile(join(folder, `engines/${engine}.js`)));
    for (const name of engineAssets[engine]) {
      const path = assetPath(name, { canSuspend: true });
      files.set(`assets/${name}`, await Deno.readFile(join(folder, path)));
    }
  }
  for (const [id, model] of Object.entries(readSuiteModels())) {
    for (const [name, bytes] of Object.entries(model)) files.set(`models/${id}/${name}`, bytes);
  }
  const worker = await bundleSuite("plugins/runtime/engines/conformance/worker.ts");
  files.set("worker", new TextEncoder().encode(takenGpuSource + worker));
  return files;
}

function pageHtml(names: readonly string[]): string {
  return `<!doctype html><script>
    let worker;
    async function begin() {
      const order = { kind: "begin", modules: {}, assets: {}, models: {} };
      for (const path of ${JSON.stringify(names)}) {
        const bytes = new Uint8Array(await (await fetch("/" + encodeURIComponent(path))).arrayBuffer());
        const [kind, name, file] = path.split("/");
        if (kind === "worker") {
          const url = URL.createObjectURL(new Blob([bytes], { type: "text/javascript" }));
          worker = new Worker(url, { type: "module" });
        } else if (kind === "models") (order.models[name] ??= {})[file] = bytes;
        else order[kind][name] = bytes;
      }
      worker.postMessage(order);
    }
    function run(order) {
      return new Promise((resolve, reject) => {
        worker.onerror = (event) => reject(new Error(event.message));
        worker.onmessage = ({ data }) => resolve(data);
        worker.postMessage({ kind: "case", order });
      });
    }
  </script>`;
}
