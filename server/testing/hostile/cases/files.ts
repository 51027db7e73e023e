// Plugins that want a file of the host: by every form of import, every built-in, every restored global.

import { type HostileCase, nestedPlugin, plugin, refusal, refused } from "../hostile_case.ts";

const limits = { timeoutMs: 1500 };

/** In the plugin's own text: it does not load at all. */
const unloadable = { code: "PLUGIN_ERROR", stop: "crashed", message: refusal } as const;

const nested = (name: string, attack: string): HostileCase => ({
  name,
  code: nestedPlugin(attack),
  limits,
  expect: refused,
});

const own = (name: string, body: string, message = refusal): HostileCase => ({
  name,
  code: plugin(body),
  limits,
  expect: { ...refused, message },
});

const atImport = (name: string, before: string, message = refusal): HostileCase => ({
  name,
  code: plugin("return stolen;", { before }),
  limits,
  call: "started",
  expect: { ...unloadable, message },
});

/** `import.meta` and literals are hidden from bundlers by being data. */
const dataModule = (text: string) => `data:text/javascript,${encodeURIComponent(text)}`;

export const files: HostileCase[] = [
  atImport("static import", `import stolen from "file:///etc/passwd";`),
  atImport(
    "static import as text",
    `import stolen from "file:///etc/passwd" with { type: "text" };`,
  ),
  atImport(
    "static import as JSON",
    `import stolen from "file:///etc/passwd" with { type: "json" };`,
  ),
  atImport(
    "static import as bytes",
    `import stolen from "file:///etc/passwd" with { type: "bytes" };`,
    /Requires read access|not a valid module type|bytes/,
  ),
  atImport(
    "static import of node:fs",
    `
    import { readFileSync } from "node:fs";
    const stolen = readFileSync("/etc/passwd", "utf8");`,
  ),
  atImport(
    "static npm: import",
    `import * as stolen from "npm:zod@4.6.7";`,
    /npm specifiers were requested/,
  ),
  atImport(
    "static npm: import in a data: module",
    `import stolen from "${dataModule(`export { default } from "npm:zod@4.6.7";`)}";`,
    /npm specifiers were requested/,
  ),
  atImport(
    "static import in a data: module",
    `import stolen from "${
      dataModule(`export { default } from "file:///etc/passwd" with { type: "text" };`)
    }";`,
  ),
  atImport(
    "Deno out of a data: module hoisted above the prelude",
    `import D from "data:text/javascript,export default globalThis.Deno";
     const deno = D ?? (await import("node:" + "process")).default.getBuiltinModule("fs");
     const stolen = (deno.readTextFileSync ?? deno.readFileSync)("/etc/passwd");`,
  ),
  own("literal dynamic import", `return (await import("file:///etc/passwd")).default;`),
  own(
    "literal dynamic import as text",
    `return (await import("file:///etc/passwd", { with: { type: "text" } })).default;`,
  ),
  own(
    "computed dynamic import as text",
    `const url = ["file:///etc", "passwd"].join("/");
     return (await import(url, { with: { type: "text" } })).default;`,
  ),
  own(
    "computed dynamic import as JSON",
    `return (await import("file:///etc" + "/passwd", { with: { type: "json" } })).default;`,
  ),
  own(
    "computed dynamic import as bytes",
    `return (await import("file:///etc" + "/passwd", { with: { type: "bytes" } })).default.length;`,
    /Requires read access|not a valid module type/,
  ),
  own(
    "blob: module with a static import",
    `const text = 'export { default } from "file:///etc/passwd" with { type: "text" };';
     const url = URL.createObjectURL(new Blob([text], { type: "text/javascript" }));
     return (await import(url)).default;`,
  ),
  own(
    "import source",
    `const text = 'import source stolen from "file:///etc/passwd"; export default stolen;';
     return (await import("data:text/javascript," + encodeURIComponent(text))).default;`,
    /Requires read access|source phase is unsupported/,
  ),
  own(`fetch("file:")`, `return await (await fetch("file:///etc/passwd")).text();`),
  own(`node:fs`, `return (await import("node:" + "fs")).readFileSync("/etc/passwd", "utf8");`),
  own(
    "node:fs promises",
    `return await (await import("node:" + "fs/promises")).readFile("/etc/passwd", "utf8");`,
  ),
  own(
    "node:fs openAsBlob",
    `return await (await (await import("node:" + "fs")).openAsBlob("/etc/passwd")).text();`,
  ),
  own(
    "createRequire",
    `return (await import("node:" + "module")).createRequire("file:///x.js")("/etc/passwd");`,
  ),
  own(
    "createRequire().resolve, as a test for existence",
    `return (await import("node:" + "module")).createRequire("file:///x.js").resolve("/etc/passwd");`,
  ),
  own("importScripts", `return importScripts("file:///etc/passwd");`),
  own(
    "process.loadEnvFile",
    `return (await import("node:" + "process")).default.loadEnvFile("/etc/passwd");`,
  ),
  own(
    "node:sqlite ATTACH",
    `const { DatabaseSync } = await import("node:" + "sqlite");
     new DatabaseSync(":memory:").exec("ATTACH DATABASE '/etc/passwd' AS stolen");
     return "attached";`,
    /too many attached databases/,
  ),
  own(
    "node:wasi preopens",
    `const { WASI } = await import("node:" + "wasi");
     new WASI({ version: "preview1", preopens: { "/": "/" } });
     return "opened";`,
    /failed to open preopen/,
  ),
  nested("Deno.readTextFile, restored", `return await Deno.readTextFile("/etc/passwd");`),
  nested(
    "Deno.readFileSync of a cell's own file",
    `return Deno.readFileSync(Deno.cwd() + "/cell.sock");`,
  ),
  nested("Deno.readDir of /proc", `return [...Deno.readDirSync("/proc/self/fd")].length;`),
  nested("Deno.open of /proc/self/mem", `return Deno.openSync("/proc/self/mem").close();`),
  nested("Deno.realPath", `return Deno.realPathSync("/etc/passwd");`),
  nested("Deno.watchFs", `return Deno.watchFs("/etc") && "watching";`),
  nested(
    "a Worker whose root is the file",
    `return await new Promise((resolve, reject) => {
       const worker = new Worker("file:///etc/passwd", { type: "module" });
       worker.onerror = (event) => { event.preventDefault(); reject(new Error(event.message)); };
     });`,
  ),
  nested(
    "a Worker whose root imports the file",
    `const text = 'import s from "file:///etc/passwd" with { type: "text" }; postMessage(s);';
     return await new Promise((resolve, reject) => {
       const worker = new Worker("data:text/javascript," + encodeURIComponent(text), { type: "module" });
       worker.onmessage = ({ data }) => resolve(data);
       worker.onerror = (event) => { event.preventDefault(); reject(new Error(event.message)); };
     });`,
  ),
  nested(
    "a node:worker_threads Worker on the file",
    `const { Worker } = await node("worker_threads");
     return await new Promise((resolve, reject) => {
       new Worker("/etc/passwd").on("error", reject).on("message", resolve);
     });`,
  ),
  {
    name: "files that the cell's main might have open",
    code: plugin(`
      const asked = [];
      for (let handle = 0; handle < 50; handle++) {
        postMessage({ port: "main", message:
          { kind: "call", id: 1000 + handle, method: "read", input: { handle, offset: 0, length: 1 }, credit: 0 } });
        asked.push(handle);
      }
      const answers = new Set();
      await new Promise((resolve) => {
        addEventListener("message", ({ data }) => {
          if (data?.message?.id < 1000 || !data?.message) return;
          answers.add(data.message.error?.code ?? "bytes");
          if (asked.length === 1) resolve();
          asked.pop();
        });
      });
      return [...answers];`),
    limits,
    expect: { code: "ok", stop: "none", value: ["NOT_FOUND"] },
  },
  {
    name: "an asset of the cell's main that is a path",
    code: plugin(`
      postMessage({ port: "main", message:
        { kind: "call", id: 1000, method: "asset", input: { name: "../../../../etc/passwd" }, credit: 0 } });
      return await new Promise((resolve) => {
        addEventListener("message", ({ data }) => {
          if (data?.message?.id === 1000) resolve(data.message.error?.code ?? "bytes");
        });
      });`),
    limits,
    expect: { code: "ok", stop: "none", value: "NOT_FOUND" },
  },
];
