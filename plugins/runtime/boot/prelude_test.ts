import assert from "node:assert/strict";
import { preludeSource } from "./prelude.ts";

const hidden = ["process", "Deno", "caches", "BroadcastChannel", "gc"];
const report = `postMessage(${
  JSON.stringify(hidden)
}.filter((name) => globalThis[name] !== undefined));`;

/** What a Worker with this text says first. */
async function firstMessage(text: string): Promise<unknown> {
  const url = URL.createObjectURL(new Blob([text], { type: "text/javascript" }));
  const options = { type: "module", deno: { permissions: "none" } };
  const worker = new Worker(url, options as WorkerOptions);
  try {
    return await new Promise((resolve, reject) => {
      worker.onmessage = ({ data }) => resolve(data);
      worker.onerror = (event) => {
        event.preventDefault();
        reject(new Error(event.message));
      };
    });
  } finally {
    worker.terminate();
    URL.revokeObjectURL(url);
  }
}

Deno.test("preludeSource hides what a browser has not", async () => {
  assert.deepEqual(await firstMessage(preludeSource + report), []);
});

Deno.test("preludeSource holds in the blob Workers of a Worker, classic ones too", async () => {
  const inner = JSON.stringify(report);
  const outer = `
    const url = URL.createObjectURL(new Blob([${inner}], { type: "text/javascript" }));
    const worker = new Worker(url, { name: "em-pthread", workerData: "em-pthread" });
    worker.onmessage = ({ data }) => postMessage(data);`;
  assert.deepEqual(await firstMessage(preludeSource + outer), []);
});

Deno.test("preludeSource keeps V8's gc for the guest alone", async () => {
  const text = `${preludeSource} console.log(typeof gc, typeof globalThis[Symbol.for("bkg.gc")]);`;
  const { stdout } = await new Deno.Command(Deno.execPath(), {
    args: ["eval", "--v8-flags=--expose-gc", text],
    env: { NO_COLOR: "1" },
  }).output();
  assert.equal(new TextDecoder().decode(stdout), "undefined function\n");
});

Deno.test("preludeSource is one line, runs once, and leaves other blobs alone", async () => {
  assert(!preludeSource.includes("\n"));
  const checks = `
    const { Worker: wrapped, URL: { createObjectURL } } = globalThis;
    ${preludeSource}
    const data = await (await fetch(URL.createObjectURL(new Blob(["x"], { type: "text/plain" })))).text();
    postMessage([wrapped === Worker, createObjectURL === URL.createObjectURL, data]);`;
  assert.deepEqual(await firstMessage(preludeSource + checks), [true, true, "x"]);
});

Deno.test("preludeSource does nothing where there is no Deno", () => {
  const scope =
    `const before = Object.getOwnPropertyNames(globalThis).length; let Deno; ${preludeSource}
    if (Object.getOwnPropertyNames(globalThis).length !== before) throw new Error("changed");`;
  new Function(scope)();
});
