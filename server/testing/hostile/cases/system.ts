// Plugins that reach for the machine: network, environment, processes, native code, the disk, the GPU.

import { type HostileCase, nestedPlugin, refusal, refused } from "../hostile_case.ts";

const limits = { timeoutMs: 1500 };

const denied = (name: string, attack: string, message = refusal): HostileCase => ({
  name,
  code: nestedPlugin(attack),
  limits,
  expect: { ...refused, message },
});

/** `port` is that of a listener of the test, which must see nobody. */
export function system(port: number): HostileCase[] {
  const loopback = `127.0.0.1:${port}`;
  return [
    denied("fetch to loopback", `return await (await fetch("http://${loopback}/")).text();`),
    denied(
      "fetch to localhost by name",
      `return (await fetch("http://localhost:${port}/")).status;`,
    ),
    // TEST-NET-1 (RFC 5737) is nobody's.
    denied("fetch to the outside", `return (await fetch("http://192.0.2.1:${port}/")).status;`),
    denied(
      "WebSocket",
      `return await new Promise((resolve, reject) => {
         const socket = new WebSocket("ws://${loopback}/");
         socket.onopen = () => resolve("open");
         socket.onerror = (event) => reject(new Error(event.message));
       });`,
    ),
    denied(
      "EventSource",
      `return await new Promise((resolve, reject) => {
         const source = new EventSource("http://${loopback}/");
         source.onopen = () => resolve("open");
         source.onerror = (event) => reject(new Error("closed"));
       });`,
      // It does not say why; the listener sees that nobody came.
      /closed/,
    ),
    denied("Deno.connect", `return await Deno.connect({ hostname: "127.0.0.1", port: ${port} });`),
    denied(
      "node:net",
      `const { connect } = await node("net");
       return await new Promise((resolve, reject) =>
         connect(${port}, "127.0.0.1").on("connect", () => resolve("open")).on("error", reject));`,
    ),
    denied(
      "node:http",
      `const { get } = await node("http");
       return await new Promise((resolve, reject) =>
         get("http://${loopback}/", () => resolve("open")).on("error", reject));`,
    ),
    denied("http: import", `return await import("http://${loopback}" + "/x.js");`),
    denied("Deno.listen", `return Deno.listen({ port: 0 }).addr;`),
    denied(
      "an abstract unix socket",
      `return Deno.listen({ transport: "unix", path: "\\0evil" }).addr;`,
    ),
    denied("Deno.serve", `return Deno.serve({ port: 0 }, () => new Response()).addr;`),
    denied(
      "another cell's door",
      `return await Deno.connect({ transport: "unix", path: Deno.cwd() + "/cell.sock" });`,
    ),
    denied("DNS as a way out", `return await Deno.resolveDns("secret.invalid", "A");`),
    denied(
      "DNS by node:dns",
      `const { lookup } = await node("dns");
       return await new Promise((resolve, reject) =>
         lookup("secret.invalid", (error, address) => error ? reject(error) : resolve(address)));`,
    ),
    denied(
      "npm: import, computed",
      `return Object.keys(await import("npm:" + "zod@4.6.7"));`,
      /npm/,
    ),
    denied(
      "jsr: import, computed",
      `return await import("jsr:" + "@std/path");`,
      /JSR|jsr|import access/,
    ),
    denied("environment", `return Deno.env.toObject();`),
    denied("environment by process", `return JSON.stringify((await node("process")).default.env);`),
    denied("run", `return new Deno.Command("/usr/bin/id").outputSync().code;`),
    denied("run of Deno itself", `return new Deno.Command(Deno.execPath()).outputSync().code;`),
    denied(
      "node:child_process",
      `return (await node("child_process")).spawnSync("/usr/bin/id", [], { env: {} }).status;`,
    ),
    denied("a signal to the host", `Deno.kill(Deno.ppid, "SIGCONT"); return "sent";`),
    denied("a signal to the process group", `Deno.kill(0, "SIGCONT"); return "sent";`),
    denied("a signal to everybody", `Deno.kill(-1, "SIGCONT"); return "sent";`),
    denied("ffi", `return Deno.dlopen("libc.so.6", {}) && "open";`),
    denied(
      "a native add-on",
      `return (await node("process")).default.dlopen({ exports: {} }, "/tmp/x.node");`,
    ),
    denied("raw pointers", `return Deno.UnsafePointer.create(4096n) && "pointer";`),
    denied("host name", `return Deno.hostname();`),
    denied("network interfaces", `return Deno.networkInterfaces();`),
    denied("write to /tmp", `return Deno.writeTextFileSync("/tmp/bkg-evil", "x") ?? "written";`),
    denied("a temporary file", `return Deno.makeTempFileSync();`),
    denied("write to the cell's folder", `return Deno.writeTextFileSync("own", "x") ?? "written";`),
    denied(
      "a symlink",
      `return Deno.symlinkSync("/etc/passwd", "/tmp/bkg-evil") ?? "made";`,
      /access|permission/,
    ),
    denied("a heap snapshot", `return (await node("v8")).writeHeapSnapshot("/tmp/bkg-evil");`),
    denied(
      "a SQLite backup",
      `const { DatabaseSync, backup } = await node("sqlite");
       const database = new DatabaseSync(":memory:");
       database.exec("CREATE TABLE t (x)");
       return await backup(database, "/tmp/bkg-evil");`,
    ),
    denied(
      "the inspector",
      `const inspector = await node("inspector");
       inspector.open(0, "127.0.0.1");
       return inspector.url();`,
    ),
    denied("change of folder", `return Deno.chdir("/");`),
    denied("umask", `return Deno.umask(0);`),
    {
      name: "a grown permission",
      code: nestedPlugin(`
        const states = [];
        for (const name of ["read", "write", "net", "run", "env", "sys", "ffi", "import"]) {
          states.push((await Deno.permissions.request({ name })).state);
        }
        return [...new Set(states)];`),
      limits,
      expect: { code: "ok", stop: "none", value: ["denied"] },
    },
    {
      name: "the GPU",
      code: nestedPlugin(
        `return (await navigator.gpu?.requestAdapter()) == null ? "none" : "adapter";`,
      ),
      limits,
      expect: { code: "ok", stop: "none", value: "none" },
    },
    {
      name: "V8 flags that write files",
      code: nestedPlugin(`
        const { setFlagsFromString } = await node("v8");
        for (const flag of ["--logfile=/tmp/bkg-evil", "--log-all", "--prof", "--trace-turbo",
          "--trace-turbo-path=/tmp/bkg-evil", "--perf-basic-prof", "--allow-natives-syntax"]) {
          setFlagsFromString(flag);
        }
        try { return eval("%GetOptimizationStatus(eval)"); } catch { return "frozen"; }`),
      limits,
      expect: { code: "ok", stop: "none", value: "frozen" },
    },
    denied(
      "caches, on disk",
      `return await caches.open("evil") && "open";`,
      /cache|Not a directory/i,
    ),
    denied("localStorage, on disk", `localStorage.setItem("evil", "x"); return "stored";`),
  ];
}
