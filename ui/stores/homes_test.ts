import assert from "node:assert/strict";
import { AppError, type ErrorCode } from "../../plugins/runtime/contract/error.ts";
import type { PluginView } from "../../plugins/runtime/host/host.ts";
import type { LocalHost, Progress } from "../local/local_host.ts";
import { type BrowserFeatures, findBrowserProblem } from "./browser_problem.ts";
import type { BrowserStorage } from "./browser_storage.ts";
import { createHomes, type HomesDeps } from "./homes.ts";
import { createNotifier } from "./observable.ts";
import { createTabs } from "./testing_tabs.ts";

Deno.test("a move that fails shows why, leaves calls with the server, and may be tried again", async () => {
  const page = openPage();
  page.startFails = new AppError("INVALID_OUTPUT", "The bundle came damaged");
  await rejects(page.homes.moveToBrowser("llm"), "INVALID_OUTPUT");
  const state = page.homes.state("llm");
  assert.ok(state.kind === "failed" && /damaged/.test(state.error.message));
  assert.equal(await page.whoAnswers(), "server");
  page.startFails = undefined;
  await page.homes.moveToBrowser("llm");
  assert.equal(page.homes.state("llm").kind, "browser");
  assert.equal(await page.whoAnswers(), "browser");
});

Deno.test("a host that does not load may be loaded later", async () => {
  const page = openPage();
  page.loadFails = new TypeError("Failed to fetch dynamically imported module");
  await rejects(page.homes.moveToBrowser("llm"), "UNAVAILABLE");
  page.loadFails = undefined;
  await page.homes.moveToBrowser("llm");
  assert.equal(page.loads, 2);
});

Deno.test("calls go to the server until the plugin runs here, and again once it is moved back", async () => {
  const page = openPage();
  page.hold = Promise.withResolvers();
  const moving = page.homes.moveToBrowser("llm");
  assert.equal(page.homes.moveToBrowser("llm"), moving);
  await until(() => page.starting === 1);
  page.progress?.({ step: "Fetching the engine", done: 1, total: 2 });
  assert.deepEqual(page.homes.state("llm"), {
    kind: "moving",
    step: "Fetching the engine",
    done: 1,
    total: 2,
  });
  assert.equal(await page.whoAnswers(), "server");
  page.hold.resolve();
  await moving;
  assert.equal(await page.whoAnswers(), "browser");
  // What the page does not have goes to the server still.
  assert.equal(await page.whoAnswers("other.thing"), "server");
  await page.homes.moveToServer("llm");
  assert.deepEqual(page.homes.state("llm"), { kind: "server" });
  assert.equal(await page.whoAnswers(), "server");
  assert.deepEqual(page.stopped, ["llm"]);
});

Deno.test("a move that is taken back is ended, and leaves nothing running", async () => {
  const page = openPage();
  page.hold = Promise.withResolvers();
  const moving = page.homes.moveToBrowser("llm");
  const ended = rejects(moving, "CANCELLED");
  await until(() => page.starting === 1);
  const back = page.homes.moveToServer("llm");
  assert.deepEqual(page.homes.state("llm"), { kind: "server" });
  page.hold.resolve();
  await Promise.all([ended, back]);
  assert.deepEqual(page.stopped, ["llm"]);
  assert.deepEqual(page.homes.state("llm"), { kind: "server" });
  assert.equal(page.remembered(), undefined);
});

Deno.test("what ran here runs here at the next visit, until it is moved back", async () => {
  const tabs = createTabs();
  const first = openPage({ storage: tabs.open() });
  await first.homes.moveToBrowser("llm");
  const second = openPage({ storage: tabs.open() });
  second.homes.resume();
  assert.equal(second.homes.state("llm").kind, "moving");
  await until(() => second.homes.state("llm").kind === "browser");
  // Signed out: nothing runs, and it is still known for the next sign-in.
  await second.homes.suspend();
  assert.equal(second.homes.state("llm").kind, "server");
  assert.equal(second.closed, 1);
  second.homes.resume();
  await until(() => second.homes.state("llm").kind === "browser");
  await second.homes.moveToServer("llm");
  const third = openPage({ storage: tabs.open() });
  third.homes.resume();
  assert.equal(third.homes.state("llm").kind, "server");
  assert.equal(third.loads, 0);
});

