// Plugins that start Workers to gain something, or look for another plugin's cell.

import { type HostileCase, nestedPlugin, plugin, refused } from "../hostile_case.ts";

const limits = { timeoutMs: 1500 };

const tryToRead = `
  try { postMessage(Deno.readTextFileSync("/etc/passwd")); } catch (error) { postMessage("refused: " + error.message); }`;

function worker(url: string, options: string): string {
  return plugin(`
    return await new Promise((resolve, reject) => {
      const worker = new Worker(${url}, { type: "module", ${options} });
      worker.onmessage = ({ data }) => data.startsWith("refused: ") ? reject(new Error(data)) : resolve(data);
      worker.onerror = (event) => { event.preventDefault(); reject(new Error(event.message)); };
    });`);
}

const dataUrl = JSON.stringify(`data:text/javascript,${encodeURIComponent(tryToRead)}`);
const blobUrl = `URL.createObjectURL(new Blob([${JSON.stringify(tryToRead)}]))`;

const workerCase = (name: string, code: string): HostileCase => ({
  name,
  code,
  limits,
  expect: refused,
});

/** The second plugin answers "nothing" unless something came across. */
const accomplice = (text: string) => text.replaceAll(`"evil.`, `"accomplice.`);

const crossing = (name: string, code: string, other: string): HostileCase => ({
  name,
  code,
  accomplice: accomplice(other),
  limits,
  expect: { code: "ok", stop: "none", value: "nothing" },
});

export const sharing: HostileCase[] = [
  workerCase("nested data: Worker", worker(dataUrl, "")),
  workerCase(
    "nested blob: Worker",
    worker(blobUrl, "").replace(
      "Deno.readTextFileSync",
      "(globalThis.Deno ?? { readTextFileSync() { throw new Error('Deno is not defined'); } }).readTextFileSync",
    ),
  ),
  workerCase("nested Worker that inherits", worker(dataUrl, `deno: { permissions: "inherit" }`)),
  workerCase(
    "nested Worker that asks for read",
    worker(dataUrl, "deno: { permissions: { read: true } }"),
  ),
  workerCase(
    "nested Worker that asks for all",
    worker(
      dataUrl,
      "deno: { permissions: { read: true, write: true, net: true, run: true, env: true, ffi: true } }",
    ),
  ),
  workerCase(
    "node:worker_threads",
    nestedPlugin(`
      const { Worker } = await node("worker_threads");
      const text = "const { parentPort } = require('worker_threads');" +
        "parentPort.postMessage(require('fs').readFileSync('/etc/passwd', 'utf8'));";
      return await new Promise((resolve, reject) => {
        new Worker(text, { eval: true, env: {} }).on("error", reject).on("message", resolve);
      });`),
  ),
  crossing(
    "BroadcastChannel toward another plugin",
    nestedPlugin(`
      const channel = new BroadcastChannel("plugins");
      setInterval(() => channel.postMessage("secret"), 5);
      return "sending";`),
    nestedPlugin(`
      return await new Promise((resolve) => {
        new BroadcastChannel("plugins").onmessage = ({ data }) => resolve(data);
        setTimeout(() => resolve("nothing"), 200);
      });`),
  ),
  crossing(
    // The test listens too, and must hear nothing.
    "BroadcastChannel toward the host",
    nestedPlugin(`new BroadcastChannel("plugins").postMessage("secret"); return "sent";`),
    plugin(`return "nothing";`),
  ),
  crossing(
    "caches toward another plugin",
    nestedPlugin(`
      try {
        const cache = await caches.open("plugins");
        await cache.put("http://plugins/secret", new Response("secret"));
        return "put";
      } catch { return "no caches"; }`),
    nestedPlugin(`
      try {
        const found = await (await caches.open("plugins")).match("http://plugins/secret");
        return await found?.text() ?? "nothing";
      } catch { return "nothing"; }`),
  ),
  crossing(
    "a blob: URL handed to another plugin",
    plugin(
      `return URL.createObjectURL(new Blob(["export default 'secret'"], { type: "text/javascript" }));`,
    ),
    plugin(`
      const seen = [];
      await import(input).then(() => seen.push("imported"), () => {});
      await fetch(input).then(() => seen.push("fetched"), () => {});
      return seen.join() || "nothing";`),
  ),
  crossing(
    "performance marks and registered symbols",
    nestedPlugin(`performance.mark("secret"); globalThis[Symbol.for("secret")] = 1; return "set";`),
    nestedPlugin(`
      return performance.getEntriesByName("secret").length > 0 || Symbol.for("secret") in globalThis
        ? "secret" : "nothing";`),
  ),
];
