// wllama alone in a page: its own bundle, its own Worker, one model from memory. Served isolated, as bkg's page is.

import { join } from "node:path";
import { projectRoot } from "../../server/build/bundles.ts";
import { linkNpmPackages } from "../../server/build/npm_package.ts";

export interface BareWllamaPage extends AsyncDisposable {
  readonly url: string;
}

/** The page's `complete(prompt, maxTokens)` answers the milliseconds of one streamed greedy completion. */
export async function serveBareWllama(
  modelPath: string,
  { contextLength }: { contextLength: number },
): Promise<BareWllamaPage> {
  const packages = await linkNpmPackages(projectRoot);
  const wllama = packages.find("@wllama/wllama");
  const files: Record<string, { path?: string; text?: string; type: string }> = {
    "/": { text: pageText(contextLength), type: "text/html" },
    "/wllama.js": { path: join(wllama, "esm/index.js"), type: "text/javascript" },
    "/wllama.wasm": { path: join(wllama, "esm/wasm/wllama.wasm"), type: "application/wasm" },
    "/model.gguf": { path: modelPath, type: "application/octet-stream" },
  };
  const server = Deno.serve(
    { port: 0, hostname: "127.0.0.1", onListen: () => {} },
    async (request) => {
      const file = files[new URL(request.url).pathname];
      if (file === undefined) return new Response(null, { status: 404 });
      const body = file.text ?? await Deno.readFile(file.path ?? "");
      return new Response(body, {
        headers: {
          "content-type": file.type,
          "cross-origin-opener-policy": "same-origin",
          "cross-origin-embedder-policy": "require-corp",
        },
      });
    },
  );
  return {
    url: `http://127.0.0.1:${server.addr.port}`,
    async [Symbol.asyncDispose]() {
      await server.shutdown();
      await packages[Symbol.asyncDispose]();
    },
  };
}

function pageText(contextLength: number): string {
  return `<!doctype html><script type="module">
    import { Wllama } from "./wllama.js";
    const quiet = { debug() {}, log() {}, warn() {}, error() {} };
    const wllama = new Wllama({ default: new URL("wllama.wasm", location.href).href }, { logger: quiet });
    wllama.setCompat(null);
    const model = await (await fetch("model.gguf")).blob();
    await wllama.loadModel([model], {
      n_ctx: ${contextLength}, n_threads: 1, n_gpu_layers: 0, n_parallel: 1,
    });
    globalThis.complete = async (prompt, maxTokens) => {
      const started = performance.now();
      const stream = await wllama.createCompletion({
        prompt, max_tokens: maxTokens, temperature: 0, stream: true,
      });
      let count = 0;
      for await (const _ of stream) count++;
      return performance.now() - started;
    };
    globalThis.ready = true;
  </script>`;
}