Deno.test("a resumed plugin that does not come up shows it, and nothing is thrown", async () => {
  const tabs = createTabs();
  await openPage({ storage: tabs.open() }).homes.moveToBrowser("llm");
  const page = openPage({ storage: tabs.open() });
  page.loadFails = new AppError("UNAVAILABLE", "The server cannot be reached");
  page.homes.resume();
  await until(() => page.homes.state("llm").kind === "failed");
  for (const text of ["{", "5", '["a",5,null]', `["${"x".repeat(100)}"]`]) {
    const storage = createTabs().open();
    storage.set("bkg.homes", text);
    openPage({ storage }).homes.resume();
  }
});

Deno.test("a browser that cannot is told of before anything is loaded", async () => {
  const problem = { message: "This browser cannot", advice: "Take another" };
  const page = openPage({ problem: Promise.resolve(problem) });
  await rejects(page.homes.moveToBrowser("llm"), "UNSUPPORTED_FEATURE");
  assert.equal(page.homes.problem, problem);
  assert.equal(page.loads, 0);
});

Deno.test("findBrowserProblem says what is missing, and what to do", async () => {
  const good: BrowserFeatures = {
    isSecureContext: true,
    location: { hostname: "nas.lan", port: "43119", protocol: "http:" },
    Worker: class {},
    WebAssembly: {},
    storage: { getDirectory: () => Promise.resolve({}) },
  };
  assert.equal(await findBrowserProblem(good), undefined);
  const insecure = await findBrowserProblem({
    ...good,
    isSecureContext: false,
    storage: undefined,
  });
  assert.match(insecure?.message ?? "", /plain http from another machine/);
  assert.match(insecure?.advice ?? "", /ssh -L 43119:127\.0\.0\.1:43119 nas\.lan/);
  assert.match(insecure?.advice ?? "", /http:\/\/localhost:43119/);
  const refused = () => Promise.reject(new DOMException("refused", "SecurityError"));
  for (const storage of [undefined, {}, { getDirectory: refused }]) {
    const problem = await findBrowserProblem({ ...good, storage });
    assert.match(problem?.advice ?? "", /private window/);
  }
  const old = await findBrowserProblem({ ...good, WebAssembly: undefined });
  assert.match(old?.message ?? "", /WebAssembly/);
});

function openPage(options: Partial<HomesDeps> & { storage?: BrowserStorage } = {}) {
  const storage = options.storage ?? createTabs().open();
  const notifier = createNotifier();
  const running = new Set<string>();
  const page = {
    loads: 0,
    loadFails: undefined as Error | undefined,
    startFails: undefined as Error | undefined,
    hold: undefined as PromiseWithResolvers<void> | undefined,
    starting: 0,
    progress: undefined as ((progress: Progress) => void) | undefined,
    stopped: [] as string[],
    closed: 0,
    remembered: () => storage.get("bkg.homes"),
    async whoAnswers(capability = "llm.chat") {
      return (await homes.stream(capability, {}, {}).next()).value;
    },
  };
  async function* answer(who: string): AsyncGenerator<unknown, unknown> {
    yield await Promise.resolve(who);
    return undefined;
  }
  const local = {
    subscribe: notifier.subscribe,
    bus: { stream: () => answer("browser") },
    get: (pluginId: string) => running.has(pluginId) ? view(pluginId) : undefined,
    async start(pluginId: string, given: { progress?: (progress: Progress) => void } = {}) {
      page.starting++;
      page.progress = given.progress;
      await page.hold?.promise;
      if (page.startFails !== undefined) throw page.startFails;
      running.add(pluginId);
      return view(pluginId);
    },
    stop(pluginId: string) {
      running.delete(pluginId);
      page.stopped.push(pluginId);
      return Promise.resolve();
    },
    close() {
      page.closed++;
      running.clear();
      return Promise.resolve();
    },
  } as unknown as LocalHost;
  const homes = createHomes({
    api: { stream: () => answer("server") },
    session: { principal: undefined },
    problem: Promise.resolve(undefined),
    loadHost() {
      page.loads++;
      return page.loadFails === undefined ? Promise.resolve(local) : Promise.reject(page.loadFails);
    },
    ...options,
    storage,
  });
  return Object.assign(page, { homes });
}

function view(id: string): PluginView {
  return { id, capabilities: [{ id: `${id}.chat` }] } as PluginView;
}

async function until(holds: () => boolean): Promise<void> {
  const limitAtMs = performance.now() + 2000;
  while (!holds()) {
    assert.ok(performance.now() < limitAtMs, `not within 2 s: ${holds}`);
    await new Promise((resolve) => setTimeout(resolve, 1));
  }
}

async function rejects(promise: Promise<unknown>, code: ErrorCode): Promise<void> {
  await assert.rejects(promise, (error) => error instanceof AppError && error.code === code);
}
